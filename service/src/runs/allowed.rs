//! Whether the spec of somebody below admin reaches only what the service allows: addresses, machines, files, variables of the
//! environment. It is looked at as text, before anything of it is opened, looked up or loaded.

use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};

use matchcut_dataflow::spec::Catalog;
use matchcut_ingest::reach::Denied;
use toml::{Table, Value};
use url::Url;

use crate::config::Sources;
use crate::store::asked_by::What;

/// The parts of a spec whose entries have types and options.
const PARTS: [&str; 4] = ["sources", "operators", "sinks", "feeds"];

/// Options that only an admin sets, whatever they say: settings of libraries, and libraries.
const NEVER: [&str; 3] = ["properties", "library", "profile"];

/// Brokers where a spec names none.
const USUAL_BROKER: &str = "localhost:9092";

/// Why a spec is not run for who asks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// An address or a file.
    #[error("{owner}: {denied}")]
    Denied {
        /// Of what.
        owner: String,
        /// What.
        denied: Denied,
    },
    /// A variable of the environment.
    #[error(
        "{owner}: the environment variable {name} may not be used: the service does not allow it"
    )]
    Variable {
        /// Of what.
        owner: String,
        /// Its name.
        name: String,
    },
    /// An option of admins.
    #[error("{owner}: \"{option}\" may be set by the role admin alone")]
    Option {
        /// Of what.
        owner: String,
        /// Its name.
        option: String,
    },
    /// What cannot be an address.
    #[error("{owner}: \"{text}\" is no address")]
    NoAddress {
        /// Of what.
        owner: String,
        /// What is said.
        text: String,
    },
}

/// Looks at a spec for an event whose directory is `dir`. What is no spec at all is found elsewhere.
pub fn check(text: &str, dir: &Path, sources: &Sources, what: What) -> Result<(), NotAllowed> {
    let Ok(spec) = text.parse::<Table>() else {
        return Ok(());
    };
    let looking = Looking {
        dir,
        sources,
        catalog: Catalog::built_in(),
    };
    let parts: &[&str] = match what {
        What::Spec => &PARTS,
        What::Source => &["sources"],
    };
    for part in parts {
        let entries = spec.get(*part).and_then(Value::as_table);
        for (name, entry) in entries.into_iter().flatten() {
            if let Some(entry) = entry.as_table() {
                looking.entry(part, name, entry)?;
            }
        }
    }
    if what == What::Source {
        return Ok(());
    }
    let replays = spec.get("replays").and_then(Value::as_table);
    for (name, replay) in replays.into_iter().flatten() {
        // What is shown between clips.
        let transition = replay.get("render").and_then(|it| it.get("transition"));
        let path = transition.and_then(|it| it.get("path")?.as_str());
        if let Some(path) = path.filter(|path| !path.is_empty()) {
            let owner = format!("replays.{name}.render.transition.path");
            looking.text(&owner, "path", path, true)?;
        }
    }
    Ok(())
}

/// Looks at where the source of an event is.
pub fn source(address: &str, sources: &Sources) -> Result<(), NotAllowed> {
    let looking = Looking {
        // Whatever is not said in full is nowhere.
        dir: Path::new("/nowhere"),
        sources,
        catalog: Catalog::built_in(),
    };
    looking.text("SourceVideoUrl", "uri", address, true)
}

struct Looking<'a> {
    dir: &'a Path,
    sources: &'a Sources,
    catalog: Catalog,
}

