//! What everything that talks to AWS can be told: where, and as whom. Credentials stand in no spec; they come
//! by the usual ways of AWS.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Options of whatever talks to AWS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AwsOptions {
    /// The region, as `eu-central-1`. Without it that of the environment (AWS_REGION), of the profile or of
    /// the machine.
    pub region: Option<String>,
    /// Address of a server that speaks as AWS does, as `http://localhost:9000`. Without it
    /// AWS_ENDPOINT_URL, or else AWS itself.
    pub endpoint: Option<String>,
    /// The profile of `~/.aws/config` and `~/.aws/credentials`. Without it AWS_PROFILE, or else `default`.
    pub profile: Option<String>,
    /// Whether the name of a bucket stands in the path of an address instead of in front of its host.
    /// Without it that is so where `endpoint` is set.
    pub path_style: Option<bool>,
    /// Keys that a program has. No spec can hold them.
    #[serde(skip)]
    #[schemars(skip)]
    pub keys: Option<Keys>,
}

/// An access key with its secret, which is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// The access key.
    pub id: String,
    /// The secret.
    pub secret: String,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}

impl AwsOptions {
    /// What is wrong, by option: opens nothing.
    pub fn check(&self) -> Vec<(&'static str, String)> {
        let mut wrong = Vec::new();
        let plain = |text: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
            !text.is_empty() && text.chars().all(fits)
        };
        if self.region.as_deref().is_some_and(|text| !plain(text)) {
            let text = "the name of a region expected, such as eu-central-1";
            wrong.push(("region", text.to_owned()));
        }
        if let Some(endpoint) = &self.endpoint {
            let rest = endpoint
                .strip_prefix("http://")
                .or_else(|| endpoint.strip_prefix("https://"));
            if rest.is_none_or(|rest| rest.is_empty() || rest.contains(['@', ' '])) {
                let text = "an http or https address expected, such as http://localhost:9000, without \
                            name and password";
                wrong.push(("endpoint", text.to_owned()));
            }
        }
        if self
            .profile
            .as_deref()
            .is_some_and(|text| text.trim().is_empty())
        {
            wrong.push(("profile", "it is empty".to_owned()));
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_told() {
        let options: AwsOptions = serde_json::from_str(
            r#"{"region": "eu central", "endpoint": "me:pw@host", "profile": " "}"#,
        )
        .unwrap();
        let wrong: Vec<_> = options
            .check()
            .into_iter()
            .map(|(option, _)| option)
            .collect();
        assert_eq!(wrong, ["region", "endpoint", "profile"]);
        let right = r#"{"region": "eu-central-1", "endpoint": "http://127.0.0.1:9000"}"#;
        let options: AwsOptions = serde_json::from_str(right).unwrap();
        assert_eq!(options.check(), []);
        assert!(serde_json::from_str::<AwsOptions>(r#"{"keys": {"id": "a"}}"#).is_err());
    }

    #[test]
    fn secrets_are_not_printed() {
        let keys = Keys {
            id: "AKIA".to_owned(),
            secret: "hidden".to_owned(),
        };
        let options = AwsOptions {
            keys: Some(keys),
            ..AwsOptions::default()
        };
        let told = format!("{options:?} {}", serde_json::to_string(&options).unwrap());
        assert!(!told.contains("hidden") && !told.contains("AKIA"), "{told}");
    }
}
