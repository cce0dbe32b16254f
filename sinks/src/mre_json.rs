//! Event and replay as JSON in the shape of MRE's exports, for clients that read those. Times are
//! seconds; places of files are relative to the directory of results. Where MRE's own exporter is
//! wrong, this writes what it means:
//!
//! - `FeaturesFound` of an event's segment is what any operator observed in it, not only what its
//!   segmenter says: attributes that are true or hold text. Measured numbers are no features.
//! - `AllOutputAttributes` names each attribute once.
//! - `Feedback` is of its own track only.
//! - An operator without attributes, and a replay of given times, are no errors.
//! - `Event.Start` is the time of day of the first frame; where no chunk has a time of day it is
//!   the start of 1970, so that it still is a time.

use std::collections::{BTreeMap, BTreeSet};

use matchcut_model::change::{ChoiceRow, EventState, FoundFeature};
use matchcut_model::chunk::TrackNumber;
use matchcut_model::observation::Class;
use matchcut_model::replay::{Mode, Reason, ReplayRequest, Side, Verdict, Verdicts};
use matchcut_model::segment::{Segment, SegmentId};
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::timeline::EventTimeline;
use matchcut_model::value::{Attributes, Name, Value};
use serde_json::{Map, Value as Json, json};

use crate::exact::{Exact, utc_text};
use crate::found::Observed;
use crate::info::{EventInfo, Media, OperatorInfo};
use crate::replay_document::{Replay, key_of};

/// What MRE calls the picture as it came, where it names a size otherwise.
const ORIGINAL_SIZE: &str = "Original";

/// Everything that the exports of one event are made from.
#[derive(Debug)]
pub(crate) struct Exports<'a> {
    pub(crate) state: &'a EventState,
    pub(crate) timeline: &'a EventTimeline,
    pub(crate) info: &'a EventInfo,
    pub(crate) media: &'a Media,
    pub(crate) observed: &'a Observed<'a>,
    pub(crate) exact: &'a Exact<'a>,
}

