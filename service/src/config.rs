//! The configuration file of the service: TLS, tokens, limits, the audit log and what events may reach. It is
//! read and checked as a whole before anything begins; what is wrong is told with its place, and secrets are named there,
//! never written.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use matchcut_dataflow::spec::{Diagnostic, Diagnostics, Severity, Snippet};
use matchcut_ingest::TextDuration;
use matchcut_ingest::reach::{Reach, USUAL};
use serde::Deserialize;
use toml::Spanned;

use crate::auth::{Bearer, Oidc, Role, RoleMap};
use crate::mre::MreOptions;
use crate::retention;
use crate::secrets::KeySource;

/// The least length of a secret that signs tokens, in bytes.
const SHORTEST_SECRET: usize = 32;

/// How far the clock of who made a token may be off, in seconds, when nothing else is said.
const LEEWAY: u64 = 30;

/// What the file says, checked.
#[derive(Default)]
pub struct Config {
    /// Where the certificate and its key are.
    pub tls: Option<TlsFiles>,
    /// Who checks tokens that are signed with a shared secret.
    pub(crate) jwt: Option<Bearer>,
    /// Who checks tokens of an issuer.
    pub(crate) oidc: Option<Oidc>,
    /// How often may be asked.
    pub(crate) limits: LimitOptions,
    /// How the audit log is kept.
    pub(crate) audit: AuditOptions,
    /// What events of roles below admin may reach.
    pub(crate) sources: Sources,
    /// How events of MRE get their video.
    pub(crate) mre: MreOptions,
    /// Under what secrets are sealed, where that is said.
    secrets_key: Option<String>,
    /// How engines of custom priorities are asked.
    pub(crate) priorities: PriorityOptions,
    /// For how many seconds events are kept when they are over, where nothing else is said; nothing for ever.
    pub(crate) retention: Option<i64>,
}

/// The files of `[tls]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, with those that vouch for it behind it, in PEM.
    pub certificate: PathBuf,
    /// Its key, in PEM.
    pub key: PathBuf,
}

/// What events may reach that somebody below admin asks for.
#[derive(Clone)]
pub(crate) struct Sources {
    /// Addresses.
    pub reach: Reach,
    /// Variables of the environment that options may name.
    pub environment: Vec<String>,
}

impl Default for Sources {
    fn default() -> Sources {
        Sources {
            reach: Reach::usual(),
            environment: Vec::new(),
        }
    }
}

/// `[limits]`
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LimitOptions {
    /// Requests a second of one key or subject; 0 is any number.
    pub requests_per_second: u32,
    /// Requests a second of one address that presents no credentials; 0 is any number.
    pub anonymous_per_second: u32,
    /// Failed authentications a minute of one address; 0 is any number.
    pub failures_per_minute: u32,
}

impl Default for LimitOptions {
    fn default() -> LimitOptions {
        LimitOptions {
            requests_per_second: 0,
            anonymous_per_second: 100,
            failures_per_minute: 60,
        }
    }
}

/// `[audit]`
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AuditOptions {
    /// Bytes after which a file is put aside.
    pub max_bytes: u64,
    /// How many files that were put aside are kept.
    pub keep: u32,
}

impl Default for AuditOptions {
    fn default() -> AuditOptions {
        AuditOptions {
            max_bytes: 64 << 20,
            keep: 10,
        }
    }
}

/// `[priorities]`
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PriorityOptions {
    /// How long an engine may take to answer.
    pub timeout: TextDuration,
}

