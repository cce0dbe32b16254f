//! OpenTimelineIO documents (`.otio`). A replay is a track of pictures and one of sound with the
//! same edits. An event is the source with its holes left open, a marker for each segment, and,
//! switched off, tracks with the segments in their places: what an editor switches on is there.
//!
//! Times are frames with the exact rate. Addresses are relative to the document.

use matchcut_model::chunk::TrackNumber;
use serde_json::{Map, Value as Json, json};

use crate::export::Link;
use crate::sequence::{Cut, Edit, FrameRange, Sequence, Source, one_line, url_path};

/// Writes documents that lie in a directory `up` (`../` for each level) below the results.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Otio<'a> {
    pub(crate) link: Link,
    pub(crate) up: &'a str,
}

impl Otio<'_> {
    /// A list with its edits one after the other.
    pub(crate) fn list(&self, list: &Sequence, about: Map<String, Json>) -> Json {
        let clips: Vec<Json> = self.children(list, &list.edits);
        let mut tracks = Vec::new();
        if list.video {
            tracks.push(track("V1", "Video", true, Json::Null, clips.clone()));
        }
        tracks.push(sound(list.track, clips));
        timeline(list, tracks, Vec::new(), about)
    }

    /// The event: `whole` is cut at its holes, `segments` holds the segments of each audio track.
    pub(crate) fn event(
        &self,
        whole: &Sequence,
        segments: &[Sequence],
        about: Map<String, Json>,
    ) -> Json {
        let mut tracks = Vec::new();
        let runs = self.children(whole, &whole.edits);
        if whole.video {
            tracks.push(track("V1", "Video", true, Json::Null, runs.clone()));
        }
        tracks.extend(segments.iter().map(|list| sound(list.track, runs.clone())));
        let kind = if whole.video { "Video" } else { "Audio" };
        for list in segments {
            for (number, lane) in (1..).zip(lanes(&list.edits)) {
                let name = match number {
                    1 => format!("Segments {}", list.track),
                    _ => format!("Segments {} ({number})", list.track),
                };
                let about = json!({ "audio_track": list.track, "segments": true });
                let lane: Vec<Edit> = lane.into_iter().cloned().collect();
                tracks.push(track(&name, kind, false, about, self.children(list, &lane)));
            }
        }
        // The marks on the first track; those on the others stand on their tracks.
        let first = segments.first();
        let edits = first.into_iter().flat_map(|list| &list.edits);
        let markers = edits.map(|edit| marker(&edit.cut, edit.record, whole));
        timeline(whole, tracks, markers.collect(), about)
    }

    /// Clips with gaps between those that do not touch.
    fn children(&self, list: &Sequence, edits: &[Edit]) -> Vec<Json> {
        let mut children = Vec::new();
        let mut at = 0;
        for edit in edits {
            if edit.record.first > at {
                children.push(gap(edit.record.first - at, list));
            }
            children.push(self.clip(edit, list));
            at = edit.record.end;
        }
        children
    }

    fn clip(&self, edit: &Edit, list: &Sequence) -> Json {
        let cut = &edit.cut;
        let source = &list.source;
        let file = cut.file.as_ref().filter(|_| self.link == Link::Clips);
        let (reference, place) = match file {
            Some(file) => {
                let url = format!("{}{}", self.up, url_path(&file.path));
                let available = FrameRange::new(0, file.frames.len());
                let reference = external(&url, available, list);
                (reference, cut.source.shifted(-file.frames.first))
            }
            None => {
                let zero = source.zero.frame();
                let available = FrameRange::new(zero, zero + source.frames);
                let place = cut.source.shifted(zero);
                (self.source(source, available, list), place)
            }
        };
        let mut about = cut.details.clone();
        let frames = json!([cut.source.first, cut.source.end]);
        about.insert("source_frames".into(), frames);
        if let Some(file) = &cut.file {
            about.insert("clip".into(), json!(file.path));
        }
        let markers = match cut.segment {
            Some(_) => vec![marker(cut, place, list)],
            None => Vec::new(),
        };
        json!({
            "OTIO_SCHEMA": "Clip.2",
            "metadata": { "matchcut": about },
            "name": one_line(&cut.name),
            "source_range": range(place, list),
            "effects": [],
            "markers": markers,
            "enabled": true,
            "media_references": { "DEFAULT_MEDIA": reference },
            "active_media_reference_key": "DEFAULT_MEDIA",
        })
    }

    fn source(&self, source: &Source, available: FrameRange, list: &Sequence) -> Json {
        match &source.address {
            Some(address) => external(address, available, list),
            None => json!({
                "OTIO_SCHEMA": "MissingReference.1",
                "metadata": {},
                "name": source.name,
                "available_range": null,
                "available_image_bounds": null,
            }),
        }
    }
}