impl Looking<'_> {
    fn entry(&self, part: &str, name: &str, entry: &Table) -> Result<(), NotAllowed> {
        let owner = format!("{part}.{name}");
        let kind = entry
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let paths = self.paths(part, kind);
        for (option, value) in entry {
            let place = format!("{owner}.{option}");
            if NEVER.contains(&option.as_str()) {
                let option = option.clone();
                return Err(NotAllowed::Option { owner, option });
            }
            let is_path = paths.contains(option) || option == "uri" || option.ends_with("_file");
            for text in texts(value) {
                self.text(&place, option, text, is_path)?;
            }
        }
        // What a part does where nothing is said is asked for as well.
        if kind == "kafka" && !entry.contains_key("brokers") {
            self.broker(&owner, USUAL_BROKER)?;
        }
        Ok(())
    }

    fn text(&self, owner: &str, option: &str, text: &str, path: bool) -> Result<(), NotAllowed> {
        if option.ends_with("_env") {
            return match self.sources.environment.iter().any(|known| known == text) {
                true => Ok(()),
                false => Err(NotAllowed::Variable {
                    owner: owner.to_owned(),
                    name: text.to_owned(),
                }),
            };
        }
        if option == "brokers" {
            return self.broker(owner, text);
        }
        let denied = |denied| NotAllowed::Denied {
            owner: owner.to_owned(),
            denied,
        };
        let address = option == "url" || option.ends_with("endpoint");
        if address || text.contains("://") {
            // Prose may hold addresses; what reads as one is taken as one.
            return match Url::parse(text.trim()) {
                Ok(url) => self.sources.reach.look_up(&url).map_err(denied),
                Err(_) if address || path => Err(NotAllowed::NoAddress {
                    owner: owner.to_owned(),
                    text: text.to_owned(),
                }),
                Err(_) => Ok(()),
            };
        }
        if path {
            let path = absolute(&self.dir.join(text.trim()));
            if path.starts_with(self.dir) {
                return Ok(());
            }
            return self.sources.reach.file(&path).map_err(denied);
        }
        Ok(())
    }

    fn broker(&self, owner: &str, broker: &str) -> Result<(), NotAllowed> {
        let broker = broker.rsplit_once("://").map_or(broker, |(_, rest)| rest);
        let (host, port) = match broker.parse::<IpAddr>() {
            Ok(_) => (broker, ""),
            Err(_) => broker.rsplit_once(':').unwrap_or((broker, "")),
        };
        let host = host.trim_matches(['[', ']']);
        let port = port.parse().unwrap_or(9092);
        let reached = self.sources.reach.machine(host, port);
        reached.map_err(|denied| NotAllowed::Denied {
            owner: owner.to_owned(),
            denied,
        })
    }

    /// The options of a type that are paths.
    fn paths(&self, part: &str, kind: &str) -> Vec<String> {
        let options = match part {
            "sources" => self.catalog.source(kind).map(|kind| kind.options.clone()),
            "sinks" => self.catalog.sink(kind).map(|kind| kind.options.clone()),
            "feeds" => self.catalog.feed(kind).map(|kind| kind.options.clone()),
            _ => {
                let found = self.catalog.operator(kind);
                found.map(|(_, described)| described.options)
            }
        };
        let is_path =
            |schema: &serde_json::Value| schema.to_string().contains("\"format\":\"path\"");
        let options = options.into_iter().flatten();
        let paths = options.filter(|option| is_path(&option.schema));
        paths.map(|option| option.name.to_string()).collect()
    }
}

/// A path without detours, whatever is there.
fn absolute(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            part => out.push(part),
        }
    }
    out
}