impl Exports<'_> {
    /// Audio tracks of the event; the first where no chunk was seen.
    pub(crate) fn tracks(&self) -> BTreeSet<TrackNumber> {
        let heard = self
            .state
            .chunks()
            .flat_map(|chunk| chunk.extent.audio_tracks.iter().copied());
        let optimized = self
            .state
            .segments()
            .flat_map(|segment| segment.opto.keys().copied());
        let asked = self.state.replays().map(|replay| replay.track);
        let mut tracks: BTreeSet<_> = heard.chain(optimized).collect();
        if tracks.is_empty() {
            tracks.extend(asked);
        }
        if tracks.is_empty() {
            tracks.insert(TrackNumber::FIRST);
        }
        tracks
    }

    /// `exports/event.json`.
    pub(crate) fn event(&self) -> Json {
        let segments: Vec<Json> = self
            .segments()
            .map(|segment| self.segment(segment))
            .collect();
        json!({ "Event": self.event_head(), "Segments": segments })
    }

    /// `exports/replay_NAME.json`.
    pub(crate) fn replay(&self, replay: &Replay<'_>) -> Json {
        let segments: Vec<Json> = replay
            .chosen
            .iter()
            .map(|choice| self.replay_segment(choice, replay))
            .collect();
        json!({
            "Event": self.event_head(),
            "Replay": self.replay_head(replay),
            "Segments": segments,
        })
    }

    /// Complete segments: an open one has no `End`, which clients rely on.
    fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.state
            .segments()
            .filter(|segment| segment.end.is_some())
    }

    fn event_head(&self) -> Json {
        let start = self.timeline.utc_of(MediaTime::ZERO).unwrap_or(0);
        json!({
            "Name": self.info.event,
            "Id": self.info.id,
            "Program": self.info.program,
            "Start": utc_text(start).unwrap_or_default(),
            "AudioTracksFound": self.tracks(),
            "AllOutputAttributes": self.all_attributes(),
            "EmbeddedTimecodeSource": self.info.timecode_source,
            "Profile": self.profile(),
        })
    }

    fn operators(&self, class: Class) -> impl Iterator<Item = &OperatorInfo> {
        self.info
            .profile
            .operators
            .iter()
            .filter(move |operator| operator.class == class)
    }

    /// By class as MRE lists them, each once.
    fn all_attributes(&self) -> Vec<&str> {
        let classes = [
            Class::Optimizer,
            Class::Labeler,
            Class::Featurer,
            Class::Segmenter,
        ];
        let mut seen = BTreeSet::from(["Label", "label", "*"]);
        classes
            .into_iter()
            .flat_map(|class| self.operators(class))
            .flat_map(|operator| &operator.attributes)
            .map(Name::as_str)
            .filter(|&name| seen.insert(name))
            .collect()
    }

    /// MRE knows one operator of each class but featurers; more of a class stand in a list beside
    /// the first.
    fn profile(&self) -> Json {
        let info = &self.info.profile;
        let mut profile = Map::new();
        profile.insert("Name".into(), info.name.as_str().into());
        if let Some(duration) = info.chunk_duration {
            profile.insert("ChunkSize".into(), duration.rounded_seconds().into());
        }
        profile.insert(
            "MaxSegmentLengthSeconds".into(),
            info.max_segment.rounded_seconds().into(),
        );
        let rate = self.exact.frames().rate().nominal();
        profile.insert("ProcessingFrameRate".into(), rate.into());
        let mut used = BTreeSet::new();
        for (class, name, others) in [
            (Class::Segmenter, "Classifier", "OtherClassifiers"),
            (Class::Optimizer, "Optimizer", "OtherOptimizers"),
            (Class::Labeler, "Labeler", "OtherLabelers"),
        ] {
            let mut of_class: Vec<Json> = self
                .operators(class)
                .map(|operator| self.plugin(operator, &mut used))
                .collect();
            if of_class.is_empty() {
                continue;
            }
            profile.insert(name.into(), of_class.remove(0));
            if !of_class.is_empty() {
                profile.insert(others.into(), of_class.into());
            }
        }
        // What others depend on stands with them; the rest runs for its own sake.
        let free: Vec<&OperatorInfo> = self
            .operators(Class::Featurer)
            .filter(|o| !used.contains(&o.name))
            .collect();
        let featurers: Vec<Json> = free
            .into_iter()
            .map(|operator| self.plugin(operator, &mut BTreeSet::new()))
            .collect();
        if !featurers.is_empty() {
            profile.insert("Featurers".into(), featurers.into());
        }
        profile.into()
    }

    fn plugin(&self, operator: &OperatorInfo, used: &mut BTreeSet<Name>) -> Json {
        json!({
            "Name": operator.name,
            "Configuration": operator.options,
            "DependentPlugins": self.dependencies(operator, used),
        })
    }

    /// The featurers that an operator reads, directly (level 1) or through others, breadth first,
    /// each once with the operators that read it.
    fn dependencies(&self, operator: &OperatorInfo, used: &mut BTreeSet<Name>) -> Vec<Json> {
        let by_name: BTreeMap<&Name, &OperatorInfo> = self
            .operators(Class::Featurer)
            .map(|featurer| (&featurer.name, featurer))
            .collect();
        let mut found: Vec<(&OperatorInfo, u32, Vec<&Name>)> = Vec::new();
        let mut readers = vec![operator];
        for level in 1.. {
            let mut next: Vec<&OperatorInfo> = Vec::new();
            for reader in readers {
                for input in reader.inputs.iter().filter_map(|input| by_name.get(input)) {
                    match found
                        .iter_mut()
                        .find(|(known, ..)| known.name == input.name)
                    {
                        Some((_, _, parents)) => {
                            if !parents.contains(&&reader.name) {
                                parents.push(&reader.name);
                            }
                        }
                        None => {
                            found.push((input, level, vec![&reader.name]));
                            next.push(input);
                        }
                    }
                }
            }
            if next.is_empty() {
                break;
            }
            readers = next;
        }
        used.extend(found.iter().map(|(dependency, ..)| dependency.name.clone()));
        found
            .into_iter()
            .map(|(dependency, level, parents)| {
                json!({
                    "Name": dependency.name,
                    "Configuration": dependency.options,
                    "DependentFor": parents,
                    "Level": level,
                    "SupportedMediaType": if dependency.audio { "Audio" } else { "Video" },
                })
            })
            .collect()
    }

    fn segment(&self, segment: &Segment) -> Json {
        let by_track = |time: fn(&TimeRange) -> MediaTime| -> Map<String, Json> {
            segment
                .opto
                .iter()
                .map(|(track, range)| (track.to_string(), time(range).rounded_seconds().into()))
                .collect()
        };
        let mut original = Map::new();
        let mut optimized = Map::new();
        for clip in self.media.clips.get(&segment.id).into_iter().flatten() {
            let of_side = if segment.opto.contains_key(&TrackNumber(clip.track)) {
                &mut optimized
            } else {
                &mut original
            };
            of_side.insert(clip.track.to_string(), clip.path.as_str().into());
        }
        let mut json = json!({
            "Start": segment.start().rounded_seconds(),
            "End": segment.end.map(|end| end.rounded_seconds()),
            "HourElapsed": hour_elapsed(segment.start()),
            "OptoStart": by_track(|range| range.start),
            "OptoEnd": by_track(|range| range.end),
            "OptimizedClipLocation": optimized,
            "OriginalClipLocation": original,
        });
        if let Some(object) = json.as_object_mut() {
            if let Some(thumbnail) = self.media.thumbnails.get(&segment.id) {
                let side = if segment.opto.is_empty() {
                    "OriginalThumbnailLocation"
                } else {
                    "OptimizedThumbnailLocation"
                };
                object.insert(side.into(), thumbnail.as_str().into());
            }
            if let Some(label) = &segment.label {
                object.insert("Label".into(), label.as_str().into());
            }
            object.insert("FeaturesFound".into(), self.features_found(segment).into());
            object.insert("Feedback".into(), self.feedback(segment.start()).into());
        }
        json
    }

    fn features_found(&self, segment: &Segment) -> Vec<String> {
        let mut found: BTreeSet<&str> = true_attributes(&segment.attributes).collect();
        let marks: BTreeSet<_> = self
            .tracks()
            .into_iter()
            .filter_map(|track| Some((track, segment.effective(track)?)))
            .collect();
        for (track, range) in marks {
            let heard = self
                .observed
                .during(range)
                .filter(|observation| observation.is_on(track));
            found.extend(heard.flat_map(|observation| true_attributes(&observation.attributes)));
        }
        found.into_iter().map(str::to_owned).collect()
    }

    fn feedback(&self, start: MediaTime) -> Vec<Json> {
        let verdicts: Verdicts = self.info.feedback.iter().collect();
        let tracks: BTreeSet<TrackNumber> = self.info.feedback.iter().map(|f| f.track).collect();
        tracks
            .into_iter()
            .filter_map(|track| {
                let mut said = Map::new();
                for (side, name) in [
                    (Side::Original, "OriginalFeedback"),
                    (Side::Optimized, "OptimizedFeedback"),
                ] {
                    let verdict = match verdicts.at(start, track, side) {
                        Verdict::None => continue,
                        Verdict::Like => "Like",
                        Verdict::Dislike => "Dislike",
                    };
                    said.insert(name.into(), verdict.into());
                }
                (!said.is_empty()).then(|| json!({ track.to_string(): said }))
            })
            .collect()
    }

    fn replay_head(&self, replay: &Replay<'_>) -> Json {
        let request = replay.info.map(|info| &info.request);
        let mut head = Map::new();
        if let Some(request) = request.filter(|request| request.mode == Mode::Duration) {
            head.insert("Duration".into(), request.duration.rounded_seconds().into());
            head.insert(
                "EqualDistribution".into(),
                yes_no(request.equal_distribution),
            );
        }
        head.insert("Id".into(), replay.row.name.as_str().into());
        head.insert("AudioTrack".into(), replay.row.track.0.into());
        head.insert(
            "FeaturesSelected".into(),
            request.map(features_selected).unwrap_or_default().into(),
        );
        let media = self
            .media
            .replays
            .get(&replay.row.name)
            .cloned()
            .unwrap_or_default();
        let format = match (&media.mp4, &media.hls) {
            (Some(_), _) => "Mp4",
            (None, Some(_)) => "Hls",
            (None, None) => "N/A",
        };
        head.insert("ReplayFormat".into(), format.into());
        let sizes = if media.mp4.is_some() {
            vec![ORIGINAL_SIZE]
        } else {
            Vec::new()
        };
        head.insert("Resolutions".into(), sizes.into());
        let catchup = request.is_some_and(|request| request.catchup);
        head.insert("Catchup".into(), yes_no(catchup));
        let thumbnail = replay
            .chosen
            .iter()
            .find_map(|choice| self.thumbnail(choice));
        if let Some(hls) = media.hls {
            head.insert("HlsLocation".into(), hls.into());
            if let Some(thumbnail) = thumbnail {
                head.insert("HlsThumbnailLoc".into(), thumbnail.into());
            }
        }
        if let Some(mp4) = media.mp4 {
            let clips = json!({ ORIGINAL_SIZE: { "ReplayClips": [mp4] } });
            head.insert("Mp4Location".into(), clips);
            let pictures: Vec<&str> = thumbnail.into_iter().collect();
            let pictures = json!({ ORIGINAL_SIZE: { "ReplayThumbnails": pictures } });
            head.insert("Mp4ThumbnailLocation".into(), pictures);
        }
        head.into()
    }

    fn thumbnail(&self, choice: &ChoiceRow) -> Option<&str> {
        self.media
            .thumbnails
            .get(choice.segment.as_ref()?)
            .map(String::as_str)
    }

    fn replay_segment(&self, choice: &ChoiceRow, replay: &Replay<'_>) -> Json {
        let of_segment = |id: &SegmentId| self.state.segment(id).map(|s| self.segment(s));
        let mut json = choice
            .segment
            .as_ref()
            .and_then(of_segment)
            .unwrap_or_else(|| {
                json!({
                    "Start": choice.original.start.rounded_seconds(),
                    "End": choice.original.end.rounded_seconds(),
                    "HourElapsed": hour_elapsed(choice.original.start),
                    "OptoStart": {}, "OptoEnd": {},
                    "OptimizedClipLocation": {}, "OriginalClipLocation": {},
                    "FeaturesFound": [],
                    "Feedback": self.feedback(choice.original.start),
                })
            });
        let liked = choice.reason == Reason::Liked.to_string();
        let features: Vec<Json> = if liked {
            vec![json!({ "Reason": "Segment manually included" })]
        } else {
            let weighed = replay
                .info
                .is_none_or(|info| info.request.mode == Mode::Duration);
            choice
                .features
                .iter()
                .map(|feature| feature_of(feature, weighed))
                .collect()
        };
        if let Some(found) = json
            .as_object_mut()
            .and_then(|map| map.get_mut("FeaturesFound"))
        {
            *found = features.into();
        }
        json
    }
}

