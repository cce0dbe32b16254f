//! What may be reached in somebody's name: addresses by rules, and machines by the addresses that their names resolve to at the moment of
//! connecting. Whoever runs the program reaches everything; a service holds those who ask it to what its list says.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::uri;

/// The rules where nothing else is said: machines of the public internet, and what credentials of AWS give.
pub const USUAL: [&str; 3] = ["public", "s3://*", "kvs://*"];

/// What may be reached.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reach {
    /// Everything, where there are none.
    rules: Option<Arc<Rules>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Rules {
    /// Machines with addresses of the public internet.
    public: bool,
    networks: Vec<IpNet>,
    addresses: Vec<Address>,
    files: Vec<PathBuf>,
    /// Beginnings of what stands behind `s3://` and `kvs://`, each with the scheme.
    names: Vec<(&'static str, Prefix)>,
    /// What relative paths of rules are relative to.
    base: PathBuf,
}

/// `https://*.example.com:8443/media/`
#[derive(Clone, Debug, PartialEq)]
struct Address {
    scheme: &'static str,
    host: HostRule,
    /// The one of the scheme, where none is said.
    port: Option<u16>,
    path: String,
}

#[derive(Clone, Debug, PartialEq)]
enum HostRule {
    Any,
    /// What ends in this, which begins with a dot.
    Under(String),
    /// This one, as it stands in an address.
    Is(String),
}

/// A beginning, or a whole.
#[derive(Clone, Debug, PartialEq)]
struct Prefix {
    text: String,
    more: bool,
}

/// What may not be reached. Where a name leads to is not told: it is of a network that who asks may not see.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} may not be reached: it is not among the addresses that this service allows")]
pub struct Denied {
    /// What was asked for.
    pub what: String,
}

impl Reach {
    /// Everything.
    pub fn everything() -> Reach {
        Reach::default()
    }

    /// Nothing yet; paths of rules are relative to `base`.
    pub fn nothing(base: &Path) -> Reach {
        Reach {
            rules: Some(Arc::new(Rules {
                base: base.to_owned(),
                ..Rules::default()
            })),
        }
    }

    /// What is allowed where nothing else is said.
    pub fn usual() -> Reach {
        let mut reach = Reach::nothing(Path::new(""));
        for rule in USUAL {
            // Rules that are written here are right.
            let _ = reach.allow(rule);
        }
        reach
    }

    /// Whether everything may be reached.
    pub fn is_everything(&self) -> bool {
        self.rules.is_none()
    }

    /// Allows what a rule says: `public`, a network (`10.0.0.0/8`), an address (`https://*.example.com/media/`), `file:/media`,
    /// `s3://bucket/prefix*` or `kvs://name*`. An error says what is wrong with it.
    pub fn allow(&mut self, rule: &str) -> Result<(), String> {
        let Some(rules) = &mut self.rules else {
            return Ok(());
        };
        let rules = Arc::make_mut(rules);
        if rule == "public" {
            rules.public = true;
        } else if let Some(path) = rule.strip_prefix("file:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            let path = std::path::absolute(rules.base.join(path));
            let path = path.map_err(|error| format!("not a path: {error}"))?;
            if path.components().any(|part| part == Component::ParentDir) {
                return Err("a path without \"..\" expected".to_owned());
            }
            rules.files.push(path);
        } else if let Some((scheme, rest)) = rule.split_once("://") {
            match scheme {
                "http" => rules.addresses.push(Address::parse("http", rest)?),
                "https" => rules.addresses.push(Address::parse("https", rest)?),
                "s3" => rules.names.push(("s3", Prefix::new(rest)?)),
                "kvs" => rules.names.push(("kvs", Prefix::new(rest)?)),
                other => return Err(format!("no rule has the scheme \"{other}\"")),
            }
        } else if let Ok(address) = rule.parse::<IpAddr>() {
            rules.networks.push(address.into());
        } else {
            let network = rule.parse::<IpNet>();
            rules.networks.push(network.map_err(|_| {
                format!(
                    "\"{rule}\" is no rule: write public, a network such as 10.0.0.0/8, an address such as \
                     https://*.example.com, file:/directory, s3://bucket/prefix* or kvs://name"
                )
            })?);
        }
        Ok(())
    }

    /// The same, and files in a directory.
    pub fn and_files(&self, dir: &Path) -> Reach {
        let mut reach = self.clone();
        if let Some(rules) = &mut reach.rules {
            Arc::make_mut(rules).files.push(dir.to_owned());
        }
        reach
    }

    /// Whether an address may be reached as far as it says itself; a name is looked up by [`Reach::look_up`], and again when it is
    /// connected to.
    pub fn check(&self, url: &Url) -> Result<(), Denied> {
        let Some(rules) = &self.rules else {
            return Ok(());
        };
        let allowed = match url.scheme() {
            "http" | "https" => rules.http(url),
            "file" => uri::to_path(url).is_some_and(|path| rules.file(&path)),
            // Of this program alone; what they stand for is checked when it is fetched.
            "medialive" => true,
            scheme => rules.named(scheme, url.as_str()),
        };
        allowed.then_some(()).ok_or_else(|| denied(url))
    }

    /// Whether an address of a spec may be reached: as [`Reach::check`] says, and its name leads to nowhere else now. Waits for
    /// the resolver. A name that leads nowhere is denied: it may lead somewhere later.
    pub fn look_up(&self, url: &Url) -> Result<(), Denied> {
        self.check(url)?;
        match (url.scheme(), url.host()) {
            ("http" | "https", Some(Host::Domain(name))) => {
                let port = url.port_or_known_default().unwrap_or_default();
                self.machine(name, port)
            }
            _ => Ok(()),
        }
    }

    /// Whether the machine of a name or an address may be reached by whatever protocol.
    pub fn machine(&self, name: &str, port: u16) -> Result<(), Denied> {
        let Some(rules) = &self.rules else {
            return Ok(());
        };
        if rules.names_host(name) {
            return Ok(());
        }
        let all: Vec<SocketAddr> = (name, port)
            .to_socket_addrs()
            .map(Iterator::collect)
            .unwrap_or_default();
        let good = !all.is_empty() && all.iter().all(|address| rules.address(address.ip()));
        good.then_some(()).ok_or_else(|| Denied {
            what: name.to_owned(),
        })
    }

    /// Whether a file or directory of this machine may be read.
    pub fn file(&self, path: &Path) -> Result<(), Denied> {
        let Some(rules) = &self.rules else {
            return Ok(());
        };
        rules.file(path).then_some(()).ok_or_else(|| Denied {
            what: path.display().to_string(),
        })
    }

    /// A client that reaches nothing else: not by redirects, nor by names that lead elsewhere.
    pub(crate) fn keep(&self, client: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        if self.is_everything() {
            return client;
        }
        let reach = self.clone();
        let policy =
            reqwest::redirect::Policy::custom(move |attempt| match reach.check(attempt.url()) {
                Err(denied) => attempt.error(denied),
                Ok(()) if attempt.previous().len() > 10 => attempt.error("too many redirects"),
                Ok(()) => attempt.follow(),
            });
        client.redirect(policy).dns_resolver(Looking(self.clone()))
    }
}

fn denied(url: &Url) -> Denied {
    let mut shown = url.clone();
    // What stands there may be somebody's secret.
    let _ = shown.set_password(None);
    shown.set_query(None);
    Denied {
        what: shown.to_string(),
    }
}

impl Rules {
    fn http(&self, url: &Url) -> bool {
        let Some(host) = url.host() else {
            return false;
        };
        if self.addresses.iter().any(|rule| rule.matches(url)) {
            return true;
        }
        match host {
            Host::Ipv4(address) => self.address(IpAddr::V4(address)),
            Host::Ipv6(address) => self.address(IpAddr::V6(address)),
            // Of a machine that rules name, that counts which they say.
            Host::Domain(name) => {
                !self.names_host(name) && (self.public || !self.networks.is_empty())
            }
        }
    }

    /// Whether a rule names this host itself.
    fn names_host(&self, name: &str) -> bool {
        self.addresses.iter().any(|rule| rule.host.matches(name))
    }

    fn address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let listed = self
            .networks
            .iter()
            .any(|network| network.contains(&address));
        listed || self.public && is_public(address)
    }

    fn file(&self, path: &Path) -> bool {
        let plain =
            path.is_absolute() && !path.components().any(|part| part == Component::ParentDir);
        // Where links lead counts; what is not there leads nowhere.
        let real = path.canonicalize();
        plain
            && self.files.iter().any(|dir| {
                let within = |path: &Path, dir: &Path| path.starts_with(dir);
                let inside = match (&real, dir.canonicalize()) {
                    (Ok(real), Ok(dir)) => within(real, &dir),
                    (Err(_), _) => true,
                    (Ok(_), Err(_)) => false,
                };
                within(path, dir) && inside
            })
    }

    fn named(&self, scheme: &str, address: &str) -> bool {
        let Some((_, rest)) = address.split_once("://") else {
            return false;
        };
        let mut rules = self.names.iter().filter(|(of, _)| *of == scheme);
        rules.any(|(_, prefix)| prefix.matches(rest))
    }
}

