//! Feature keys: which attribute value of which operator a replay weighs, written
//! `OPERATOR.ATTRIBUTE` or `OPERATOR.ATTRIBUTE=VALUE`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::value::{Attributes, Name, Value};

/// An attribute value that a replay weighs.
///
/// ```
/// use matchcut_model::replay::FeatureKey;
/// let key: FeatureKey = "view.view=far".parse().unwrap();
/// assert_eq!(key.attribute, "view");
/// assert_eq!(key.to_string(), "view.view=far");
/// assert_eq!("cheers.peak=true".parse::<FeatureKey>().unwrap().to_string(), "cheers.peak");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FeatureKey {
    /// The operator that says it; `None` where a request names only an attribute: any operator.
    pub operator: Option<Name>,
    /// The attribute.
    pub attribute: Name,
    /// The value it must have.
    pub value: Value,
}

impl FeatureKey {
    /// `operator.attribute=value`.
    pub fn new(
        operator: impl Into<Name>,
        attribute: impl Into<Name>,
        value: impl Into<Value>,
    ) -> Self {
        FeatureKey {
            operator: Some(operator.into()),
            attribute: attribute.into(),
            value: value.into(),
        }
    }

    /// Whether `operator` is meant.
    pub fn is_of(&self, operator: &str) -> bool {
        self.operator.as_ref().is_none_or(|own| own == operator)
    }

    /// Whether `attributes` hold the attribute with the value.
    pub fn is_in(&self, attributes: &Attributes) -> bool {
        attributes
            .get(&self.attribute)
            .is_some_and(|found| same(&self.value, found))
    }
}

/// Whether an observed value is the wanted one. A boolean is also met by 1 or 0, as operators
/// write flags both ways, never by text. Everything else compares as a person would write it,
/// because a key in a text file does not say whether `3` is a number or a label.
fn same(wanted: &Value, found: &Value) -> bool {
    match wanted {
        Value::Bool(wanted) => match found {
            Value::Bool(found) => wanted == found,
            other => other.as_f64() == Some(if *wanted { 1.0 } else { 0.0 }),
        },
        wanted => wanted == found || wanted.plain_text() == found.plain_text(),
    }
}

/// Reads the value part of a key: `true`, `false`, a JSON value, or else plain text.
pub(super) fn parse_value(text: &str) -> Value {
    let text = text.trim();
    if text.eq_ignore_ascii_case("true") {
        return Value::Bool(true);
    }
    if text.eq_ignore_ascii_case("false") {
        return Value::Bool(false);
    }
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(json) => Value::from(json),
        Err(_) => Value::Text(text.to_owned()),
    }
}

/// A text that is not a feature key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a feature; write OPERATOR.ATTRIBUTE or OPERATOR.ATTRIBUTE=VALUE, for example \"cheers.peak\" or \"view.view=far\""
)]
pub struct ParseFeatureKeyError(pub String);

impl FromStr for FeatureKey {
    type Err = ParseFeatureKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = || ParseFeatureKeyError(text.to_owned());
        let (path, value) = match text.split_once('=') {
            Some((path, value)) => (path, Some(value)),
            None => (text, None),
        };
        let (operator, attribute) = path.split_once('.').ok_or_else(fail)?;
        let (operator, attribute) = (operator.trim(), attribute.trim());
        if operator.is_empty() || attribute.is_empty() || value.is_some_and(|v| v.trim().is_empty())
        {
            return Err(fail());
        }
        Ok(FeatureKey::new(
            operator,
            attribute,
            value.map_or(Value::Bool(true), parse_value),
        ))
    }
}

/// As it is written; `=true` is left out, and text that would read as another value is quoted.
impl fmt::Display for FeatureKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operator) = &self.operator {
            write!(f, "{operator}.")?;
        }
        f.write_str(&self.attribute)?;
        match &self.value {
            Value::Bool(true) => Ok(()),
            Value::Text(text) if text.is_empty() || parse_value(text) != self.value => {
                write!(f, "={}", serde_json::Value::from(text.as_str()))
            }
            value => write!(f, "={}", value.plain_text()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(text: &str) -> FeatureKey {
        text.parse().unwrap()
    }

    #[test]
    fn reads_operator_attribute_and_value() {
        assert_eq!(key("cheers.peak"), FeatureKey::new("cheers", "peak", true));
        assert_eq!(
            key(" view.view = far "),
            FeatureKey::new("view", "view", "far")
        );
        assert_eq!(key("score.home=3"), FeatureKey::new("score", "home", 3));
        assert_eq!(
            key("score.home=\"3\""),
            FeatureKey::new("score", "home", "3")
        );
        assert_eq!(key("a.b=FALSE"), FeatureKey::new("a", "b", false));
        assert_eq!(key("a.b=\"\""), FeatureKey::new("a", "b", ""));
        for bad in ["", "peak", ".peak", "cheers.", "cheers.peak=", "=far"] {
            assert_eq!(
                bad.parse::<FeatureKey>().unwrap_err(),
                ParseFeatureKeyError(bad.to_owned()),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_flag_is_met_by_true_and_1_never_by_text() {
        let has = |wanted: &str, found: Value| {
            key(wanted).is_in(&Attributes::from([(Name::new("x"), found)]))
        };
        assert!(has("o.x", Value::from(true)));
        assert!(has("o.x", Value::from(1)));
        assert!(!has("o.x", Value::from("true")));
        assert!(!has("o.x", Value::from(2)));
        assert!(has("o.x=false", Value::from(false)));
        assert!(has("o.x=false", Value::from(0)));
        assert!(!has("o.x=false", Value::Null));
        assert!(has("o.x=far", Value::from("far")));
        assert!(has("o.x=3", Value::from("3")));
        assert!(!has("o.x=far", Value::from("near")));
        assert!(!key("o.y").is_in(&Attributes::new()));
    }

    proptest! {
        #[test]
        fn printing_and_reading_agree(
            operator in "[a-z][a-z0-9_]{0,6}",
            attribute in "[a-z][a-z0-9_.]{0,6}[a-z]",
            value in prop_oneof![
                any::<bool>().prop_map(Value::from),
                any::<i64>().prop_map(Value::from),
                (-1000i32..1000).prop_map(|n| Value::from(f64::from(n) / 8.0)),
                "[ -~]{0,8}".prop_map(Value::from),
            ],
        ) {
            let key = FeatureKey::new(operator, attribute, value);
            prop_assert_eq!(key.to_string().parse::<FeatureKey>().unwrap(), key);
        }
    }
}
