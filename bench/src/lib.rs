//! The bench harness: what matchcut promises of its cost, measured, and what measuring needs. Streams
//! are recorded with their arrival times and played back, whole or disturbed; a real match is made
//! as large as one that was watched and heard; and what was measured is told as text, JSON and HTML.

pub mod analysis;
pub mod child;
pub mod cut;
pub mod decode;
pub mod disturb;
pub mod kafka;
pub mod latency;
pub mod live;
pub mod machine;
pub mod material;
pub mod media_list;
pub mod memory;
pub mod outlet;
pub mod page;
pub mod peers;
pub mod playback;
pub mod plot;
pub mod process;
pub mod quality;
pub mod random;
pub mod record;
pub mod replay;
pub mod report;
pub mod selection;
pub mod service;
pub mod stats;
pub mod topics;
pub mod trace;
pub mod usopen;

/// Anything that stops a measurement; the message is for a person.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
