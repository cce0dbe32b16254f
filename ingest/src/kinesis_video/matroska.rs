//! Fragments out of a stream of Matroska as Kinesis Video sends it: a segment for each, with tags that say its
//! number and its times. What is kept of a fragment are its description and its blocks, so that it is the same
//! bytes whichever way it came.

use bytes::{Buf, Bytes, BytesMut};

use super::access::joined;

const EBML: u32 = 0x1a45_dfa3;
const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1f43_b675;
const TAGS: u32 = 0x1254_c367;
const TAG: u32 = 0x7373;
const SIMPLE_TAG: u32 = 0x67c8;
const TAG_NAME: u32 = 0x45a3;
const TAG_STRING: u32 = 0x4487;
/// What differs with the way that a fragment came, or says where things are in a file.
const LEFT_OUT: [u32; 5] = [0x114d_9b74, 0x1c53_bb6b, 0xec, 0xbf, TAGS];

/// A segment whose size is not said.
const OPEN_SEGMENT: [u8; 12] = [
    0x18, 0x53, 0x80, 0x67, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
];
/// A cluster whose size is not said.
const OPEN_CLUSTER: [u8; 12] = [
    0x1f, 0x43, 0xb6, 0x75, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
];

/// A fragment of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fragment {
    /// Its number.
    pub number: String,
    /// When the producer says that it begins, in milliseconds since the Unix epoch.
    pub producer: Option<i64>,
    /// When the service took it.
    pub server: Option<i64>,
    /// Where the stream goes on behind it.
    pub token: Option<String>,
    /// As Matroska, without tags.
    pub bytes: Bytes,
}

/// The fragment that is being read.
#[derive(Debug, Default)]
struct Open {
    fragment: Fragment,
    parts: Vec<Bytes>,
    size: u64,
    media: bool,
}

/// Divides a stream into fragments.
#[derive(Debug)]
pub(super) struct Splitter {
    rest: BytesMut,
    open: Option<Open>,
    limit: u64,
    /// What the service said of an error that ended the stream.
    pub error: Option<String>,
}

/// A number of variable length and its own length; `None` where more bytes are needed, an error where it is none.
fn number(data: &[u8], keep_marker: bool) -> Result<Option<(u64, usize)>, ()> {
    let Some(first) = data.first() else {
        return Ok(None);
    };
    let length = first.leading_zeros() as usize + 1;
    if length > 8 || (keep_marker && length > 4) {
        return Err(());
    }
    let Some(bytes) = data.get(..length) else {
        return Ok(None);
    };
    let value = bytes
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte));
    let mask = (1u64 << (7 * length)) - 1;
    Ok(Some((
        if keep_marker { value } else { value & mask },
        length,
    )))
}

/// An element at the start of `data`: what it is, the length of its head, the size of its body (`None`: not said).
type Head = (u32, usize, Option<u64>);

fn head(data: &[u8]) -> Result<Option<Head>, ()> {
    let Some((id, id_length)) = number(data, true)? else {
        return Ok(None);
    };
    let Some((size, size_length)) = number(data.get(id_length..).unwrap_or_default(), false)?
    else {
        return Ok(None);
    };
    let unknown = size == (1u64 << (7 * size_length)) - 1;
    let id = u32::try_from(id).map_err(|_| ())?;
    Ok(Some((
        id,
        id_length + size_length,
        (!unknown).then_some(size),
    )))
}

/// The elements of a body.
fn elements(mut data: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    std::iter::from_fn(move || {
        let (id, length, size) = head(data).ok()??;
        let body = data.get(length..)?;
        let size = size.map_or(body.len(), |size| {
            usize::try_from(size).unwrap_or(usize::MAX)
        });
        let (body, rest) = body.split_at_checked(size)?;
        data = rest;
        Some((id, body))
    })
}

/// Seconds with a fraction, in milliseconds.
fn millis(text: &str) -> Option<i64> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let whole: i64 = whole.parse().ok()?;
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    let fraction: i64 = digits.parse().ok()?;
    whole.checked_mul(1000)?.checked_add(fraction)
}

impl Splitter {
    /// A fragment larger than `limit` bytes is refused.
    pub(super) fn new(limit: u64) -> Self {
        Splitter {
            rest: BytesMut::new(),
            open: None,
            limit,
            error: None,
        }
    }

