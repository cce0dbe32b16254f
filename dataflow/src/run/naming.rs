//! How a playlist names the chunks it plays: where they lie, or by copies that lie in a directory of their own.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use matchcut_model::chunk::{ContentId, Resource};
use url::Url;

use super::media::content_of;

/// Names for one playlist.
pub(super) struct Names<'a> {
    base: Option<&'a Url>,
    copies: Option<PathBuf>,
    copied: RefCell<BTreeMap<PathBuf, Resource>>,
}

impl<'a> Names<'a> {
    /// For a playlist at `base`, with a directory for copies where there are to be any.
    pub fn new(base: Option<&'a Url>, copies: Option<&Path>) -> Self {
        Names {
            base,
            copies: copies.and_then(|dir| std::path::absolute(dir).ok()),
            copied: RefCell::default(),
        }
    }

    /// A resource as the playlist is to name it; `content` says what it holds, where it may hold other things
    /// at another time.
    pub fn of(&self, resource: &Resource, content: Option<ContentId>) -> Resource {
        let mut named = resource.clone();
        if let Some(encryption) = &mut named.encryption {
            encryption.key_uri = relative(&encryption.key_uri, self.base);
        }
        match self.copy(resource, content) {
            Some(uri) => {
                named.uri = uri;
                // A copy holds that part and nothing else.
                named.range = None;
            }
            None => named.uri = relative(&resource.uri, self.base),
        }
        named
    }

    /// Several.
    pub fn of_all(&self, resources: &[Resource], content: ContentId) -> Vec<Resource> {
        let named = resources.iter().map(|one| self.of(one, Some(content)));
        named.collect()
    }

    /// The copies that were named, and of what.
    pub fn into_copies(self) -> BTreeMap<PathBuf, Resource> {
        self.copied.into_inner()
    }

    fn copy(&self, resource: &Resource, content: Option<ContentId>) -> Option<String> {
        let path = self.copies.as_ref()?.join(copy_name(resource, content));
        let url = Url::from_file_path(&path).ok()?;
        let uri = self.base?.make_relative(&url)?;
        self.copied.borrow_mut().insert(path, resource.clone());
        Some(uri)
    }
}

/// The name of a copy: the same for the same bytes, another one for others.
fn copy_name(resource: &Resource, content: Option<ContentId>) -> String {
    let range = resource.range.map(|range| (range.offset, range.length));
    let about = format!("{range:?} {content:?}");
    let id = content_of(&[resource.uri.as_bytes(), about.as_bytes()]);
    let path = resource.uri.split(['?', '#']).next().unwrap_or_default();
    let extension = path
        .rsplit('/')
        .next()
        .and_then(|name| name.rsplit_once('.'));
    let extension = extension.map(|(_, extension)| extension).filter(|text| {
        (1..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
    });
    format!("{id}.{}", extension.unwrap_or("bin"))
}

/// A file is named relative to the playlist, so that both can be moved together.
fn relative(uri: &str, base: Option<&Url>) -> String {
    let named = base
        .zip(Url::parse(uri).ok())
        .filter(|(_, url)| url.scheme() == "file")
        .and_then(|(base, url)| base.make_relative(&url));
    named.unwrap_or_else(|| uri.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use matchcut_model::chunk::ByteRange;

    #[test]
    fn copies_are_named_by_what_they_hold() {
        let base = Url::parse("file:///out/replays/best/v1.m3u8").unwrap();
        let names = Names::new(Some(&base), Some(Path::new("/out/chunks")));
        let whole = Resource::whole("https://example.com/live/c_1.ts?token=1");
        let mut part = whole.clone();
        part.range = Some(ByteRange {
            offset: 10,
            length: 5,
        });
        let first = names.of(&whole, Some(ContentId(1)));
        assert!(first.uri.starts_with("../../chunks/"), "{}", first.uri);
        assert!(first.uri.ends_with(".ts") && !first.uri.contains("token"));
        assert_eq!(names.of(&whole, Some(ContentId(1))), first);
        let others = [
            names.of(&whole, Some(ContentId(2))),
            names.of(&part, Some(ContentId(1))),
        ];
        assert!(others.iter().all(|other| other.uri != first.uri));
        assert_eq!(others[1].range, None);
        let copies = names.into_copies();
        assert_eq!(copies.len(), 3);
        assert!(copies.values().any(|resource| *resource == part));

        let names = Names::new(Some(&base), None);
        let local = Resource::whole("file:///in/c_1.ts");
        assert_eq!(names.of(&local, None).uri, "../../../in/c_1.ts");
        assert_eq!(names.of(&whole, None), whole);
        assert!(names.into_copies().is_empty());
    }
}
