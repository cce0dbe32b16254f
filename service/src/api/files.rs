//! Files of an event: whatever it wrote into its directory, in parts where a player asks for parts. Nothing above that
//! directory is reached, nor what is hidden in it.

use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use tower_http::services::ServeFile;

use matchcut_dataflow::run::log::STORE_DIR;

use super::{Named, Problem, blocking};
use crate::context::App;

/// What clients are told that files are, by the ends of their names.
const TYPES: [(&str, &str); 9] = [
    ("m3u8", "application/vnd.apple.mpegurl"),
    ("ts", "video/mp2t"),
    ("m4s", "video/iso.segment"),
    ("jsonl", "application/jsonl"),
    ("edl", "text/plain; charset=utf-8"),
    ("otio", "application/json"),
    ("fcpxml", "application/xml"),
    ("vtt", "text/vtt; charset=utf-8"),
    ("bin", "application/octet-stream"),
];

/// `GET /events/ID/files/PATH`.
pub async fn file(
    State(app): State<App>,
    named: Named,
    request: Request,
) -> Result<Response, Problem> {
    let Named { id, rest } = named;
    let missing = || Problem::not_found("there is no such file");
    if !is_plain(&rest) {
        return Err(missing());
    }
    let found = blocking(&app, move |runs| {
        runs.get(&id)?;
        Ok(find(&runs.dir(&id), &rest))
    });
    serve(found.await?.ok_or_else(missing)?, request).await
}

/// `GET /events/ID/chunks/NAME`: a whole chunk, as it was laid down for plugins.
pub async fn chunk(
    State(app): State<App>,
    named: Named,
    request: Request,
) -> Result<Response, Problem> {
    let Named { id, rest } = named;
    let found = blocking(&app, move |runs| {
        runs.get(&id)?;
        Ok(chunk_of(&runs.dir(&id), &rest))
    });
    let missing = || Problem::not_found("there is no such chunk, or none any more");
    serve(found.await?.ok_or_else(missing)?, request).await
}

/// Where chunks that were laid down for plugins are; `dir` is the directory of their event.
pub fn chunks_of(dir: &Path) -> PathBuf {
    dir.join(STORE_DIR).join("chunks")
}

/// A chunk that is there.
pub fn chunk_of(dir: &Path, name: &str) -> Option<PathBuf> {
    let plain = is_plain(name) && !name.contains('/');
    let path = plain.then(|| chunks_of(dir).join(name))?;
    path.is_file().then_some(path)
}

async fn serve(path: PathBuf, request: Request) -> Result<Response, Problem> {
    let end = path.extension().and_then(|end| end.to_str());
    let kind = TYPES.iter().find(|(known, _)| Some(*known) == end);
    let mut file = match kind.map(|(_, kind)| kind.parse()) {
        Some(Ok(kind)) => ServeFile::new_with_mime(&path, &kind),
        _ => ServeFile::new(&path),
    };
    let served = file.try_call(request.map(|_| Body::empty())).await;
    let served = served.map_err(|error| Problem::internal(&error))?;
    let mut response = served.into_response();
    let headers = response.headers_mut();
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// Whether a path has only names that a result has: none that leads up, is hidden or is empty.
pub fn is_plain(path: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.');
    !path.contains(['\\', '\0']) && path.split('/').all(plain)
}

/// The file at a path in a directory, links in between followed only where they stay in it.
pub fn find(dir: &Path, path: &str) -> Option<PathBuf> {
    let dir = dir.canonicalize().ok()?;
    let found = dir.join(path).canonicalize().ok()?;
    let inside = found.strip_prefix(&dir).ok()?;
    let hidden = |part: &std::ffi::OsStr| part.as_encoded_bytes().starts_with(b".");
    (found.is_file() && !inside.iter().any(hidden)).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_above_hidden_or_linked_elsewhere_is_found() {
        for path in [
            "",
            "..",
            "../a",
            "a/../b",
            "a//b",
            "/a",
            "a/",
            ".matchcut/x",
            "a/.b",
            "a\\b",
            "a\0",
        ] {
            assert!(!is_plain(path), "{path:?}");
        }
        assert!(is_plain("clips/rally_1..2.mp4"));
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("event");
        std::fs::create_dir_all(dir.join(".matchcut")).unwrap();
        std::fs::create_dir_all(dir.join("clips")).unwrap();
        for file in [
            "event/clips/a.mp4",
            "event/.matchcut/event.sqlite",
            "outside",
        ] {
            std::fs::write(root.path().join(file), "x").unwrap();
        }
        let link = |to: &str, name: &str| {
            std::os::unix::fs::symlink(root.path().join(to), dir.join(name)).unwrap();
        };
        link("outside", "out");
        link("event/.matchcut/event.sqlite", "store");
        link("event/clips/a.mp4", "in");
        assert!(find(&dir, "clips/a.mp4").is_some() && find(&dir, "in").is_some());
        for path in ["out", "store", "clips", "none"] {
            assert_eq!(find(&dir, path), None, "{path}");
        }
    }
}