fn external(url: &str, available: FrameRange, list: &Sequence) -> Json {
    json!({
        "OTIO_SCHEMA": "ExternalReference.1",
        "metadata": {},
        "name": list.source.name,
        "available_range": if available.is_empty() { Json::Null } else { range(available, list) },
        "available_image_bounds": null,
        "target_url": url,
    })
}

/// Edits dealt out so that none overlap on a lane: each goes to the first lane that is free.
fn lanes(edits: &[Edit]) -> Vec<Vec<&Edit>> {
    let mut lanes: Vec<Vec<&Edit>> = Vec::new();
    for edit in edits {
        let free = |lane: &&mut Vec<&Edit>| {
            lane.last()
                .is_none_or(|last| last.record.end <= edit.record.first)
        };
        match lanes.iter_mut().find(free) {
            Some(lane) => lane.push(edit),
            None => lanes.push(vec![edit]),
        }
    }
    lanes
}

fn marker(cut: &Cut, at: FrameRange, list: &Sequence) -> Json {
    json!({
        "OTIO_SCHEMA": "Marker.2",
        "metadata": { "matchcut": { "segment": cut.segment } },
        "name": one_line(&cut.name),
        "color": cut.colour.name().to_uppercase(),
        "marked_range": range(at, list),
        "comment": one_line(&cut.note),
    })
}

fn gap(frames: i64, list: &Sequence) -> Json {
    json!({
        "OTIO_SCHEMA": "Gap.1",
        "metadata": {},
        "name": "",
        "source_range": range(FrameRange::new(0, frames), list),
        "effects": [],
        "markers": [],
        "enabled": true,
    })
}

fn sound(number: TrackNumber, clips: Vec<Json>) -> Json {
    let about = json!({ "audio_track": number });
    track(&format!("A{number}"), "Audio", true, about, clips)
}

fn track(name: &str, kind: &str, enabled: bool, about: Json, children: Vec<Json>) -> Json {
    let metadata = match about {
        Json::Null => json!({}),
        about => json!({ "matchcut": about }),
    };
    json!({
        "OTIO_SCHEMA": "Track.1",
        "metadata": metadata,
        "name": name,
        "source_range": null,
        "effects": [],
        "markers": [],
        "enabled": enabled,
        "children": children,
        "kind": kind,
    })
}

fn timeline(
    list: &Sequence,
    tracks: Vec<Json>,
    markers: Vec<Json>,
    mut about: Map<String, Json>,
) -> Json {
    let rate = list.frame_rate();
    about.insert("frame_rate".into(), json!(rate.to_string()));
    about.insert("drop_frame".into(), json!(list.rate.is_drop_frame()));
    about.insert("source".into(), json!(list.source.name));
    about.insert(
        "source_timecode".into(),
        json!(list.source.zero.to_string()),
    );
    json!({
        "OTIO_SCHEMA": "Timeline.1",
        "metadata": { "matchcut": about },
        "name": one_line(&list.title),
        "global_start_time": time(list.record_start.frame(), list),
        "tracks": {
            "OTIO_SCHEMA": "Stack.1",
            "metadata": {},
            "name": "tracks",
            "source_range": null,
            "effects": [],
            "markers": markers,
            "enabled": true,
            "children": tracks,
        },
    })
}

fn range(frames: FrameRange, list: &Sequence) -> Json {
    json!({
        "OTIO_SCHEMA": "TimeRange.1",
        "start_time": time(frames.first, list),
        "duration": time(frames.len(), list),
    })
}

/// The form knows times as floating-point numbers only; a count of frames is exact in them.
fn time(frame: i64, list: &Sequence) -> Json {
    json!({
        "OTIO_SCHEMA": "RationalTime.1",
        "value": frame as f64,
        "rate": list.frame_rate().as_f64(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sequence::tests::{cut, subject};

    #[test]
    fn lanes_hold_no_two_at_once() {
        let cuts = vec![
            cut(0, 10, "a"),
            cut(5, 15, "b"),
            cut(10, 12, "c"),
            cut(14, 16, "d"),
        ];
        let list = Sequence::placed(subject(25, 1), cuts, |cut| cut.source.first);
        let names: Vec<Vec<&str>> = lanes(&list.edits)
            .iter()
            .map(|lane| lane.iter().map(|edit| edit.cut.name.as_str()).collect())
            .collect();
        assert_eq!(names, [vec!["a", "c", "d"], vec!["b"]]);
    }
}