/// All texts in a value.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(list) => list.iter().flat_map(texts).collect(),
        Value::Table(table) => table.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use matchcut_ingest::reach::Reach;

    use super::*;

    fn told(spec: &str, sources: &Sources) -> String {
        let checked = check(spec, Path::new("/data/events/a"), sources, What::Spec);
        checked
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn who_is_no_admin_reaches_what_is_allowed() {
        let mut reach = Reach::usual();
        reach.allow("file:/media").unwrap();
        let sources = Sources {
            reach,
            environment: vec!["MODEL_KEY".to_owned()],
        };
        for good in [
            "[sources.a]\ntype = \"hls\"\nuri = \"http://8.8.8.8/a.m3u8\"",
            "[sources.a]\ntype = \"directory\"\nuri = \"/media/court\"",
            "[sources.a]\ntype = \"file\"\nuri = \"own.mp4\"",
            "[sinks.a]\ntype = \"file\"\ndir = \"out\"",
            "[operators.a]\ntype = \"segment_by_prompt\"\nurl = \"http://8.8.8.8\"\napi_key_env = \"MODEL_KEY\"",
            "[operators.a]\ntype = \"segment_by_prompt\"\nprompt = \"see http://x y, ../a and /etc/passwd\"",
            "[feeds.a]\ntype = \"kafka\"\nbrokers = [\"8.8.8.8:9092\"]",
            "no spec",
        ] {
            assert_eq!(told(good, &sources), "", "{good}");
        }
        for (bad, expected) in [
            (
                "[sources.a]\ntype = \"hls\"\nuri = \"http://169.254.169.254/a\"",
                "sources.a.uri: http://169.254.169.254/a may not be reached",
            ),
            (
                "[sources.a]\ntype = \"hls\"\nuri = \"file:///etc/passwd\"",
                "sources.a.uri: file:///etc/passwd may not",
            ),
            (
                "[sources.a]\ntype = \"file\"\nuri = \"/etc/passwd\"",
                "sources.a.uri: /etc/passwd may not",
            ),
            (
                "[sources.a]\ntype = \"file\"\nuri = \"../b/clip.mp4\"",
                "sources.a.uri: /data/events/b/clip.mp4 may not",
            ),
            (
                "sources = { a = { type = \"s3\", uri = \"s3://a/b/\", endpoint = \"http://localhost:9000\" } }",
                "sources.a.endpoint: localhost may not",
            ),
            (
                "[operators.a]\ntype = \"lambda\"\nendpoint = \"127.0.0.1:1\"",
                "sources",
            ),
            (
                "[operators.a]\ntype = \"x\"\nurl = \"http://8.8.8.8\"\napi_key_env = \"MATCHCUT_ADMIN_SECRET_ACCESS_KEY\"",
                "operators.a.api_key_env: the environment variable MATCHCUT_ADMIN_SECRET_ACCESS_KEY may not",
            ),
            (
                "[operators.a]\ntype = \"onnx\"\nlibrary = \"x.so\"",
                "operators.a: \"library\" may be set by the role admin alone",
            ),
            (
                "[replays.a]\nrender = { transition = { type = \"image\", path = \"/etc/logo.png\" } }",
                "replays.a.render.transition.path: /etc/logo.png may not",
            ),
            ("[sinks.a]\ntype = \"kafka\"", "sinks.a: localhost may not"),
            (
                "[sinks.a]\ntype = \"kafka\"\nbrokers = [\"8.8.8.8:1\", \"[::1]:9092\"]",
                "sinks.a.brokers: ::1 may not",
            ),
            (
                "[feeds.a]\ntype = \"kafka\"\nbrokers = [\"8.8.8.8\"]\npassword_file = \"/run/secret\"",
                "feeds.a.password_file: /run/secret may not",
            ),
            (
                "[sinks.a]\ntype = \"kafka\"\nbrokers = [\"8.8.8.8\"]\nproperties = { \"plugin.library.paths\" = \"x\" }",
                "\"properties\" may be set by the role admin alone",
            ),
        ] {
            let found = told(bad, &sources);
            let expected = match expected {
                "sources" => "operators.a.endpoint: ",
                expected => expected,
            };
            assert!(found.contains(expected), "{bad}\n{found}");
        }
    }

    #[test]
    fn only_the_source_may_be_of_somebody_else() {
        let spec =
            "[sources.a]\nuri = \"http://8.8.8.8/\"\n[operators.b]\nurl = \"http://127.0.0.1\"";
        let of = |what| check(spec, Path::new("/d"), &Sources::default(), what).is_ok();
        assert!(of(What::Source) && !of(What::Spec));
    }
}
