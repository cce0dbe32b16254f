//! Text about a game: lines that are read are written and read again as the same, errors name a
//! line that is there, and a selection keeps its limits.

use std::collections::BTreeSet;

use matchcut_model::lines::{
    LineError, ObservationLine, Record, Recording, SegmentLine, parse_feedback, parse_record,
    read_feedback, read_records,
};
use matchcut_model::observation::{Class, Observation};
use matchcut_model::replay::{
    Compat, FeatureKey, Feedback, Mode, Previous, ReplayRequest, Selection,
};
use matchcut_model::time::MediaTime;

use crate::parts;

/// More segments than this make the comparison of all with all slow, and find nothing more.
const MOST_RECORDS: usize = 2000;

pub(crate) fn run(data: &[u8]) {
    let mut recording = Recording::default();
    let mut requests = Vec::new();
    let mut feedback = Vec::new();
    for part in parts(data, 4) {
        match read_records("a.jsonl", part) {
            Ok(records) => {
                for record in records {
                    record_again(&record);
                    recording.add(record);
                }
            }
            Err(errors) => errors_of(&errors, part),
        }
        match read_feedback("a.jsonl", part) {
            Ok(rows) => {
                rows.iter().for_each(feedback_again);
                feedback.extend(rows);
            }
            Err(errors) => errors_of(&errors, part),
        }
        requests.extend(request(part));
        keys(part);
    }
    let size = recording.segments.len() + recording.observations.len() + recording.remarks.len();
    if size <= MOST_RECORDS {
        for request in &requests {
            select(&recording, request, &feedback);
        }
    }
}

fn errors_of(errors: &[LineError], part: &[u8]) {
    assert!(!errors.is_empty());
    let lines = part.iter().filter(|byte| **byte == b'\n').count() + 1;
    for error in errors {
        assert!((1..=lines).contains(&error.line), "{error}");
    }
    assert!(errors.is_sorted_by(|a, b| a.line < b.line));
}

fn record_again(record: &Record) {
    let observation = |observation: &Observation, class| {
        let line = ObservationLine {
            class,
            ..ObservationLine::new(observation)
        };
        serde_json::to_string(&line).expect("an observation is data")
    };
    let text = match record {
        Record::Segment(recorded) => {
            serde_json::to_string(&SegmentLine::new(&recorded.segment)).expect("a segment is data")
        }
        Record::Observation(said) => observation(said, Class::Featurer),
        Record::Remark(said) => observation(said, Class::Labeler),
    };
    assert!(!text.contains('\n'));
    let again = parse_record(text.as_bytes());
    let same = match (record, &again) {
        // The line of a segment is of all tracks.
        (Record::Segment(was), Ok(Some(Record::Segment(is)))) => was.segment == is.segment,
        (record, Ok(Some(again))) => record == again,
        _ => false,
    };
    assert!(same, "{record:?}\n{text}\n{again:?}");
}

fn feedback_again(feedback: &Feedback) {
    let text = serde_json::json!({
        "start": feedback.start.rounded_seconds(),
        "start_flicks": feedback.start.flicks(),
        "track": feedback.track,
        "side": feedback.side,
        "feedback": feedback.verdict,
    })
    .to_string();
    let again = parse_feedback(text.as_bytes());
    assert_eq!(again.as_ref(), Ok(&Some(*feedback)), "{text}");
}

fn request(part: &[u8]) -> Option<ReplayRequest> {
    let text = std::str::from_utf8(part).ok()?;
    let (request, _) = match ReplayRequest::from_json(text) {
        Ok(read) => read,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return None;
        }
    };
    let json = serde_json::to_string(&request).expect("a request is data");
    let again: ReplayRequest = serde_json::from_str(&json).expect("what was written is read");
    assert_eq!(request, again, "{json}");
    assert!(!request.duration.is_negative() && !request.tolerance.is_negative());
    Some(request)
}

/// Lines as keys of features.
fn keys(part: &[u8]) {
    let Ok(text) = std::str::from_utf8(part) else {
        return;
    };
    for line in text.lines().take(20) {
        if let Ok(key) = line.parse::<FeatureKey>() {
            let text = key.to_string();
            assert_eq!(text.parse::<FeatureKey>(), Ok(key), "{text}");
        }
    }
}

fn select(recording: &Recording, request: &ReplayRequest, feedback: &[Feedback]) {
    let selection = recording.select(request, feedback, &[]);
    let json = serde_json::to_string(&selection).expect("a selection is data");
    let again: Selection = serde_json::from_str(&json).expect("what was written is read");
    assert_eq!(selection, again, "{json}");

    let chosen: BTreeSet<_> = selection.selected.iter().map(|s| &s.segment).collect();
    for skipped in selection.left_out.iter().filter(|s| s.segment.is_some()) {
        // A segment that was recorded for several tracks stands there for each of them.
        let tracks = recording
            .segments
            .iter()
            .filter(|recorded| recorded.track.is_some());
        assert!(
            tracks.count() > 0 || !chosen.contains(&skipped.segment) || twice(recording),
            "{skipped:?} is chosen, too"
        );
    }
    let length: MediaTime = selection
        .selected
        .iter()
        .map(|selected| selected.effective.duration())
        .sum();
    if request.mode == Mode::Duration && request.compat == Compat::None {
        assert!(length <= request.limit(), "{length} in {request:?}");
    }

    // What was chosen before is no news.
    let previous: Vec<Previous> = selection.selected.iter().map(Previous::from).collect();
    let again = recording.select(request, feedback, &previous);
    assert_eq!(selection.selected, again.selected);
    if request.compat == Compat::None && !previous.is_empty() {
        assert!(!again.processed, "{request:?}");
    }
}

/// Whether a segment was recorded more than once.
fn twice(recording: &Recording) -> bool {
    let ids: BTreeSet<_> = recording.segments.iter().map(|r| &r.segment.id).collect();
    ids.len() < recording.segments.len()
}
