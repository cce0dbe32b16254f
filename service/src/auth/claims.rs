//! What a token says of who bears it: a subject, and a role by the names that an issuer has for it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Role;

/// How a claim becomes a role.
#[derive(Clone, Debug, Default)]
pub struct RoleMap {
    claim: String,
    /// Names of roles are themselves where this is empty.
    named: BTreeMap<String, Role>,
    usual: Option<Role>,
}

impl RoleMap {
    /// The claim, by name or by the names on the way to it, with dots between; what each of its values means; and the
    /// role of who has none of them.
    pub fn new(claim: &str, named: BTreeMap<String, Role>, usual: Option<Role>) -> RoleMap {
        RoleMap {
            claim: claim.to_owned(),
            named,
            usual,
        }
    }

    /// The highest role that the claims give, if any.
    pub fn role(&self, claims: &Value) -> Option<Role> {
        let values: Vec<&str> = match self.find(claims) {
            // As in `scope`.
            Some(Value::String(text)) => text.split(' ').chain([text.as_str()]).collect(),
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let role = |value: &str| match self.named.is_empty() {
            true => value.parse().ok(),
            false => self.named.get(value).copied(),
        };
        values.into_iter().filter_map(role).max().or(self.usual)
    }

    fn find<'a>(&self, claims: &'a Value) -> Option<&'a Value> {
        if let Some(found) = claims.get(&self.claim) {
            return Some(found);
        }
        let mut path = self.claim.split('.');
        path.try_fold(claims, |at, name| at.get(name))
    }
}

/// The subject of a token, as it is logged and counted; tokens without one are of their issuer.
pub fn subject(kind: &str, claims: &Value) -> String {
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or("-");
    let subject: String = subject.chars().take(200).collect();
    format!("{kind}:{subject}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_highest_role_of_a_claim_counts() {
        let plain = RoleMap::new("role", BTreeMap::new(), None);
        assert_eq!(
            plain.role(&json!({ "role": "operator" })),
            Some(Role::Operator)
        );
        assert_eq!(plain.role(&json!({ "role": "Operator" })), None);
        assert_eq!(plain.role(&json!({ "role": 5 })), None);
        assert_eq!(plain.role(&json!({})), None);
        let named = [
            ("desk", Role::Editor),
            ("lead", Role::Operator),
            ("two words", Role::Admin),
        ];
        let named: BTreeMap<_, _> = named.map(|(name, role)| (name.to_owned(), role)).into();
        let deep = RoleMap::new("realm.roles", named.clone(), Some(Role::Viewer));
        let roles = |roles: Value| deep.role(&json!({ "realm": { "roles": roles } }));
        assert_eq!(roles(json!(["lead", "desk", 1])), Some(Role::Operator));
        assert_eq!(roles(json!("x desk")), Some(Role::Editor));
        assert_eq!(roles(json!("two words")), Some(Role::Admin));
        assert_eq!(roles(json!(["admin"])), Some(Role::Viewer));
        let dotted = RoleMap::new("https://example.com/roles", named, None);
        let claims = json!({ "https://example.com/roles": ["desk"] });
        assert_eq!(dotted.role(&claims), Some(Role::Editor));
    }
}
