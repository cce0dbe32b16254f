//! Addresses of what a stream of Kinesis Video has: `kvs://NAME/…`. They say which fragment is meant and when it
//! begins, and nothing of the session that it is fetched in.

use matchcut_aws::kinesis_video::StreamId;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

/// What stands for the token of a session in the addresses that a session gives.
const TOKEN: &str = "SessionToken";

/// What stands in front of the number of a fragment there.
const NUMBER: &str = "FragmentNumber";

/// When a fragment begins, in milliseconds since the Unix epoch; of our addresses alone.
const AT: &str = "at";

/// What is kept as it is in a query.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Reads what a person writes: `kvs://NAME` or `kvs://ARN`.
pub(crate) fn locate(text: &str) -> Result<Url, String> {
    const FORM: &str = "the name or the ARN of a stream expected, as kvs://court";
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    let rest = rest.trim_end_matches('/');
    let (name, arn) = match rest.strip_prefix("arn:") {
        None => (rest, None),
        Some(arn) => {
            let mut parts = arn.split(':');
            let service = parts.nth(1).unwrap_or_default();
            let resource = parts.nth(2).unwrap_or_default();
            let name = resource.strip_prefix("stream/").unwrap_or_default();
            let name = name.split('/').next().unwrap_or_default();
            if service != "kinesisvideo" || name.is_empty() {
                return Err(format!("{FORM} (this ARN is of something else)"));
            }
            (name, Some(rest))
        }
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    if name.is_empty() || name.len() > 256 || !name.bytes().all(plain) {
        return Err(FORM.to_owned());
    }
    let query = arn.map(|arn| format!("?arn={}", utf8_percent_encode(arn, KEPT)));
    let url = format!("kvs://{name}/index.m3u8{}", query.unwrap_or_default());
    Url::parse(&url).map_err(|error| format!("not a valid name: {error}"))
}

/// The stream that an address is of.
pub(crate) fn stream_of(url: &Url) -> StreamId {
    match value(url, "arn") {
        Some(arn) => StreamId::Arn(arn),
        None => StreamId::Name(name_of(url)),
    }
}

/// The name of the stream.
pub(crate) fn name_of(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

fn value(url: &Url, key: &str) -> Option<String> {
    let mut pairs = url.query_pairs();
    let found = pairs.find(|(name, _)| name == key);
    found.map(|(_, value)| value.into_owned())
}

/// What an address is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A fragment as Matroska, by its number.
    Matroska(String),
    /// Something of a session of HLS.
    Session(InSession),
}

/// Something of a session of HLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InSession {
    /// The last part of its path.
    pub action: String,
    /// Its query, without the token.
    pub query: Vec<(String, String)>,
    /// When the fragment begins, if it is one.
    pub at: Option<i64>,
}

impl InSession {
    /// Whether it is a playlist, and not media.
    pub(super) fn is_playlist(&self) -> bool {
        self.action.ends_with(".m3u8")
    }

    /// Whether it is the playlist that a session begins with.
    pub(super) fn is_master(&self) -> bool {
        self.action == MASTER
    }
}

/// The playlist that a session begins with.
pub(super) const MASTER: &str = "getHLSMasterPlaylist.m3u8";

/// What one of our addresses is of.
pub(super) fn target_of(url: &Url) -> Target {
    let mut path = url.path().trim_start_matches('/').splitn(2, '/');
    let (first, second) = (path.next().unwrap_or_default(), path.next());
    let keep = |(name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| {
        let kept = name != AT && name != "arn";
        kept.then(|| (name.into_owned(), value.into_owned()))
    };
    let mut query: Vec<(String, String)> = url.query_pairs().filter_map(keep).collect();
    let at = value(url, AT).and_then(|at| at.parse().ok());
    let action = match second.and_then(|file| file.rsplit_once('.')) {
        Some((number, _)) if first == "fragment" => return Target::Matroska(number.to_owned()),
        Some((number, extension)) => {
            query.push((NUMBER.to_owned(), number.to_owned()));
            format!("{first}.{extension}")
        }
        None if first == "index.m3u8" => MASTER.to_owned(),
        None => first.to_owned(),
    };
    Target::Session(InSession { action, query, at })
}

/// The address of a fragment as Matroska.
pub(super) fn of_fragment(stream: &str, number: &str) -> String {
    format!("kvs://{stream}/fragment/{number}.mkv")
}

/// What a session calls `reference`, under our name: without its token, and with the number of the fragment
/// as its name. `at` is when it begins, in milliseconds since the Unix epoch.
pub(super) fn ours(stream: &str, reference: &str, at: Option<i64>) -> String {
    let path = reference.split(['?', '#']).next().unwrap_or_default();
    let file = path.rsplit('/').next().unwrap_or_default();
    let query = reference.split_once('?').map_or("", |(_, query)| query);
    let mut kept = Vec::new();
    let mut number = None;
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            TOKEN => {}
            NUMBER => number = Some(value.into_owned()),
            _ => kept.push((name.into_owned(), value.into_owned())),
        }
    }
    kept.extend(at.map(|at| (AT.to_owned(), at.to_string())));
    let pairs: Vec<String> = kept
        .iter()
        .map(|(name, value)| {
            let escaped = |text| utf8_percent_encode(text, KEPT);
            format!("{}={}", escaped(name), escaped(value))
        })
        .collect();
    let query = match pairs.is_empty() {
        true => String::new(),
        false => format!("?{}", pairs.join("&")),
    };
    let (action, extension) = file.rsplit_once('.').unwrap_or((file, "bin"));
    match number {
        Some(number) => {
            let number = utf8_percent_encode(&number, KEPT);
            format!("kvs://{stream}/{action}/{number}.{extension}{query}")
        }
        None => format!("kvs://{stream}/{file}{query}"),
    }
}

