//! Optimizers: better marks for a segment, per audio track.

mod passthrough;
mod to_ranges;
mod tracks;

pub(crate) use passthrough::OptimizePassthrough;
pub(crate) use to_ranges::OptimizeToRanges;

use crate::sdk::{AttributeKind, AttributeSpec};
use matchcut_model::chunk::TrackNumber;
use matchcut_model::value::{Attributes, Name, Value};

const START_CODE: &str = "opto_start_code";
const END_CODE: &str = "opto_end_code";
const SUCCEEDED: &str = "Opto succeeded";
const UNSUCCESSFUL: &str = "Unsuccessful";

/// The codes as they are said of a segment. All tracks share the segment's attributes, so those of
/// further tracks carry the track in the name.
fn codes(track: TrackNumber, start: bool, end: bool) -> Attributes {
    let name = |name: &str| match track {
        TrackNumber::FIRST => Name::from(name),
        TrackNumber(track) => Name::from(format!("{name}_{track}")),
    };
    let code = |found: bool| Value::from(if found { SUCCEEDED } else { UNSUCCESSFUL });
    Attributes::from([(name(START_CODE), code(start)), (name(END_CODE), code(end))])
}

fn code_specs() -> Vec<AttributeSpec> {
    vec![
        AttributeSpec {
            name: START_CODE,
            kind: AttributeKind::Text,
            description: "\"Opto succeeded\" or \"Unsuccessful\" for the mark-in (on track 2 \
                opto_start_code_2, and so on)",
        },
        AttributeSpec {
            name: END_CODE,
            kind: AttributeKind::Text,
            description: "the same for the mark-out",
        },
    ]
}
