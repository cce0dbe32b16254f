//! What became of segments in an epoch. Each segment is told once an epoch, with everything that holds
//! of it, and with the words for what is new.

use std::collections::BTreeMap;
use std::sync::Arc;

use matchcut_model::change::{Change, Row};
use matchcut_model::segment::{Segment, SegmentId};
use serde_json::{Value as Json, json};

use super::{Outgoing, Topic, event_bus};
use crate::exact::Exact;

/// A segment before and after an epoch.
#[derive(Default)]
struct Pair {
    before: Option<Arc<Segment>>,
    after: Option<Arc<Segment>>,
}

/// What happened to a segment, the furthest first: this is what the message is called.
fn words(before: Option<&Segment>, after: Option<&Segment>) -> Vec<&'static str> {
    let Some(after) = after else {
        return vec!["retracted"];
    };
    let mut words = Vec::new();
    let had = |of: fn(&Segment) -> bool| before.is_some_and(of);
    if after.end.is_some() && !had(|segment| segment.end.is_some()) {
        words.push("complete");
    }
    if after.end.is_none() && before.is_none() {
        words.push("partial");
    }
    let opto = before.map(|segment| &segment.opto);
    if opto.map_or(!after.opto.is_empty(), |opto| *opto != after.opto) {
        words.push("optimized");
    }
    let label = before.and_then(|segment| segment.label.as_ref());
    if label != after.label.as_ref() {
        words.push("labelled");
    }
    let Some(before) = before else { return words };
    let moved = before.end != after.end && before.end.is_some();
    if moved || before.attributes != after.attributes {
        words.push("revised");
    }
    words
}

pub(super) fn tell(
    net: &[Change],
    exact: &Exact<'_>,
    out: &mut Outgoing<'_>,
) -> Result<(), serde_json::Error> {
    let mut pairs: BTreeMap<SegmentId, Pair> = BTreeMap::new();
    for Change { row, diff } in net {
        if let Row::Segment(segment) = row {
            let pair = pairs.entry(segment.id.clone()).or_default();
            match *diff > 0 {
                true => pair.after = Some(Arc::clone(segment)),
                false => pair.before = Some(Arc::clone(segment)),
            }
        }
    }
    for (id, Pair { before, after }) in pairs {
        let Some(told) = after.as_ref().or(before.as_ref()) else {
            continue;
        };
        let words = words(before.as_deref(), after.as_deref());
        let Some(&first) = words.first() else {
            continue;
        };
        let line: Json = serde_json::to_value(exact.segment(told))?;
        let name = id.to_string();
        let data = json!({ "change": first, "changes": words, "segment": line });
        let kind = format!("matchcut.segment.{first}");
        out.push(Topic::Segments, &kind, &name, data);
        let state = after.as_ref().map(|_| json!({ "segment": line }));
        out.state(Topic::SegmentsState, "matchcut.segment.state", &name, state);
        for (state, detail) in event_bus::of_segment(out.info, &words, told) {
            out.notify(state, detail);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use matchcut_model::chunk::TrackNumber;
    use matchcut_model::time::{MediaTime, TimeRange};
    use matchcut_model::value::Name;

    use super::*;

    #[test]
    fn what_happened_is_said_with_the_furthest_first() {
        let at = MediaTime::from_seconds;
        let open = Segment::new(Name::new("rally"), at(1), None);
        let closed = Segment {
            end: Some(at(5)),
            ..open.clone()
        };
        let mut full = closed.clone();
        full.label = Some("15:0".to_owned());
        full.opto
            .insert(TrackNumber::FIRST, TimeRange::new(at(0), at(6)));
        let longer = Segment {
            end: Some(at(6)),
            ..full.clone()
        };
        assert_eq!(words(None, Some(&open)), ["partial"]);
        assert_eq!(words(Some(&open), Some(&closed)), ["complete"]);
        assert_eq!(
            words(None, Some(&full)),
            ["complete", "optimized", "labelled"]
        );
        assert_eq!(words(Some(&closed), Some(&full)), ["optimized", "labelled"]);
        assert_eq!(words(Some(&full), Some(&longer)), ["revised"]);
        assert_eq!(words(Some(&full), None), ["retracted"]);
        assert_eq!(words(Some(&full), Some(&full)), [""; 0]);
    }
}
