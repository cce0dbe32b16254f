//! Reading the chunks of a URI without a pipeline: for `probe` and `clip`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use matchcut_ingest::{Source, SourceConfig};
use matchcut_media::samples::Demuxed;
use matchcut_model::chunk::PlacedChunk;
use matchcut_model::failure::Failure;
use matchcut_model::timeline::EventTimeline;
use serde_json::Map;

use super::engine::RunError;
use super::listen::Sources;
use super::loader::{self, Entry, Loads, Setting, Start};
use super::media::{Budget, MediaStore};
use super::meter::Meter;
use crate::flow::{Control, ScanRow};

/// The type of source that a URI is most likely of: a playlist, a directory of chunks, or a file.
pub fn source_type(uri: &str) -> &'static str {
    let path = uri.split(['?', '#']).next().unwrap_or(uri);
    let local = path.strip_prefix("file://").unwrap_or(path);
    let ends = |end: &str| path.to_ascii_lowercase().ends_with(end);
    if path.starts_with("s3://") {
        "s3"
    } else if path.starts_with("kvs://") {
        "kinesis_video"
    } else if ends(".m3u8") || ends(".m3u") || path.starts_with("http") {
        "hls"
    } else if Path::new(local).is_dir() {
        "directory"
    } else {
        "file"
    }
}

/// Chunks of a URI on their timeline, with what keeps their media.
pub struct Opened {
    /// The chunks that were read.
    pub timeline: EventTimeline,
    /// Their media.
    pub store: Arc<MediaStore>,
    /// What could not be read.
    pub failures: Vec<Failure>,
    /// Why reading ended early, if it did.
    pub broken: Option<Failure>,
    /// Kept for media that has to be fetched again.
    _runtime: tokio::runtime::Runtime,
}

/// Reads the chunks of a URI in order, as long as `more` says so after each.
pub fn open(
    uri: &str,
    mut more: impl FnMut(&PlacedChunk, &Demuxed) -> bool,
) -> Result<Opened, RunError> {
    let failed = |message: String| RunError::Source {
        name: uri.to_owned(),
        message,
    };
    let base = std::env::current_dir().map_err(|error| failed(error.to_string()))?;
    let config = SourceConfig::new("input", source_type(uri), uri, &base, &Map::new()).map_err(
        |errors| {
            let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
            failed(texts.join("; "))
        },
    )?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| RunError::Start(error.to_string()))?;
    let source = Source::new(&config);
    let fetcher = source.fetcher().clone();
    let store = Arc::new(MediaStore::new(
        Budget {
            bytes: 256 << 20,
            chunks: usize::MAX,
        },
        fetcher,
        runtime.handle().clone(),
    ));
    let stop = Arc::new(AtomicBool::new(false));
    let mut timeline = EventTimeline::new();
    let mut failures = Vec::new();
    let mut broken = None;
    let setting = Setting {
        store: &store,
        runtime: &runtime,
        stop: &stop,
        window: 1,
        sources: &Sources::default(),
        cues: &[],
        meter: &Meter::default(),
    };
    loader::run(source, &setting, Start::default(), |loads| {
        match loads {
            Loads::Entry(Entry::Chunk(placed, loaded), ..) => {
                timeline.insert(Arc::clone(&placed));
                if !more(&placed, &loaded.chunk) {
                    stop.store(true, Ordering::SeqCst);
                }
            }
            Loads::Entry(Entry::Gap(_, rows, _), ..) => {
                failures.extend(rows.into_iter().filter_map(|row| match row {
                    ScanRow::Failure(failure) => Some(failure),
                    _ => None,
                }));
            }
            Loads::Entry(Entry::Controls(controls), ..) => {
                failures.extend(controls.into_iter().filter_map(|entry| match entry {
                    (Control::Failure(failure), _) => Some(*failure),
                    _ => None,
                }));
            }
            Loads::End { broken: why, .. } => broken = why,
        }
        true
    });
    Ok(Opened {
        timeline,
        store,
        failures,
        broken,
        _runtime: runtime,
    })
}