impl Address {
    fn parse(scheme: &'static str, rest: &str) -> Result<Address, String> {
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        // A star is no host; the rest of the rule is read as addresses are.
        let (stands, host) = match authority.strip_prefix("*.") {
            Some(rest) => (format!("x.{rest}"), Some(true)),
            None if authority == "*" || authority.starts_with("*:") => {
                (authority.replacen('*', "x", 1), Some(false))
            }
            None => (authority.to_owned(), None),
        };
        let wrong = || format!("\"{scheme}://{rest}\" is no rule for addresses");
        let url = Url::parse(&format!("{scheme}://{stands}{path}")).map_err(|_| wrong())?;
        let name = url.host_str().ok_or_else(wrong)?;
        if name.contains('*') || !url.username().is_empty() || url.query().is_some() {
            return Err(wrong());
        }
        let host = match host {
            None => HostRule::Is(name.strip_suffix('.').unwrap_or(name).to_owned()),
            Some(false) => HostRule::Any,
            Some(true) => {
                let end = name.strip_prefix('x').ok_or_else(wrong)?;
                HostRule::Under(end.strip_suffix('.').unwrap_or(end).to_owned())
            }
        };
        Ok(Address {
            scheme,
            host,
            port: url.port(),
            path: url.path().to_owned(),
        })
    }

