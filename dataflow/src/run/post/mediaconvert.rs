//! Sinks that have media made by MediaConvert are told which jobs there are to be: one for each clip when it can be
//! cut, and one for each replay when the event ends. What a job is follows from the log, so it is decided with the
//! epoch and stands in the outbox as it will be sent.

use std::collections::BTreeSet;
use std::path::Path;

use matchcut_media::file::MediaFile;
use matchcut_media::render::{Fit, RenderPlan, Transition};
use matchcut_model::change::{ClipRow, Row};
use matchcut_model::timeline::EventTimeline;
use matchcut_model::value::Name;
use matchcut_sinks::files::safe_file_name;
use matchcut_sinks::mediaconvert::{
    Asset, Between, Fit as CloudFit, Look, Loudness, Maker, MediaConvertOptions, Piece, Posted,
    Refused, Resolution, Wish,
};
use matchcut_sinks::messages::Told;
use matchcut_sinks::{EventInfo, ReplayInfo};

use super::super::clip_plan::{ClipPlanner, content, stem_of};
use super::super::clips::ClipMode;
use super::super::commit::pieces;
use super::super::media::content_of;
use super::super::wanted::Wanted;
use super::{End, Payloads, Teller};
use crate::plan::{Plan, PlanReplay, PlanSink};

pub(super) struct MediaConvertTeller {
    maker: Maker,
    planner: ClipPlanner,
    wanted: Wanted,
    /// Replays with what their videos are to be like, or why that cannot be.
    replays: Vec<(PlanReplay, Result<Look, String>)>,
    /// Replays that are not wanted any more, since the last epoch.
    withdrawn: Vec<Name>,
    /// The event is over: what replays come to now is made at once.
    over: bool,
}

impl MediaConvertTeller {
    /// Files of transitions are read here, once.
    pub fn new(
        sink: &PlanSink,
        plan: &Plan,
        options: MediaConvertOptions,
        info: &EventInfo,
        incarnation: &str,
    ) -> Self {
        let wanted = Wanted::named_by(sink, plan);
        let taken = plan
            .replays
            .iter()
            .filter(|replay| wanted.takes_replay(&replay.name));
        let replays = taken.map(|replay| (replay.clone(), look(replay.render.as_ref())));
        MediaConvertTeller {
            maker: Maker::new(options, (&info.program, &info.event), incarnation),
            planner: ClipPlanner::new(ClipMode::Render),
            replays: replays.collect(),
            withdrawn: Vec::new(),
            over: false,
            wanted,
        }
    }

    fn plan(&self, wish: &Wish, timeline: &EventTimeline) -> Posted {
        match self.maker.plan(wish, timeline) {
            Ok(request) => Posted::Make(Box::new(request)),
            Err(refused) => Posted::Refused(refused),
        }
    }

    fn clip(&self, clip: &ClipRow, timeline: &EventTimeline) -> Posted {
        let track = clip.track;
        let wish = Wish {
            subject: subject_of(clip),
            folder: "clips",
            name: format!("{}_t{track}", stem_of(&clip.segment)),
            content: clip.content.to_string(),
            pieces: vec![Piece {
                marks: clip.marks,
                track,
            }],
            look: Look::default(),
        };
        self.plan(&wish, timeline)
    }

    fn replay(
        &self,
        (replay, look): &(PlanReplay, Result<Look, String>),
        told: &Told<'_>,
    ) -> Option<Posted> {
        let pieces = pieces(told.state, replay);
        if pieces.is_empty() {
            return None;
        }
        let subject = subject_of_replay(&replay.name);
        let look = match look {
            Ok(look) => look.clone(),
            Err(reason) => {
                let reason = reason.clone();
                return Some(Posted::Refused(Refused { subject, reason }));
            }
        };
        let shown = pieces
            .iter()
            .map(|piece| content(piece.marks, told.timeline).0.to_be_bytes());
        let shown: Vec<[u8; 8]> = shown.collect();
        let shown: Vec<&[u8]> = shown.iter().map(<[u8; 8]>::as_slice).collect();
        let wish = Wish {
            subject,
            folder: "replays",
            name: safe_file_name(&replay.name),
            content: content_of(&shown).to_string(),
            pieces: pieces
                .iter()
                .map(|piece| Piece {
                    marks: piece.marks,
                    track: piece.track,
                })
                .collect(),
            look,
        };
        Some(self.plan(&wish, told.timeline))
    }
}

fn subject_of_replay(name: &Name) -> String {
    format!("replay {name}")
}

fn subject_of(clip: &ClipRow) -> String {
    format!("clip {} track {}", clip.segment, clip.track)
}

