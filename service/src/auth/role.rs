//! Roles, and which of them a request needs.

use std::fmt;
use std::str::FromStr;

use axum::http::Method;

/// What a key may do. Each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Asks for replays, and says what it thinks of clips.
    Editor,
    /// Creates, changes and ends events.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// All, the least first.
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Editor, Role::Operator, Role::Admin];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Editor => "editor",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }

    /// The least role that a request needs.
    pub fn needed(method: &Method, path: &str) -> Role {
        let own = path.strip_prefix("/api/v1/events/");
        // Who takes work keeps it from others.
        if own.and_then(|rest| rest.split('/').nth(1)) == Some("work") {
            return Role::Operator;
        }
        if matches!(*method, Method::GET | Method::HEAD) || path == "/" {
            return Role::Viewer;
        }
        let of_editors = |rest: &str| match *method {
            Method::POST => rest.ends_with("/feedback"),
            Method::PUT | Method::DELETE => rest.split('/').nth(1) == Some("replays"),
            _ => false,
        };
        if own.is_some_and(of_editors) {
            return Role::Editor;
        }
        if own.is_some_and(|rest| *method == Method::POST && rest.ends_with("/urls")) {
            return Role::Viewer;
        }
        let mut parts = path.split('/').skip(1);
        match (parts.next(), parts.next()) {
            (Some("controlplane" | "external"), Some("replay")) => Role::Editor,
            (Some("dataplane"), Some("clip")) => Role::Editor,
            (Some("controlplane" | "external"), Some("event" | "workflow")) => Role::Operator,
            (Some("dataplane"), _) => Role::Operator,
            (Some("api"), Some("v1")) => Role::Operator,
            _ => Role::Admin,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Role, String> {
        let found = Role::ALL.into_iter().find(|role| role.name() == text);
        found.ok_or_else(|| format!("no role {text}: viewer, editor, operator or admin"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_needs_the_least_role() {
        let needed = |method: &str, path| Role::needed(&method.parse().unwrap(), path);
        assert_eq!(needed("GET", "/controlplane/model/all"), Role::Viewer);
        assert_eq!(needed("POST", "/"), Role::Viewer);
        assert_eq!(needed("POST", "/controlplane/replay"), Role::Editor);
        assert_eq!(
            needed("POST", "/dataplane/clip/preview/feedback"),
            Role::Editor
        );
        assert_eq!(
            needed("DELETE", "/controlplane/event/a/program/b"),
            Role::Operator
        );
        assert_eq!(needed("POST", "/dataplane/plugin/result"), Role::Operator);
        assert_eq!(
            needed("PUT", "/controlplane/workflow/execution/a"),
            Role::Operator
        );
        assert_eq!(needed("POST", "/api/v1/events/a/urls"), Role::Viewer);
        for method in ["GET", "POST"] {
            assert_eq!(needed(method, "/api/v1/events/a/work/b"), Role::Operator);
        }
        assert_eq!(needed("GET", "/api/v1/events/a/work"), Role::Operator);
        assert_eq!(needed("GET", "/api/v1/events/a/files/work"), Role::Viewer);
        assert_eq!(needed("POST", "/api/v1/events"), Role::Operator);
        assert_eq!(needed("GET", "/api/v1/events"), Role::Viewer);
        assert_eq!(needed("POST", "/api/v1/events/a/feedback"), Role::Editor);
        assert_eq!(needed("POST", "/api/v1/events/a/stop"), Role::Operator);
        assert_eq!(needed("PUT", "/api/v1/events/a/replays/b"), Role::Editor);
        assert_eq!(needed("DELETE", "/api/v1/events/replays"), Role::Operator);
        assert_eq!(needed("POST", "/api/v2/events"), Role::Admin);
        assert_eq!(needed("POST", "/controlplane/eventual"), Role::Admin);
        assert_eq!(needed("PUT", "/controlplane/profile/a"), Role::Admin);
        // The other name that MRE's gateway has for its control plane.
        assert_eq!(needed("POST", "/external/replay"), Role::Editor);
        assert_eq!(needed("POST", "/external/event"), Role::Operator);
        assert_eq!(needed("POST", "/external/model"), Role::Admin);
        assert!(Role::Viewer < Role::Editor && Role::Operator < Role::Admin);
        for role in Role::ALL {
            assert_eq!(role.name().parse::<Role>(), Ok(role));
        }
    }
}