    /// Takes more of the stream; gives the fragments that are whole now. An error says that the stream cannot
    /// be understood from here on.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Fragment>, String> {
        self.rest.extend_from_slice(bytes);
        let mut whole = Vec::new();
        loop {
            let no_matroska = |()| "it is no Matroska any more".to_owned();
            let Some((id, length, size)) = head(&self.rest).map_err(no_matroska)? else {
                return Ok(whole);
            };
            if matches!(id, SEGMENT | CLUSTER) {
                // What is in them is read one after the other.
                self.rest.advance(length);
                let head: &[u8] = match id {
                    SEGMENT => &OPEN_SEGMENT,
                    _ => &OPEN_CLUSTER,
                };
                self.add(Bytes::copy_from_slice(head), id == CLUSTER)?;
                continue;
            }
            let size = size.ok_or("an element in it does not say how long it is")?;
            if size > self.limit {
                return Err(self.too_large());
            }
            let end = usize::try_from(size)
                .ok()
                .and_then(|size| length.checked_add(size));
            let Some(end) = end.filter(|end| *end <= self.rest.len()) else {
                return Ok(whole);
            };
            let element = self.rest.split_to(end).freeze();
            match id {
                EBML => {
                    whole.extend(self.end());
                    self.open = Some(Open::default());
                    self.add(element, false)?;
                }
                TAGS => {
                    self.tags(element.get(length..).unwrap_or_default());
                    // The token is the last thing that is said of a fragment.
                    let said = |open: &Open| open.media && open.fragment.token.is_some();
                    if self.open.as_ref().is_some_and(said) {
                        whole.extend(self.end());
                    }
                }
                id if LEFT_OUT.contains(&id) => {}
                _ => self.add(element, false)?,
            }
        }
    }

    fn too_large(&self) -> String {
        format!(
            "a fragment is larger than {} bytes; raise \"max_bytes\" if it should be read",
            self.limit
        )
    }

    fn add(&mut self, part: Bytes, media: bool) -> Result<(), String> {
        // What comes behind the end of a fragment belongs to none.
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        open.size += part.len() as u64;
        open.media |= media;
        open.parts.push(part);
        match open.size > self.limit {
            true => Err(self.too_large()),
            false => Ok(()),
        }
    }

    fn tags(&mut self, body: &[u8]) {
        let simple = elements(body)
            .filter(|(id, _)| *id == TAG)
            .flat_map(|(_, tag)| elements(tag))
            .filter(|(id, _)| *id == SIMPLE_TAG);
        for (_, tag) in simple {
            let text = |wanted: u32| {
                let found = elements(tag).find(|(id, _)| *id == wanted);
                let text = found.map(|(_, body)| String::from_utf8_lossy(body).into_owned());
                text.unwrap_or_default().trim_end_matches('\0').to_owned()
            };
            let (name, value) = (text(TAG_NAME), text(TAG_STRING));
            if name == "AWS_KINESISVIDEO_ERROR_CODE" || name == "AWS_KINESISVIDEO_ERROR_ID" {
                let before = self.error.take().map(|error| error + " ");
                self.error = Some(before.unwrap_or_default() + &value);
            }
            let Some(open) = &mut self.open else { continue };
            let fragment = &mut open.fragment;
            match name.as_str() {
                "AWS_KINESISVIDEO_FRAGMENT_NUMBER" => fragment.number = value,
                "AWS_KINESISVIDEO_PRODUCER_TIMESTAMP" => fragment.producer = millis(&value),
                "AWS_KINESISVIDEO_SERVER_TIMESTAMP" => fragment.server = millis(&value),
                "AWS_KINESISVIDEO_CONTINUATION_TOKEN" => fragment.token = Some(value),
                _ => {}
            }
        }
    }

    /// The fragment that was being read, at the end of the stream: one that has a number and media.
    pub(super) fn end(&mut self) -> Option<Fragment> {
        let open = self.open.take()?;
        let parts: Vec<&[u8]> = open.parts.iter().map(|part| &part[..]).collect();
        let fragment = Fragment {
            bytes: joined(&parts),
            ..open.fragment
        };
        (open.media && !fragment.number.is_empty()).then_some(fragment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn element(id: u32, body: &[u8]) -> Vec<u8> {
        let id = id.to_be_bytes();
        let id: Vec<u8> = id.into_iter().skip_while(|byte| *byte == 0).collect();
        let size = (body.len() as u64 | 1 << 56).to_be_bytes();
        [&id[..], &size, body].concat()
    }

    fn tags(pairs: &[(&str, &str)]) -> Vec<u8> {
        let simple = pairs.iter().flat_map(|(name, value)| {
            let pair = [
                element(TAG_NAME, name.as_bytes()),
                element(TAG_STRING, value.as_bytes()),
            ];
            element(SIMPLE_TAG, &pair.concat())
        });
        element(TAGS, &element(TAG, &simple.collect::<Vec<u8>>()))
    }

    /// A fragment as the service sends it, and what is kept of it.
    fn sent(number: u32, token: bool) -> (Vec<u8>, Vec<u8>) {
        let ebml = element(EBML, b"head");
        let described = [
            element(0x1549_a966, b"info"),
            element(0x1654_ae6b, b"tracks"),
        ]
        .concat();
        let block = element(0xa3, format!("block {number}").as_bytes());
        let said = tags(&[
            ("AWS_KINESISVIDEO_FRAGMENT_NUMBER", &number.to_string()),
            ("AWS_KINESISVIDEO_PRODUCER_TIMESTAMP", "1700000000.5"),
            ("AWS_KINESISVIDEO_SERVER_TIMESTAMP", "1700000001.234"),
            ("mine", "x"),
        ]);
        let after = match token {
            true => tags(&[("AWS_KINESISVIDEO_CONTINUATION_TOKEN", &format!("t{number}"))]),
            false => Vec::new(),
        };
        let whole = [
            &ebml[..],
            &OPEN_SEGMENT,
            &described,
            &said,
            &element(CLUSTER, &block),
            &after,
        ];
        let kept = [&ebml[..], &OPEN_SEGMENT, &described, &OPEN_CLUSTER, &block];
        (whole.concat(), kept.concat())
    }

    #[test]
    fn the_same_bytes_whichever_way_it_came() {
        let (live, kept) = sent(7, true);
        let mut splitter = Splitter::new(1 << 20);
        let whole = splitter.take(&live).unwrap();
        let fragment = Fragment {
            number: "7".to_owned(),
            producer: Some(1_700_000_000_500),
            server: Some(1_700_000_001_234),
            token: Some("t7".to_owned()),
            bytes: kept.into(),
        };
        assert_eq!(whole, std::slice::from_ref(&fragment));
        assert_eq!(splitter.end(), None);
        let mut splitter = Splitter::new(1 << 20);
        assert_eq!(splitter.take(&sent(7, false).0).unwrap(), []);
        let archived = splitter.end().unwrap();
        assert_eq!(
            archived,
            Fragment {
                token: None,
                ..fragment
            }
        );
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let take = |bytes: &[u8], limit| Splitter::new(limit).take(bytes).unwrap_err();
        assert_eq!(take(&[0, 1, 2], 100), "it is no Matroska any more");
        let large = take(&sent(1, true).0, 60);
        assert!(
            large.starts_with("a fragment is larger than 60 bytes"),
            "{large}"
        );
        let endless = [&0xa3u8.to_be_bytes()[..], &[0xff]].concat();
        assert_eq!(
            take(&endless, 100),
            "an element in it does not say how long it is"
        );
        let mut splitter = Splitter::new(1 << 20);
        let error = tags(&[
            (
                "AWS_KINESISVIDEO_ERROR_CODE",
                "Requested fragment is not found",
            ),
            ("AWS_KINESISVIDEO_ERROR_ID", "4000"),
        ]);
        assert_eq!(splitter.take(&error).unwrap(), []);
        assert_eq!(
            splitter.error.as_deref(),
            Some("Requested fragment is not found 4000")
        );
    }

    proptest! {
        /// However the network cuts the stream, and wherever it breaks: whole fragments come whole and in order.
        #[test]
        fn pieces_do_not_matter(
            tokens in prop::collection::vec(any::<bool>(), 1..5),
            cuts in prop::collection::vec(1usize..60, 1..40),
            lost in 0usize..40,
        ) {
            let sent: Vec<_> = (0u32..).zip(&tokens).map(|(n, token)| sent(n, *token)).collect();
            let stream: Vec<u8> = sent.iter().flat_map(|(whole, _)| whole.clone()).collect();
            let stream = &stream[..stream.len() - lost];
            let mut splitter = Splitter::new(1 << 20);
            let (mut found, mut at) = (Vec::new(), 0);
            for cut in cuts.iter().cycle() {
                let end = (at + cut).min(stream.len());
                found.extend(splitter.take(&stream[at..end]).unwrap());
                at = end;
                if at == stream.len() {
                    break;
                }
            }
            if lost == 0 {
                found.extend(splitter.end());
            }
            let whole = match lost {
                0 => sent.len(),
                _ => sent.len() - 1,
            };
            prop_assert!(found.len() == whole || found.len() == sent.len());
            for (n, fragment) in found.iter().enumerate() {
                prop_assert_eq!(&fragment.number, &n.to_string());
                prop_assert_eq!(&fragment.bytes[..], &sent[n].1[..]);
            }
        }

        /// Anything at all is taken or refused.
        #[test]
        fn nothing_upsets_it(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut splitter = Splitter::new(1000);
            let _ = splitter.take(&bytes);
            let _ = splitter.end();
        }
    }
}