/// A session: where it is, and its token.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct SessionAddress {
    base: Url,
    token: String,
}

impl std::fmt::Debug for SessionAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SessionAddress({})", self.base)
    }
}

impl SessionAddress {
    /// From the address of its master playlist.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut base = Url::parse(text).ok()?;
        let token = value(&base, TOKEN)?;
        base.set_query(None);
        base.set_fragment(None);
        Some(SessionAddress { base, token })
    }

    /// The address of something in it. It gives access to the stream: it is not to be printed.
    pub(super) fn url(&self, what: &InSession) -> Option<Url> {
        let mut url = self.base.join(&what.action).ok()?;
        let mut pairs = url.query_pairs_mut();
        for (name, value) in &what.query {
            pairs.append_pair(name, value);
        }
        pairs.append_pair(TOKEN, &self.token);
        drop(pairs);
        Some(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_arns() {
        let arn = "arn:aws:kinesisvideo:eu-central-1:123456789012:stream/court_1.a/1598784211076";
        let url = locate(&format!("kvs://{arn}")).unwrap();
        assert_eq!(name_of(&url), "court_1.a");
        assert_eq!(stream_of(&url), StreamId::Arn(arn.to_owned()));
        let url = locate("kvs://Court-1").unwrap();
        assert_eq!(url.as_str(), "kvs://Court-1/index.m3u8");
        assert_eq!(stream_of(&url), StreamId::Name("Court-1".to_owned()));
        for wrong in [
            "kvs://",
            "kvs://a b",
            "kvs://a/b",
            "kvs://arn:aws:s3:::bucket",
        ] {
            assert!(locate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn tokens_stay_in_sessions() {
        let given = "https://b-1.kinesisvideo.eu-central-1.amazonaws.com/hls/v1/\
                     getHLSMasterPlaylist.m3u8?SessionToken=a%2Bb%2F%3D";
        let session = SessionAddress::read(given).unwrap();
        assert!(!format!("{session:?}").contains("a+b"), "{session:?}");
        let reference =
            "getMP4MediaFragment.mp4?FragmentNumber=91&SessionToken=a%2Bb%2F%3D&TrackNumber=1";
        let own = ours("court", reference, Some(1_700_000_000_123));
        assert_eq!(
            own,
            "kvs://court/getMP4MediaFragment/91.mp4?TrackNumber=1&at=1700000000123"
        );
        let Target::Session(target) = target_of(&Url::parse(&own).unwrap()) else {
            panic!()
        };
        assert_eq!(target.at, Some(1_700_000_000_123));
        assert_eq!(
            session.url(&target).unwrap().as_str(),
            "https://b-1.kinesisvideo.eu-central-1.amazonaws.com/hls/v1/getMP4MediaFragment.mp4?\
             TrackNumber=1&FragmentNumber=91&SessionToken=a%2Bb%2F%3D"
        );
        // A session may name the whole address.
        let whole =
            "https://x.example/hls/v1/getHLSMediaPlaylist.m3u8?SessionToken=t&TrackNumber=1";
        let own = ours("court", whole, None);
        assert_eq!(own, "kvs://court/getHLSMediaPlaylist.m3u8?TrackNumber=1");
        let Target::Session(target) = target_of(&Url::parse(&own).unwrap()) else {
            panic!()
        };
        assert!(target.is_playlist() && !target.is_master());
        let first = locate("kvs://court").unwrap();
        let Target::Session(target) = target_of(&first) else {
            panic!()
        };
        assert!(target.is_master() && target.query.is_empty());
        let fragment = Url::parse(&of_fragment("court", "91")).unwrap();
        assert_eq!(target_of(&fragment), Target::Matroska("91".to_owned()));
    }
}
