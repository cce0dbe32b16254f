//! What the page is told: everything on it, once, with times in seconds.

use std::collections::BTreeMap;

use matchcut_model::change::{ChoiceRow, EventState};
use matchcut_model::lines::ClipEntry;
use matchcut_model::observation::Observation;
use matchcut_model::replay::{Mode, Skipped};
use matchcut_model::segment::SegmentId;
use matchcut_model::time::MediaTime;
use matchcut_model::value::{Attributes, Name};
use serde::{Serialize, Serializer};

use crate::exact::{input_name, utc_text};
use crate::info::EventInfo;
use crate::mre_json::Exports;
use crate::replay_document::{Replay, key_of};

#[derive(Debug, Default, Serialize)]
pub(crate) struct ReportData<'a> {
    pub(crate) title: &'a str,
    event: &'a str,
    source: &'a str,
    utc: Option<String>,
    duration: f64,
    chunks: usize,
    frames: u64,
    rate: String,
    segments: Vec<SegmentView<'a>>,
    replays: Vec<ReplayView<'a>>,
    /// Missing chunks: start, end and why.
    gaps: Vec<(f64, f64, &'a str)>,
    errors: Vec<ErrorView>,
    files: Vec<FileLink>,
}

/// A file beside the page.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FileLink {
    pub(crate) path: String,
    pub(crate) what: &'static str,
}

/// The observations of one operator on one track, by start. `items` are `[start, end, attributes]`
/// with a null end for points.
#[derive(Debug, Serialize)]
pub(super) struct Lane<'a> {
    name: &'a Name,
    track: Option<u32>,
    items: Vec<Item<'a>>,
}

/// An observation on a lane.
#[derive(Debug)]
struct Item<'a>(&'a Observation);

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Observation {
            start,
            end,
            attributes,
            ..
        } = self.0;
        let end = (!self.0.is_point()).then(|| end.rounded_seconds());
        (start.rounded_seconds(), end, attributes).serialize(serializer)
    }
}

#[derive(Debug, Serialize)]
struct SegmentView<'a> {
    id: String,
    by: &'a Name,
    start: f64,
    end: Option<f64>,
    label: Option<&'a str>,
    opto: BTreeMap<u32, [f64; 2]>,
    attributes: &'a Attributes,
    timecode: Option<Vec<String>>,
    clips: &'a [ClipEntry],
    thumbnail: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct ReplayView<'a> {
    name: &'a Name,
    track: u32,
    processed: bool,
    total: f64,
    mode: Mode,
    target: Option<f64>,
    limit: Option<f64>,
    mp4: Option<&'a str>,
    files: Vec<(&'static str, String)>,
    chosen: Vec<ChoiceView>,
    left: Vec<ChoiceView>,
}

/// A segment in a replay, or left out of it: original marks, the marks played, and why.
#[derive(Debug, Serialize)]
struct ChoiceView {
    segment: Option<usize>,
    start: f64,
    end: f64,
    from: f64,
    to: f64,
    score: Option<f64>,
    reason: String,
    features: Vec<FeatureView>,
}

#[derive(Debug, Serialize)]
struct FeatureView {
    name: String,
    weight: Option<f64>,
}

#[derive(Debug, Serialize)]
struct ErrorView {
    #[serde(rename = "where")]
    place: String,
    operator: Option<Name>,
    message: String,
}

