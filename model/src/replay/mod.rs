//! Replays: which segments make the highlights of an event, and why. [`select`] is the obviously
//! correct batch function; its parts are public, so that the dataflow computes the same step by step.
//!
//! The steps, each pure:
//! 1. [`hits`]: which features of the request a segment has.
//! 2. [`consider`]: what it is worth ([`Candidate`]), or why it is out ([`LeftOut`]).
//! 3. [`decide`]: which candidates fit, by [`fill`] or spread over the event by [`fill_rows`].
//! 4. [`is_news`]: whether that differs from what was stored before.
//!
//! # Rules
//! MRE's code does not always do what its documentation and tests mean. Here the meaning is built;
//! [`crate::compat`] reproduces the code. Where they differ, or the meaning had to be decided:
//!
//! - *Features.* An observation counts for a segment when it has an instant in common with the
//!   marks that hold on the replay's track (optimized where there are such), half-open. Operator,
//!   attribute and value must be those of the request; each such key counts once. What segmenter
//!   and labelers say of the segment itself counts too.
//! - *Guard.* A feature with a weight counts when the weight is above 0; one without a weight when
//!   `Include` is true. That holds in every mode. With a significance map neither is asked: the
//!   observation must carry a correlation id of the map, and the earliest one of a key counts.
//! - *Liked* segments score 999999999 + start, so they come first, the later of two before the
//!   earlier. They obey the limit like any other: a replay is never longer than asked.
//! - *Zero weights.* The flag drops segments whose features sum to 0 in mode `duration`; in mode
//!   `features` nothing is weighed and the flag has no meaning.
//! - *Length.* Optimized marks count as soon as they exist, also when they begin at 0.
//! - *Equal distribution* uses half-open buckets without cracks, puts what starts after the last
//!   border into the last bucket, and goes on to the next pass when a pass takes nothing.
//! - *Tracks.* Only the replay's own track counts, and a segment counts once.
//! - *News.* A selection is stored when it differs from the stored one: an empty one replaces one
//!   that is not, moved marks count as a difference (where the stored marks are known and not only
//!   the starts), and this holds in every mode. Exception: mode `features` without any match is
//!   always stored, as an empty list.
//! - The total counts the whole points of each scored segment, as MRE stores it.

mod body;
mod candidate;
mod decide;
mod document;
mod equal;
mod feedback;
mod fill;
mod key;
mod matching;
mod request;
mod score;
mod select;
mod selection;

pub use body::{RequestError, UnknownField};
pub use candidate::{Candidate, consider};
pub use decide::{Decision, decide};
pub use document::{FeatureEntry, ReplayDocument, ReplayEntry, SkippedEntry};
pub use equal::Buckets;
pub(crate) use equal::count as bucket_count;
pub use feedback::{Feedback, Side, Verdict, Verdicts};
pub use fill::{Outcome, Piece, fill, fill_rows};
pub use key::{FeatureKey, ParseFeatureKeyError};
pub(crate) use matching::worth;
pub use matching::{
    CORRELATION_ID, Hit, Subject, hit_by_observation, hit_by_segment, hits, settle,
};
pub use request::{Compat, Mode, ParseCompatError, Priority, ReplayRequest};
pub use score::Score;
pub use select::{Previous, Recorded, SelectionInput, is_news, select};
pub use selection::{Feature, LeftOut, Reason, Selected, Selection, Skipped};