/// The hour of the event that a segment starts in, counted from 1, as text like MRE has it.
fn hour_elapsed(start: MediaTime) -> String {
    let hour = MediaTime::from_seconds(3600).flicks();
    (start.flicks().div_euclid(hour) + 1).to_string()
}

fn yes_no(flag: bool) -> Json {
    if flag { "Y".into() } else { "N".into() }
}

fn true_attributes(attributes: &Attributes) -> impl Iterator<Item = &str> {
    attributes
        .iter()
        .filter(|(_, value)| match value {
            Value::Bool(flag) => *flag,
            Value::Text(text) => !text.is_empty(),
            _ => false,
        })
        .map(|(name, _)| name.as_str())
        .filter(|name| !name.eq_ignore_ascii_case("label"))
}

fn features_selected(request: &ReplayRequest) -> Vec<Json> {
    request
        .priorities
        .iter()
        .map(|priority| {
            let mut feature = Map::new();
            feature.insert("FeatureName".into(), priority.key.attribute.as_str().into());
            feature.insert("FeatureValue".into(), json!(priority.key.value));
            match priority.weight {
                Some(weight) => feature.insert("Weight".into(), json!(weight)),
                None => feature.insert("Include".into(), priority.include.unwrap_or(false).into()),
            };
            feature.into()
        })
        .collect()
}

fn feature_of(feature: &FoundFeature, weighed: bool) -> Json {
    let key = key_of(feature);
    let value = key.value.plain_text();
    let mut json = Map::new();
    let name = format!("{} | {} | {value}", feature.operator, key.attribute);
    json.insert("Name".into(), name.into());
    json.insert("AttribName".into(), key.attribute.as_str().into());
    json.insert("AttribValue".into(), json!(key.value));
    json.insert("PluginName".into(), feature.operator.as_str().into());
    match feature.weight.filter(|_| weighed) {
        // As a value, since that writes whole numbers without a fraction.
        Some(weight) => json.insert("Weight".into(), json!(Value::from(weight.get()))),
        None => json.insert("Include".into(), true.into()),
    };
    json.into()
}
