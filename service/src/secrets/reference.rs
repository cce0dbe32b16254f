//! How a secret is named: by the name under which it is kept, by the ARN that it has at AWS, or by the variable of the
//! environment or the file that holds it.

use std::env;
use std::fs;
use std::path::PathBuf;

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// Kept by the service, under the first of these names that there is.
    Kept(Vec<String>),
    /// In a variable of the environment.
    Env(String),
    /// In a file.
    File(PathBuf),
}

/// What Secrets Manager puts between the account and the name.
const IN_ARN: &str = ":secret:";

/// How many letters it puts behind the name, behind a dash.
const SUFFIX: usize = 6;

impl Reference {
    /// `secret:NAME`, `env:NAME`, `file:/PATH`, an ARN, or the name itself.
    pub fn parse(text: &str) -> Result<Reference, String> {
        if let Some(name) = text.strip_prefix("env:") {
            return Ok(Reference::Env(name.to_owned()));
        }
        if let Some(path) = text.strip_prefix("file:") {
            let path = PathBuf::from(path);
            return match path.is_absolute() {
                true => Ok(Reference::File(path)),
                false => Err(format!("{text} is not a whole path: write file:/PATH")),
            };
        }
        let name = text.strip_prefix("secret:").unwrap_or(text);
        let of_arn = name
            .strip_prefix("arn:")
            .and_then(|arn| arn.split_once(IN_ARN));
        let Some((_, name)) = of_arn else {
            return Ok(Reference::Kept(vec![name.to_owned()]));
        };
        let suffixed = |rest: &str| {
            rest.len() == SUFFIX && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        let plain = name.rsplit_once('-').filter(|(_, rest)| suffixed(rest));
        let names = std::iter::once(name).chain(plain.map(|(plain, _)| plain));
        Ok(Reference::Kept(names.map(str::to_owned).collect()))
    }

    /// What lies elsewhere.
    pub(super) fn read(&self) -> Result<String, String> {
        match self {
            Reference::Kept(_) => Err("a secret that is kept is opened with its key".to_owned()),
            Reference::Env(name) => env::var(name)
                .ok()
                .filter(|value| !value.is_empty())
                .ok_or_else(|| format!("the environment variable {name} is not set")),
            Reference::File(path) => fs::read_to_string(path)
                .map_err(|error| format!("{} cannot be read: {error}", path.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_named_in_four_ways() {
        let kept = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned());
            Ok(Reference::Kept(names.collect()))
        };
        assert_eq!(Reference::parse("stats/key"), kept(&["stats/key"]));
        assert_eq!(Reference::parse("secret:stats"), kept(&["stats"]));
        let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:stats-key-a1B2c3";
        assert_eq!(
            Reference::parse(arn),
            kept(&["stats-key-a1B2c3", "stats-key"])
        );
        assert_eq!(
            Reference::parse("env:KEY"),
            Ok(Reference::Env("KEY".to_owned()))
        );
        assert_eq!(
            Reference::parse("file:/run/key"),
            Ok(Reference::File("/run/key".into()))
        );
        assert!(Reference::parse("file:key").is_err());
    }
}