impl Default for PriorityOptions {
    fn default() -> Self {
        PriorityOptions {
            timeout: TextDuration::seconds(10),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    tls: Option<RawTls>,
    jwt: Option<RawJwt>,
    oidc: Option<RawOidc>,
    #[serde(default)]
    limits: LimitOptions,
    #[serde(default)]
    audit: AuditOptions,
    sources: Option<RawSources>,
    #[serde(default)]
    mre: MreOptions,
    secrets: Option<RawSecrets>,
    #[serde(default)]
    priorities: PriorityOptions,
    retention: Option<RawRetention>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTls {
    certificate: PathBuf,
    key: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawJwt {
    secret: Spanned<String>,
    issuer: String,
    audience: Option<String>,
    #[serde(default = "role")]
    role_claim: String,
    #[serde(default)]
    roles: BTreeMap<String, Spanned<String>>,
    default_role: Option<Spanned<String>>,
    #[serde(default = "leeway")]
    leeway: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOidc {
    issuer: Spanned<String>,
    audience: String,
    #[serde(default = "groups")]
    role_claim: String,
    #[serde(default)]
    roles: BTreeMap<String, Spanned<String>>,
    default_role: Option<Spanned<String>>,
    #[serde(default = "leeway")]
    leeway: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSources {
    allow: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    environment: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSecrets {
    key: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRetention {
    events: Spanned<String>,
}

fn role() -> String {
    "role".to_owned()
}

fn groups() -> String {
    "groups".to_owned()
}

fn leeway() -> u64 {
    LEEWAY
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What is wrong, by its place.
    #[error("{0}")]
    Wrong(Diagnostics),
}

impl Config {
    /// Reads a file. Paths in it are relative to it.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let base = path.parent().unwrap_or(Path::new(""));
        let file = path.display().to_string();
        let secret = |reference: &Reference<'_>| reference.read(base);
        Config::parse(&text, &file, base, &secret).map_err(ConfigError::Wrong)
    }

    /// Where the key of the secrets of a service is, whose directory this is.
    pub(crate) fn key_source(&self, dir: &Path) -> KeySource {
        match &self.secrets_key {
            Some(text) => KeySource::Given(text.clone()),
            None => KeySource::Beside(dir.to_owned()),
        }
    }

    /// Reads a text, of the file `file` in `base`; `secret` gives what references lead to, and opens nothing else.
    pub(crate) fn parse(
        text: &str,
        file: &str,
        base: &Path,
        secret: &dyn Fn(&Reference<'_>) -> Result<String, String>,
    ) -> Result<Config, Diagnostics> {
        let raw: Raw = toml::from_str(text).map_err(|error| {
            let span = error.span().unwrap_or_default();
            let message = error.message().replace('\n', ": ");
            Diagnostics(vec![diagnostic(file, text, &span, message, None)])
        })?;
        let mut checking = Checking {
            text,
            file,
            base,
            secret,
            found: Vec::new(),
        };
        let config = checking.config(raw);
        match checking.found.is_empty() {
            true => Ok(config),
            false => Err(Diagnostics(checking.found)),
        }
    }
}

/// Where a secret is.
pub(crate) enum Reference<'a> {
    /// In a variable of the environment.
    Env(&'a str),
    /// In a file.
    File(&'a str),
}

impl Reference<'_> {
    fn parse(text: &str) -> Option<Reference<'_>> {
        let env = text.strip_prefix("env:").map(Reference::Env);
        env.or_else(|| text.strip_prefix("file:").map(Reference::File))
    }

    fn read(&self, base: &Path) -> Result<String, String> {
        match self {
            Reference::Env(name) => env::var(name)
                .ok()
                .filter(|value| !value.is_empty())
                .ok_or_else(|| format!("the environment variable {name} is not set")),
            Reference::File(path) => {
                let path = base.join(path);
                fs::read_to_string(&path)
                    .map_err(|error| format!("{} cannot be read: {error}", path.display()))
            }
        }
    }
}

/// What checking needs, and what it finds.
struct Checking<'a> {
    text: &'a str,
    file: &'a str,
    base: &'a Path,
    secret: &'a dyn Fn(&Reference<'_>) -> Result<String, String>,
    found: Vec<Diagnostic>,
}

impl Checking<'_> {
    fn wrong(&mut self, span: &Range<usize>, message: impl Into<String>, hint: Option<&str>) {
        let hint = hint.map(str::to_owned);
        let found = diagnostic(self.file, self.text, span, message.into(), hint);
        self.found.push(found);
    }

    fn config(&mut self, raw: Raw) -> Config {
        let tls = raw.tls.map(|tls| TlsFiles {
            certificate: self.base.join(tls.certificate),
            key: self.base.join(tls.key),
        });
        let jwt = raw.jwt.and_then(|jwt| self.jwt(jwt));
        let oidc = raw.oidc.and_then(|oidc| self.oidc(oidc));
        let sources = raw.sources.map(|sources| self.sources(sources));
        let secrets_key = raw.secrets.and_then(|secrets| self.secret(&secrets.key));
        let retention = raw.retention.and_then(|raw| {
            let parsed = retention::parse(raw.events.get_ref());
            parsed.unwrap_or_else(|message| {
                self.wrong(&raw.events.span(), message, None);
                None
            })
        });
        Config {
            tls,
            jwt,
            oidc,
            limits: raw.limits,
            audit: raw.audit,
            mre: raw.mre,
            sources: sources.unwrap_or_default(),
            secrets_key,
            priorities: raw.priorities,
            retention,
        }
    }

    fn jwt(&mut self, raw: RawJwt) -> Option<Bearer> {
        let roles = self.roles(&raw.role_claim, &raw.roles, raw.default_role.as_ref());
        let secret = self.secret(&raw.secret)?;
        Some(Bearer::shared(
            secret.as_bytes(),
            &raw.issuer,
            raw.audience.as_deref(),
            raw.leeway,
            roles,
        ))
    }

    fn oidc(&mut self, raw: RawOidc) -> Option<Oidc> {
        let roles = self.roles(&raw.role_claim, &raw.roles, raw.default_role.as_ref());
        match Oidc::new(raw.issuer.get_ref(), &raw.audience, raw.leeway, roles) {
            Ok(oidc) => Some(oidc),
            Err(message) => {
                self.wrong(&raw.issuer.span(), message, None);
                None
            }
        }
    }

    fn roles(
        &mut self,
        claim: &str,
        given: &BTreeMap<String, Spanned<String>>,
        usual: Option<&Spanned<String>>,
    ) -> RoleMap {
        let mut role = |text: &Spanned<String>| match text.get_ref().parse::<Role>() {
            Ok(role) => Some(role),
            Err(message) => {
                self.wrong(&text.span(), message, None);
                None
            }
        };
        let named = given
            .iter()
            .filter_map(|(name, text)| Some((name.clone(), role(text)?)));
        let named = named.collect();
        RoleMap::new(claim, named, usual.and_then(role))
    }

    /// What a reference to a secret leads to. The secret itself is never in a message.
    fn secret(&mut self, reference: &Spanned<String>) -> Option<String> {
        let span = reference.span();
        let text = reference.get_ref();
        let Some(reference) = Reference::parse(text) else {
            let hint = "write env:NAME or file:PATH";
            self.wrong(&span, "a secret is named, not written", Some(hint));
            return None;
        };
        match (self.secret)(&reference) {
            Ok(secret) => {
                let secret = secret.trim_end_matches(['\n', '\r']).to_owned();
                if secret.len() < SHORTEST_SECRET {
                    let message = format!(
                        "the secret has {} bytes; at least {SHORTEST_SECRET} are needed",
                        secret.len()
                    );
                    self.wrong(&span, message, None);
                    return None;
                }
                Some(secret)
            }
            Err(message) => {
                self.wrong(&span, message, None);
                None
            }
        }
    }

    fn sources(&mut self, raw: RawSources) -> Sources {
        let mut reach = Reach::nothing(self.base);
        match raw.allow {
            Some(rules) => {
                for rule in rules {
                    if let Err(message) = reach.allow(rule.get_ref()) {
                        let usual = USUAL.join("\", \"");
                        let hint = format!("when nothing is said it is [\"{usual}\"]");
                        self.wrong(&rule.span(), message, Some(&hint));
                    }
                }
            }
            None => reach = Reach::usual(),
        }
        Sources {
            reach,
            environment: raw.environment,
        }
    }
}

/// A finding at its place.
fn diagnostic(
    file: &str,
    text: &str,
    span: &Range<usize>,
    message: String,
    hint: Option<String>,
) -> Diagnostic {
    let floor = |at: usize| {
        let at = at.min(text.len());
        (0..=at).rev().find(|at| text.is_char_boundary(*at))
    };
    let start = floor(span.start).unwrap_or_default();
    let end = floor(span.end).unwrap_or_default().max(start);
    let before = text.get(..start).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let rest = text.get(line_start..).unwrap_or_default();
    let line = rest.split('\n').next().unwrap_or_default();
    let line = line.strip_suffix('\r').unwrap_or(line);
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    let meant = text.get(start..end).unwrap_or_default().chars().count();
    let left = line.chars().count().saturating_sub(column - 1);
    Diagnostic {
        file: file.to_owned(),
        line: before.matches('\n').count() + 1,
        column,
        span: (start, end),
        severity: Severity::Error,
        message,
        hint,
        snippet: Snippet {
            text: without_secret(line),
            underline: meant.min(left).max(1),
        },
    }
}

/// A line as it may be shown: somebody who writes a secret where a reference belongs is not to read it in a log.
fn without_secret(line: &str) -> String {
    let key = line.trim_start().starts_with("key").then_some(0);
    match line.find("secret").or(key).and_then(|at| {
        let equals = line.get(at..)?.find('=')?;
        line.get(..at + equals + 1)
    }) {
        Some(kept) => {
            let hidden = line.chars().count() - kept.chars().count();
            format!("{kept}{}", "…".repeat(hidden.min(8)))
        }
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        let base = Path::new("/etc/matchcut");
        let secret = |reference: &Reference<'_>| match reference {
            Reference::Env("SECRET") => Ok("x".repeat(64)),
            other => other.read(base),
        };
        let parsed = Config::parse(text, "serve.toml", base, &secret);
        parsed.map_err(|found| found.to_string())
    }

    #[test]
    fn a_file_says_everything_or_nothing() {
        let empty = parse("").unwrap_or_default();
        assert!(empty.tls.is_none() && empty.jwt.is_none() && empty.oidc.is_none());
        assert_eq!(empty.limits, LimitOptions::default());
        let full = parse(
            "[tls]\ncertificate = \"server.pem\"\nkey = \"/run/key.pem\"\n\
             [jwt]\nsecret = \"env:SECRET\"\nissuer = \"mre\"\ndefault_role = \"viewer\"\n\
             [oidc]\nissuer = \"https://id.example.com/realm\"\naudience = \"matchcut\"\n\
             roles = { editors = \"editor\" }\n\
             [limits]\nrequests_per_second = 5\n[audit]\nkeep = 2\n\
             [sources]\nallow = [\"https://*.example.com\", \"10.0.0.0/8\", \"file:/media\"]\n",
        );
        let full = full.map_err(|found| panic!("{found}")).unwrap_or_default();
        let tls = full.tls.unwrap();
        assert_eq!(tls.certificate, Path::new("/etc/matchcut/server.pem"));
        assert_eq!(tls.key, Path::new("/run/key.pem"));
        assert!(full.jwt.is_some() && full.oidc.is_some());
        assert_eq!(full.limits.requests_per_second, 5);
        assert_eq!((full.audit.keep, full.audit.max_bytes), (2, 64 << 20));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, told) in [
            (
                "[limits]\nrequests = 5\n",
                "serve.toml:2:1: error: unknown field `requests`",
            ),
            ("[tls]\nkey = 5\n", "serve.toml:2:7: error: invalid type"),
            (
                "[jwt]\nissuer = \"a\"\nsecret = \"env:NONE\"\n",
                "serve.toml:3:10: error: the environment variable NONE is not set",
            ),
            (
                "[jwt]\nissuer = \"a\"\nsecret = \"env:SECRET\"\nroles = { a = \"owner\" }\n",
                "serve.toml:4:15: error: no role owner",
            ),
            (
                "[oidc]\nissuer = \"http://id.example.com\"\naudience = \"a\"\n",
                "serve.toml:2:10: error: an issuer is an https address",
            ),
            (
                "[sources]\nallow = [\"public\", \"10.0.0.0/40\"]\n",
                "serve.toml:2:20: error: ",
            ),
        ] {
            let found = parse(text).err().unwrap_or_default();
            assert!(found.starts_with(told), "{found}");
        }
    }

    #[test]
    fn a_secret_that_is_written_out_is_not_told() {
        for text in [
            "[jwt]\nissuer = \"a\"\nsecret = \"hunter2hunter2\"\n",
            "jwt = { issuer = \"a\", secret = \"hunter2hunter2\" }\n",
            "[jwt]\nsecret = \"hunter2hunter2\n",
        ] {
            let found = parse(text).err().unwrap_or_default();
            assert!(found.contains("error: "), "{found}");
            assert!(!found.contains("hunter2"), "{found}");
        }
    }
}