    fn matches(&self, url: &Url) -> bool {
        let host = url.host_str().is_some_and(|host| self.host.matches(host));
        // On this machine ports are those that programs get; a rule that names none means all of them.
        let port = match self.port {
            None => {
                url.port().is_none() || matches!(&self.host, HostRule::Is(host) if is_local(host))
            }
            port => url.port() == port,
        };
        let path = match url.path().strip_prefix(&self.path) {
            Some(rest) => self.path.ends_with('/') || rest.is_empty() || rest.starts_with('/'),
            None => false,
        };
        url.scheme() == self.scheme && host && port && path
    }
}

fn is_local(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

impl HostRule {
    fn matches(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        match self {
            HostRule::Any => true,
            HostRule::Is(name) => host.eq_ignore_ascii_case(name),
            HostRule::Under(end) => {
                let start = host.len().checked_sub(end.len()).filter(|start| *start > 0);
                let tail = start.and_then(|start| host.get(start..));
                tail.is_some_and(|tail| tail.eq_ignore_ascii_case(end))
            }
        }
    }
}

impl Prefix {
    fn new(text: &str) -> Result<Prefix, String> {
        let (text, more) = match text.strip_suffix('*') {
            Some(text) => (text, true),
            None => (text, false),
        };
        match text.contains('*') || text.is_empty() && !more {
            true => Err("a star stands at the end alone".to_owned()),
            false => Ok(Prefix {
                text: text.to_owned(),
                more,
            }),
        }
    }

    fn matches(&self, text: &str) -> bool {
        match text.strip_prefix(&self.text) {
            Some(rest) => self.more || rest.is_empty() || rest.starts_with('/'),
            None => false,
        }
    }
}

/// Whether an address is one of the public internet: not of this machine, its network, a private one, or of none at all.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 168, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    );
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let global = a & 0xe000 == 0x2000;
    // Tunnels lead to whatever address of IPv4 they hold; the rest is for documents and tests.
    let special =
        a == 0x2001 && (b < 0x0200 || b == 0x0db8) || a == 0x2002 || a == 0x3fff && b < 0x1000;
    global && !special
}

/// Looks names up, and gives only addresses that may be reached: a name that leads elsewhere a moment later gains nothing.
#[derive(Debug)]
struct Looking(Reach);