/// Gathers the data of the page. `links` are the files of each replay, in the order of `replays`.
pub(crate) fn report_data<'a>(
    exports: &'a Exports<'a>,
    replays: &[Replay<'a>],
    mut links: Vec<Vec<(&'static str, String)>>,
    files: Vec<FileLink>,
) -> ReportData<'a> {
    let Exports {
        state,
        timeline,
        info,
        media,
        exact,
        ..
    } = *exports;
    let title = if info.program.is_empty() {
        &info.event
    } else {
        &info.program
    };
    let rate = exact.frames().rate();
    let index: BTreeMap<&SegmentId, usize> = state
        .segments()
        .enumerate()
        .map(|(index, segment)| (&segment.id, index))
        .collect();
    links.resize(replays.len(), Vec::new());
    ReportData {
        title,
        event: &info.event,
        source: &info.source,
        utc: timeline.utc_of(MediaTime::ZERO).and_then(utc_text),
        duration: duration(exports).rounded_seconds(),
        chunks: state.chunks().len(),
        frames: state.chunks().map(|chunk| chunk.frames).sum(),
        rate: rounded(rate.as_f64()).to_string(),
        segments: state
            .segments()
            .map(|segment| SegmentView {
                id: segment.id.to_string(),
                by: &segment.id.segmenter,
                start: segment.start().rounded_seconds(),
                end: segment.end.map(|end| end.rounded_seconds()),
                label: segment
                    .label
                    .as_deref()
                    .filter(|label| !label.trim().is_empty()),
                opto: segment
                    .opto
                    .iter()
                    .map(|(track, range)| {
                        let (from, to) = (range.start, range.end);
                        (track.0, [from.rounded_seconds(), to.rounded_seconds()])
                    })
                    .collect(),
                attributes: &segment.attributes,
                timecode: (!exact.frames().is_empty()).then(|| {
                    let marks = segment.opto.values().next().copied().or(segment.range());
                    let start = marks.map_or(segment.start(), |range| range.start);
                    let ends = [Some(start), marks.map(|range| range.end)];
                    ends.into_iter()
                        .flatten()
                        .map(|t| exact.timecode(t).to_string())
                        .collect()
                }),
                clips: media
                    .clips
                    .get(&segment.id)
                    .map(Vec::as_slice)
                    .unwrap_or_default(),
                thumbnail: media.thumbnails.get(&segment.id).map(String::as_str),
            })
            .collect(),
        replays: replays
            .iter()
            .zip(links)
            .map(|(replay, files)| {
                let request = replay.info.map(|info| &info.request);
                let timed = request.filter(|request| request.mode == Mode::Duration);
                let chosen = replay.chosen.iter().map(|choice| chosen(choice, &index));
                let left = |skipped: &Skipped| left_out(skipped, replay, exports, &index);
                ReplayView {
                    name: &replay.row.name,
                    track: replay.row.track.0,
                    processed: replay.row.processed,
                    total: replay.row.total_score.get(),
                    mode: request.map_or(Mode::Duration, |request| request.mode),
                    target: timed.map(|request| request.duration.rounded_seconds()),
                    limit: timed.map(|request| request.limit().rounded_seconds()),
                    mp4: media
                        .replays
                        .get(&replay.row.name)
                        .and_then(|m| m.mp4.as_deref()),
                    files,
                    chosen: chosen.collect(),
                    left: replay.left_out.iter().map(left).collect(),
                }
            })
            .collect(),
        gaps: state
            .gaps()
            .map(|gap| {
                let (start, end) = (gap.span.start, gap.span.end);
                (
                    start.rounded_seconds(),
                    end.rounded_seconds(),
                    gap.reason.as_str(),
                )
            })
            .collect(),
        errors: state
            .failures()
            .map(|failure| {
                let input = input_name(&failure.input);
                ErrorView {
                    place: match failure.position {
                        Some(position) => format!("Chunk {position} ({input})"),
                        None => input,
                    },
                    operator: failure.operator.clone(),
                    message: failure.message.clone(),
                }
            })
            .collect(),
        files,
    }
}

/// Recorded observations have no chunks: then the event ends with the last thing in it.
fn duration(exports: &Exports<'_>) -> MediaTime {
    let chunks = exports.state.end();
    if chunks > MediaTime::ZERO {
        return chunks;
    }
    let observed = exports
        .state
        .observations()
        .map(|observation| observation.end);
    let segments = exports.state.segments().filter_map(|segment| segment.end);
    observed.chain(segments).max().unwrap_or_default()
}

/// The lanes of all featurers, in the order of the spec, where there is one.
pub(super) fn lanes<'a>(state: &'a EventState, info: &EventInfo) -> Vec<Lane<'a>> {
    let mut lanes: BTreeMap<(&Name, Option<u32>), Lane<'_>> = BTreeMap::new();
    for observation in state.observations() {
        let track = observation.track.map(|track| track.0);
        let name = &observation.operator;
        let empty = || Lane {
            name,
            track,
            items: Vec::new(),
        };
        lanes
            .entry((name, track))
            .or_insert_with(empty)
            .items
            .push(Item(observation));
    }
    let place = |name: &Name| {
        let operators = &info.profile.operators;
        operators
            .iter()
            .position(|operator| &operator.name == name)
            .unwrap_or(operators.len())
    };
    let mut lanes: Vec<Lane<'_>> = lanes.into_values().collect();
    lanes.sort_by_key(|lane| place(lane.name));
    lanes
}

fn chosen(choice: &ChoiceRow, index: &BTreeMap<&SegmentId, usize>) -> ChoiceView {
    ChoiceView {
        segment: choice
            .segment
            .as_ref()
            .and_then(|id| index.get(id).copied()),
        start: choice.original.start.rounded_seconds(),
        end: choice.original.end.rounded_seconds(),
        from: choice.marks.start.rounded_seconds(),
        to: choice.marks.end.rounded_seconds(),
        score: choice.score.map(|score| score.get()),
        reason: choice.reason.clone(),
        features: choice
            .features
            .iter()
            .map(|feature| FeatureView {
                name: key_of(feature).to_string(),
                weight: feature.weight.map(|weight| weight.get()),
            })
            .collect(),
    }
}

fn left_out(
    skipped: &Skipped,
    replay: &Replay<'_>,
    exports: &Exports<'_>,
    index: &BTreeMap<&SegmentId, usize>,
) -> ChoiceView {
    let end = skipped.end.unwrap_or(skipped.start);
    let segment = skipped
        .segment
        .as_ref()
        .and_then(|id| exports.state.segment(id));
    let marks = segment.and_then(|segment| segment.effective(replay.row.track));
    let (from, to) = marks.map_or((skipped.start, end), |range| (range.start, range.end));
    ChoiceView {
        segment: skipped
            .segment
            .as_ref()
            .and_then(|id| index.get(id).copied()),
        start: skipped.start.rounded_seconds(),
        end: end.rounded_seconds(),
        from: from.rounded_seconds(),
        to: to.rounded_seconds(),
        score: skipped.score.map(|score| score.as_f64()),
        reason: skipped.reason.to_string(),
        features: Vec::new(),
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
