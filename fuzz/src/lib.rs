//! Fuzz targets: everything that reads what comes from outside, with what must hold of the result.
//! The engine calls them (`scripts/fuzz.sh`), and so does a test with every file of the corpus.

#![allow(
    clippy::expect_used,
    reason = "a target panics when something does not hold"
)]

mod bounds;
mod credentials;
mod observations;
mod playlist;
mod probing;
mod requests;
mod spec;

pub use bounds::{Bounds, CountingAllocator};

/// What inputs are counted with: every program that links the targets has it.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// A target: reads bytes, and panics when they break what must hold.
pub type Target = fn(&[u8]);

/// The targets by name.
pub const TARGETS: [(&str, Target); 6] = [
    ("playlist", playlist),
    ("spec", spec),
    ("observations", observations),
    ("probing", probing),
    ("credentials", credentials),
    ("requests", requests),
];

/// HLS playlists: loads of one playlist, with a zero byte between any two.
pub fn playlist(data: &[u8]) {
    Bounds::new(data).check(|| playlist::run(data));
}

/// A pipeline spec, followed by `--set` arguments with a zero byte before each.
pub fn spec(data: &[u8]) {
    Bounds::new(data).check(|| spec::run(data));
}

/// JSON lines of observations, then a replay request and lines of feedback, with a zero byte
/// between any two. Each part is also read as each of the others.
pub fn observations(data: &[u8]) {
    Bounds::new(data).check(|| observations::run(data));
}

/// The bytes of a chunk, of a file, or of a header in a stream.
pub fn probing(data: &[u8]) {
    Bounds::new(data).check(|| probing::run(data));
}

/// What a request presents to say who asks: a header `Authorization`, method, path, query, lines of headers and a body, with
/// a zero byte between any two.
pub fn credentials(data: &[u8]) {
    Bounds::new(data).check(|| credentials::run(data));
}

/// What else a request or a configuration says: a query, a path, a configuration, rules and addresses, a text for the
/// log, and an event of MRE with its profile, with a zero byte between any two.
pub fn requests(data: &[u8]) {
    Bounds::new(data).check(|| requests::run(data));
}

/// The parts of an input that zero bytes separate, at most `most`.
fn parts(data: &[u8], most: usize) -> impl Iterator<Item = &[u8]> {
    data.splitn(most, |byte| *byte == 0)
}