impl Resolve for Looking {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0.clone();
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let good = |address: &SocketAddr| match &reach.rules {
                None => true,
                Some(rules) => rules.names_host(&name) || rules.address(address.ip()),
            };
            let all: Vec<SocketAddr> = found.filter(good).collect();
            if all.is_empty() {
                let denied: Box<dyn std::error::Error + Send + Sync> = Denied { what: name }.into();
                return Err(denied);
            }
            let all: Addrs = Box::new(all.into_iter());
            Ok(all)
        })
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rules {
            None => out.write_str("everything"),
            Some(_) => out.write_str("what the service allows"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(rules: &[&str]) -> Reach {
        let mut reach = Reach::nothing(Path::new("/etc"));
        for rule in rules {
            reach.allow(rule).unwrap();
        }
        reach
    }

    fn may(reach: &Reach, url: &str) -> bool {
        reach.check(&Url::parse(url).unwrap()).is_ok()
    }

    #[test]
    fn addresses_of_no_public_machine_are_known() {
        for address in [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "8.8.8.8",
            "100.63.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.1.0.1",
            "1.1.1.1",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn what_is_usual_is_public_and_aws() {
        let usual = Reach::usual();
        for url in [
            "https://media.example.com/a.m3u8",
            "http://8.8.8.8/",
            "s3://bucket/key",
            "kvs://court",
        ] {
            assert!(may(&usual, url), "{url}");
        }
        for url in [
            "http://127.0.0.1:9000/",
            "http://[::1]/",
            "http://169.254.169.254/latest/meta-data/",
            "http://10.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://[::ffff:127.0.0.1]/",
            "file:///etc/passwd",
            "ftp://8.8.8.8/",
        ] {
            assert!(!may(&usual, url), "{url}");
        }
        assert!(usual.machine("127.0.0.1", 9092).is_err());
        assert!(usual.machine("localhost", 9092).is_err());
        let local = Url::parse("http://localhost:80/").unwrap();
        assert_eq!(usual.check(&local), Ok(()));
        let told = usual.look_up(&local).unwrap_err().to_string();
        assert_eq!(
            told,
            "localhost may not be reached: it is not among the addresses that this service allows"
        );
        assert!(Reach::everything().look_up(&local).is_ok());
    }

    #[test]
    fn rules_name_hosts_ports_and_paths() {
        let list = reach(&[
            "https://*.example.com",
            "https://media.test:8443/live/",
            "http://localhost",
            "10.0.0.0/8",
            "192.168.1.5",
            "s3://matches/2026*",
            "kvs://court",
        ]);
        for url in [
            "https://a.example.com/x",
            "https://a.b.EXAMPLE.com/",
            "https://media.test:8443/live/a",
            "http://localhost:1234/x",
            "http://10.200.0.1:81/",
            "https://192.168.1.5/",
            "s3://matches/2026-07/a",
            "kvs://court",
            // By what it leads to.
            "https://elsewhere.test/",
        ] {
            assert!(may(&list, url), "{url}");
        }
        for url in [
            "http://a.example.com/",
            "https://a.example.com:8443/",
            "https://media.test/live/a",
            "https://media.test:8443/live",
            "https://media.test:8443/live/../admin",
            "https://media.test:8443/live/%2e%2e/admin",
            "http://11.0.0.1/",
            "s3://matches/2025",
            "s3://other/2026",
            "kvs://courtyard",
            "https://8.8.8.8/",
        ] {
            assert!(!may(&list, url), "{url}");
        }
        let only = reach(&["https://*.example.com"]);
        for url in [
            "https://example.com/",
            "https://badexample.com/",
            "https://a.example.com.evil.test/",
            "https://evil.test/https://a.example.com/",
            "https://a.example.com@evil.test/",
        ] {
            assert!(!may(&only, url), "{url}");
        }
        assert!(may(&reach(&["https://*"]), "https://anything.test/"));
    }

    #[test]
    fn rules_that_mean_nothing_are_told() {
        let mut reach = Reach::nothing(Path::new("/"));
        for rule in [
            "",
            "privat",
            "10.0.0.0/33",
            "ftp://x",
            "https://",
            "https://a*b",
            "https://*.*.com",
            "https://a@b",
            "https://a?b",
            "s3://",
            "s3://a*b",
            "file:/a/../b",
        ] {
            assert!(reach.allow(rule).is_err(), "{rule}");
        }
    }

    #[test]
    fn files_are_where_links_lead() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("media")).unwrap();
        std::fs::write(at("media/a.ts"), "a").unwrap();
        std::fs::write(at("secret"), "b").unwrap();
        std::os::unix::fs::symlink(at("secret"), at("media/link")).unwrap();
        let list = reach(&[&format!("file:{}", at("media").display())]);
        assert_eq!(list.file(&at("media/a.ts")), Ok(()));
        assert_eq!(list.file(&at("media/later.ts")), Ok(()));
        for path in [
            at("secret"),
            at("media/link"),
            at("media/../secret"),
            at("media2"),
        ] {
            assert!(list.file(&path).is_err(), "{path:?}");
            assert!(Reach::everything().file(&path).is_ok());
        }
        assert!(list.file(Path::new("media/a.ts")).is_err());
        assert_eq!(list.and_files(dir.path()).file(&at("secret")), Ok(()));
    }
}