impl Teller for MediaConvertTeller {
    fn of_epoch(&mut self, told: &Told<'_>) -> Payloads {
        let changes = &told.changes.changes;
        let placed = changes.iter().find_map(|change| match &change.row {
            Row::Chunk(chunk) if change.diff > 0 => told.timeline.get(chunk.extent.position),
            _ => None,
        });
        let (clips, _) = self
            .planner
            .update(changes, told.timeline, placed, told.ends);
        let mut posted = Vec::new();
        let mut made = BTreeSet::new();
        for change in clips.iter().filter(|change| change.diff > 0) {
            if let Row::Clip(clip) = &change.row
                && self.wanted.takes_segments_of(&clip.segment.segmenter)
            {
                made.insert(subject_of(clip));
                posted.push(self.clip(clip, told.timeline));
            }
        }
        for change in clips.iter().filter(|change| change.diff < 0) {
            if let Row::Clip(clip) = &change.row {
                let subject = subject_of(clip);
                if !made.contains(&subject) {
                    posted.push(Posted::Gone { subject });
                }
            }
        }
        let gone = self
            .withdrawn
            .drain(..)
            .map(|name| subject_of_replay(&name));
        posted.extend(gone.map(|subject| Posted::Gone { subject }));
        let changed = |name: &Name| {
            changes.iter().any(|change| match &change.row {
                Row::Replay(row) => row.name == *name,
                Row::Choice(row) => row.replay == *name,
                _ => false,
            })
        };
        let (all, over) = (told.ends, self.over);
        let due = |name: &Name| all || over && changed(name);
        let replays = self.replays.iter().filter(|(replay, _)| due(&replay.name));
        posted.extend(replays.filter_map(|replay| self.replay(replay, told)));
        self.over |= told.ends;
        posted.iter().map(serde_json::to_string).collect()
    }

    fn of_end(&self, _: &End<'_>) -> Payloads {
        Ok(Vec::new())
    }

    fn ask(&mut self, replay: &PlanReplay, _: ReplayInfo) {
        self.replays.retain(|(known, _)| known.name != replay.name);
        let look = look(replay.render.as_ref());
        self.replays.push((replay.clone(), look));
        self.withdrawn.retain(|name| *name != replay.name);
    }

    fn withdraw(&mut self, name: &Name) {
        let before = self.replays.len();
        self.replays.retain(|(replay, _)| replay.name != *name);
        if self.replays.len() < before {
            self.withdrawn.push(name.clone());
        }
    }
}

/// What a video is to be like, in the words of MediaConvert. The quality of a local encoder means nothing to it.
fn look(plan: Option<&RenderPlan>) -> Result<Look, String> {
    let Some(plan) = plan else {
        return Ok(Look::default());
    };
    Ok(Look {
        resolution: plan
            .resolution
            .and_then(|size| Resolution::named(size.name)),
        fit: match plan.fit {
            Fit::Crop => CloudFit::Crop,
            Fit::Pad => CloudFit::Pad,
        },
        frame_rate: plan.frame_rate,
        max_bitrate: plan.max_bitrate,
        between: between(&plan.transition)?,
        loudness: plan.loudness.map(|loudness| Loudness {
            target: loudness.target,
            true_peak: loudness.true_peak,
        }),
    })
}

fn between(transition: &Transition) -> Result<Between, String> {
    Ok(match transition {
        Transition::None => Between::Nothing,
        Transition::Fade { out, into, colour } => Between::Fade {
            out: *out,
            into: *into,
            colour: *colour,
        },
        Transition::Image { path, duration } => {
            let (asset, bytes) = asset(path, "image/png")?;
            let size =
                size_of_png(&bytes).ok_or_else(|| format!("{}: it is no PNG", path.display()))?;
            Between::Image {
                asset,
                size,
                duration: *duration,
            }
        }
        Transition::Clip { path } => {
            let (asset, _) = asset(path, "application/octet-stream")?;
            let file = MediaFile::open(path);
            let file = file.map_err(|error| format!("{}: {error}", path.display()))?;
            Between::Clip {
                asset,
                duration: file.span().duration(),
            }
        }
    })
}

/// A file, named by what it holds.
fn asset(path: &Path, content_type: &str) -> Result<(Asset, Vec<u8>), String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let end = path
        .extension()
        .map(|end| end.to_string_lossy().to_lowercase());
    let name = format!("{}.{}", content_of(&[&bytes]), end.unwrap_or_default());
    let asset = Asset {
        path: path.to_owned(),
        name,
        content_type: content_type.to_owned(),
    };
    Ok((asset, bytes))
}

/// Width and height stand in the first chunk.
fn size_of_png(bytes: &[u8]) -> Option<(u32, u32)> {
    let head = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n")?;
    let number = |at: usize| Some(u32::from_be_bytes(head.get(at..at + 4)?.try_into().ok()?));
    Some((number(8)?, number(12)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use matchcut_media::render::RESOLUTIONS;

    /// The same names, sizes and ceilings here and there.
    #[test]
    fn sizes_are_those_of_a_local_renderer() {
        for size in RESOLUTIONS {
            let there = Resolution::named(size.name).unwrap();
            let numbers = (there.width, there.height, there.max_bitrate);
            assert_eq!(
                numbers,
                (size.width, size.height, size.max_bitrate),
                "{size}"
            );
        }
        assert_eq!(
            RESOLUTIONS.len(),
            matchcut_sinks::mediaconvert::RESOLUTIONS.len()
        );
    }

    #[test]
    fn pictures_of_a_transition_are_measured() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("still.PNG");
        let png = matchcut_sinks::mediaconvert::colour_png([1, 2, 3], (320, 180));
        std::fs::write(&path, &png).unwrap();
        let duration = matchcut_model::time::MediaTime::from_seconds(1);
        let transition = Transition::Image {
            path: path.clone(),
            duration,
        };
        let Ok(Between::Image { asset, size, .. }) = between(&transition) else {
            panic!("{:?}", between(&transition));
        };
        assert_eq!(size, (320, 180));
        assert!(
            asset.name.ends_with(".png") && asset.name.len() == 20,
            "{}",
            asset.name
        );
        std::fs::write(&path, "GIF89a").unwrap();
        assert!(
            between(&transition)
                .unwrap_err()
                .ends_with("still.PNG: it is no PNG")
        );
    }
}
