//! `stream_cues`: what the stream marks in itself: breaks (CUE-OUT, CUE-IN, SCTE-35) and ranges of
//! dates (EXT-X-DATERANGE), each at its own time, however early or late it was announced.

use matchcut_model::cue::CueKind;
use matchcut_model::observation::Class;
use matchcut_model::time::MediaTime;
use matchcut_model::value::{Attributes, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cues::{PlacedCue, read};
use crate::sdk::{
    AttributeKind, AttributeSpec, Description, EdgeKind, Emission, Fold, FoldBox, InputRule,
    Operator, OperatorType, OptionError, Options, Step, options_of, parse_options,
};

/// So many announcements are remembered, so that one that is repeated is told once.
const REMEMBERED: usize = 64;

/// A kind of cue, as the options and the results write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// The programme is left.
    Out,
    /// The programme goes on.
    In,
    /// A range of dates.
    DateRange,
    /// Another message.
    Scte35,
}

impl Kind {
    fn of(kind: CueKind) -> Self {
        match kind {
            CueKind::Out => Kind::Out,
            CueKind::In => Kind::In,
            CueKind::DateRange => Kind::DateRange,
            CueKind::Scte35 => Kind::Scte35,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Out => "out",
            Kind::In => "in",
            Kind::DateRange => "date_range",
            Kind::Scte35 => "scte35",
        }
    }
}

/// Options of `stream_cues`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct StreamCuesOptions {
    /// The kinds that are told: `out`, `in`, `date_range`, `scte35`.
    kinds: Vec<Kind>,
}

impl Default for StreamCuesOptions {
    fn default() -> Self {
        StreamCuesOptions {
            kinds: vec![Kind::Out, Kind::In, Kind::DateRange, Kind::Scte35],
        }
    }
}

/// The operator type `stream_cues`.
pub(crate) struct StreamCues;

impl OperatorType for StreamCues {
    fn describe(&self) -> Description {
        let attribute = |name, kind, description| AttributeSpec {
            name,
            kind,
            description,
        };
        Description {
            name: "stream_cues",
            class: Class::Featurer,
            summary: "What the stream marks in itself: breaks and ranges of dates.",
            inputs: vec![InputRule::one(EdgeKind::Cues)],
            attributes: vec![
                attribute(
                    "kind",
                    AttributeKind::Text,
                    "out (the programme is left), in (it goes on), date_range or scte35 (another message)",
                ),
                attribute(
                    "id",
                    AttributeKind::Text,
                    "what the stream calls it, where it does",
                ),
                attribute(
                    "duration",
                    AttributeKind::Number,
                    "announced length in seconds, where it is known; the observation is a range then",
                ),
                attribute(
                    "*",
                    AttributeKind::Any,
                    "everything else that the mark says, by the names that the stream uses",
                ),
            ],
            options: options_of::<StreamCuesOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: StreamCuesOptions = parse_options(options)?;
        if options.kinds.is_empty() {
            return Err(vec![OptionError::new("kinds", "names no kind of cue")]);
        }
        Ok(Operator::Cues(FoldBox::new(CuesFold { options })))
    }
}

struct CuesFold {
    options: StreamCuesOptions,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct CuesState {
    /// Announced, and not reached yet.
    ahead: Vec<PlacedCue>,
    /// Told lately, oldest first.
    told: Vec<PlacedCue>,
    /// The event before here has been told.
    reached: Option<MediaTime>,
}

impl Fold for CuesFold {
    type State = CuesState;

    fn step(&self, step: &Step<'_>, state: &mut CuesState, emit: &mut Vec<Emission>) {
        for cue in step.signature.map(read).unwrap_or_default() {
            let wanted = self.options.kinds.contains(&Kind::of(cue.kind));
            if wanted && !state.ahead.contains(&cue) && !state.told.contains(&cue) {
                state.ahead.push(cue);
            }
        }
        // What is announced for a time behind the end of the event never comes.
        let end = match (step.extent, step.end_of_event) {
            (Some(extent), _) => extent.span.end,
            (None, true) => step.watermark,
            (None, false) => return,
        };
        let end = state.reached.map_or(end, |reached| reached.max(end));
        state.reached = Some(end);
        let (mut due, ahead): (Vec<_>, Vec<_>) =
            state.ahead.drain(..).partition(|cue| cue.time < end);
        state.ahead = ahead;
        due.sort();
        for cue in due {
            emit.extend(observation(&cue));
            state.told.push(cue);
        }
        let forgotten = state.told.len().saturating_sub(REMEMBERED);
        state.told.drain(..forgotten);
    }
}

/// A cue as an observation; `None` when it is over before the event begins.
fn observation(cue: &PlacedCue) -> Option<Emission> {
    let length = cue.duration.filter(|length| *length > MediaTime::ZERO);
    let end = cue.time + length.unwrap_or_default();
    if end < MediaTime::ZERO {
        return None;
    }
    let mut attributes = Attributes::new();
    for (name, value) in &cue.attributes {
        attributes.insert(name.as_str().to_ascii_lowercase().into(), value.clone());
    }
    let id = ["id", "event_id", "segmentation_event_id"];
    if let Some(id) = id.iter().find_map(|name| cue.attributes.get(*name)) {
        attributes.insert("id".into(), Value::from(id.plain_text()));
    }
    attributes.insert("kind".into(), Value::from(Kind::of(cue.kind).name()));
    if let Some(length) = length {
        let seconds = length.flicks() as f64 / matchcut_model::time::FLICKS_PER_SECOND as f64;
        attributes.insert("duration".into(), Value::rounded(seconds, 3));
    }
    Some(Emission::Observation {
        start: cue.time.max(MediaTime::ZERO),
        end: end.max(MediaTime::ZERO),
        attributes,
    })
}
