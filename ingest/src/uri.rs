//! From what a user or a playlist writes to absolute URIs and back to paths: names with spaces,
//! `#`, `?` or `%` must survive the way.

use std::path::{Path, PathBuf};

use matchcut_aws::S3Address;
use url::Url;

/// Reads the `uri` of a source: an http, https, s3 or file URI, or a path, relative to `base`.
/// Nothing is opened. What stands behind a bucket is a key as it is, without escapes.
pub fn locate(text: &str, base: &Path) -> Result<Url, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("it is empty; give a path or an http, https or file URI".into());
    }
    match scheme_of(text) {
        Some("http" | "https") => {
            let url = Url::parse(text).map_err(|error| format!("not a valid URI: {error}"))?;
            Ok(url)
        }
        Some("file") => {
            let url = Url::parse(text).map_err(|error| format!("not a valid URI: {error}"))?;
            match url.to_file_path() {
                Ok(_) => Ok(url),
                Err(()) => Err("a file URI needs an absolute path: file:///dir/name".into()),
            }
        }
        Some("s3") => Url::parse(&S3Address::parse(text)?.uri())
            .map_err(|error| format!("not a valid URI: {error}")),
        #[cfg(feature = "kinesis_video")]
        Some("kvs") => crate::kinesis_video::locate(text),
        Some(other) => Err(format!(
            "\"{other}\" is not a scheme that can be read; give a path or an http, https, s3 or \
             file URI"
        )),
        None => from_path(&base.join(text)).ok_or_else(|| "not a path that can be read".into()),
    }
}

/// The scheme in front of `://`, in the spelling of the text when it is lower case.
fn scheme_of(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once("://")?;
    let valid = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let known = ["http", "https", "file", "s3", "kvs"]
        .into_iter()
        .find(|k| k.eq_ignore_ascii_case(scheme));
    valid.then_some(known.unwrap_or(scheme))
}

/// The file URI of a path, made absolute, with every special character escaped.
pub fn from_path(path: &Path) -> Option<Url> {
    let absolute = std::path::absolute(path).ok()?;
    Url::from_file_path(absolute).ok()
}

/// The path of a file URI.
pub fn to_path(url: &Url) -> Option<PathBuf> {
    (url.scheme() == "file")
        .then(|| url.to_file_path().ok())
        .flatten()
}

/// Resolves what stands in a playlist against the playlist's own address (after redirects).
/// Packagers write names of local files as they are, without escapes: a name that exists as it
/// stands is taken as such.
pub fn resolve(base: &Url, reference: &str) -> Result<Url, String> {
    if let Some(path) = to_path(base)
        && scheme_of(reference).is_none()
        && reference.contains(['#', '?', '%', '\\'])
    {
        let literal = path.parent().unwrap_or(&path).join(reference);
        if literal.is_file()
            && let Some(url) = from_path(&literal)
        {
            return Ok(url);
        }
    }
    let url = base.join(reference).map_err(|error| error.to_string())?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        // Nobody else's playlist names what only this machine or the owner of the credentials may read.
        "file" | "s3" | "kvs" if base.scheme() == url.scheme() => Ok(url),
        other => Err(format!("\"{other}\" is not a scheme that can be fetched")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_keep_their_names() {
        let url = locate("my match #1 100%?.m3u8", Path::new("/media")).unwrap();
        assert_eq!(
            url.as_str(),
            "file:///media/my%20match%20%231%20100%25%3F.m3u8"
        );
        assert_eq!(
            to_path(&url).unwrap(),
            Path::new("/media/my match #1 100%?.m3u8")
        );
        let url = locate("/media/a b.ts", Path::new("/x")).unwrap();
        assert_eq!(url.as_str(), "file:///media/a%20b.ts");
    }

    #[test]
    fn references_in_playlists() {
        let base = Url::parse("https://cdn.example.com/a/index.m3u8?token=1").unwrap();
        let resolved = |text| resolve(&base, text).unwrap().to_string();
        assert_eq!(resolved("seg 1.ts"), "https://cdn.example.com/a/seg%201.ts");
        assert_eq!(
            resolved("../b/1.ts?t=2"),
            "https://cdn.example.com/b/1.ts?t=2"
        );
        assert_eq!(
            resolved("//other.example.com/1.ts"),
            "https://other.example.com/1.ts"
        );
        let error = resolve(&base, "ftp://example.com/1.ts").unwrap_err();
        assert_eq!(error, "\"ftp\" is not a scheme that can be fetched");
    }

    #[test]
    fn objects_and_what_their_playlists_name() {
        let base = locate("S3://media/cup #1/index.m3u8", Path::new("/")).unwrap();
        assert_eq!(base.as_str(), "s3://media/cup%20%231/index.m3u8");
        let url = resolve(&base, "index_1.m3u8").unwrap();
        assert_eq!(url.as_str(), "s3://media/cup%20%231/index_1.m3u8");
        let url = resolve(&base, "../other/a b.ts").unwrap();
        let object = S3Address::of_uri(url.as_str()).unwrap();
        assert_eq!(object.to_string(), "s3://media/other/a b.ts");
        assert!(resolve(&base, "https://example.com/a.ts").is_ok());
        let public = Url::parse("https://example.com/index.m3u8").unwrap();
        let error = resolve(&public, "file:///etc/passwd").unwrap_err();
        assert_eq!(error, "\"file\" is not a scheme that can be fetched");
        let error = resolve(&public, "s3://media/secret.ts").unwrap_err();
        assert_eq!(error, "\"s3\" is not a scheme that can be fetched");
        assert!(
            locate("s3://", Path::new("/"))
                .unwrap_err()
                .contains("not the name of a bucket")
        );
    }

    #[test]
    fn names_that_exist_as_they_stand() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("cut #1 50%.ts"), b"x").unwrap();
        let base = from_path(&dir.path().join("index.m3u8")).unwrap();
        let url = resolve(&base, "cut #1 50%.ts").unwrap();
        assert_eq!(to_path(&url).unwrap(), dir.path().join("cut #1 50%.ts"));
        let url = resolve(&base, "cut%20%231%2050%25.ts").unwrap();
        assert_eq!(to_path(&url).unwrap(), dir.path().join("cut #1 50%.ts"));
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let base = Path::new("/");
        assert!(locate("", base).unwrap_err().starts_with("it is empty"));
        assert!(
            locate("ftp://host/x.m3u8", base)
                .unwrap_err()
                .starts_with("\"ftp\" is not")
        );
        assert!(
            locate("http://", base)
                .unwrap_err()
                .starts_with("not a valid URI")
        );
        assert_eq!(
            locate("HTTP://host/x", base).unwrap().as_str(),
            "http://host/x"
        );
    }
}
