//! The video of a chunk: decoded in decode order, put into order of presentation, scaled to the views
//! that take the frame, and handed on with the stream's own times.

use gstreamer as gst;
use gstreamer_video::{VideoFrameRef, VideoInfo};
use matchcut_model::frame::{Frame, FrameChoice, ViewSpec};
use matchcut_model::time::Timestamp;

use super::order::Ordered;
use super::run::{self, Setup, Unit};
use super::{Deadline, DecodeError, DecodePlan, DecodeReport, FrameSink, codec, likely, preroll};
use crate::samples::{Sample, VideoTrack};
use crate::view::{self, UnsupportedFormat, Viewer};

/// Decodes `track` and counts what came of it in `report`.
pub(super) fn decode(
    track: &VideoTrack,
    before: Option<&VideoTrack>,
    plan: &DecodePlan,
    deadline: Deadline,
    sink: &mut dyn FrameSink,
    report: &mut DecodeReport,
    remarks: &mut Vec<String>,
) -> Result<(), DecodeError> {
    let few = likely::wanted(&track.samples, &plan.views).filter(|_| !plan.check_video);
    let (units, shown) = match &few {
        Some(few) => few_units(track, few),
        None => all_units(track, before),
    };
    if units.is_empty() {
        return Ok(());
    }
    // What was decoded before the chunk comes first.
    let complete = shown.first() == Some(&None);
    let setup = Setup {
        element: codec::choose_video(track)?,
        caps: codec::video_caps(track),
        threads: plan.threads_per_decoder,
        max_errors: -1,
    };
    let mut emitter = Emitter::new(track, before, plan, sink);
    let mut ordered = Ordered::new();
    let mut formats = Formats::default();
    let mut damaged = 0;
    let said = run::run(&setup, &units, deadline, |decoded| {
        // Frames that belong to the chunk before, or to nothing that was put in, end here.
        let Some(sample) = decoded.unit.and_then(|unit| *shown.get(unit)?) else {
            return Ok(());
        };
        let info = formats.of(&decoded.caps)?;
        // After a start in an open group the decoder doubts its first pictures, and goes on doubting
        // some that are whole; with the pre-roll decoded there is no reason to.
        if !complete && decoded.buffer.flags().contains(gst::BufferFlags::CORRUPTED) {
            damaged += 1;
        }
        ordered.add(emitter.rank(sample), (info, decoded.buffer));
        while let Some((rank, (info, buffer))) = ordered.next(false) {
            emitter.emit(rank, &info, &buffer)?;
        }
        Ok(())
    })?;
    while let Some((rank, (info, buffer))) = ordered.next(true) {
        emitter.emit(rank, &info, &buffer)?;
    }
    let frames = emitter.frames;
    let samples = shown.iter().flatten().count();
    if frames == 0 {
        let message = said
            .or_else(|| diagnose(&setup, &units, deadline))
            .unwrap_or_else(|| "the decoder gave no frame and no reason".to_owned());
        let stream = format!("the video ({})", track.codec);
        return Err(DecodeError::NothingDecoded {
            stream,
            samples,
            message,
        });
    }
    report.frames = frames;
    report.lost_frames = (samples as u64).saturating_sub(frames);
    report.damaged_frames = damaged;
    if report.lost_frames > 0 {
        remarks.push(format!(
            "{} of {samples} access units gave no frame",
            report.lost_frames
        ));
    }
    if damaged > 0 {
        remarks.push(format!("{damaged} of {frames} frames are damaged"));
    }
    if ordered.late() > 0 {
        remarks.push(format!("{} frames came too late or twice", ordered.late()));
    }
    if let Some(said) = said {
        remarks.push(format!("the video decoder says: {said}"));
    }
    Ok(())
}

/// What to feed, and for each unit the sample of the chunk that it is.
type Units<'a> = (Vec<Unit<'a>>, Vec<Option<usize>>);

/// These samples of the chunk alone. Each group of pictures among them begins with its key frame.
fn few_units<'a>(track: &'a VideoTrack, few: &[bool]) -> Units<'a> {
    let taken = few.iter().enumerate().filter(|(_, taken)| **taken);
    let samples: Vec<usize> = taken.map(|(sample, _)| sample).collect();
    let mut units: Vec<Unit<'a>> = samples
        .iter()
        .filter_map(|sample| track.samples.get(*sample))
        .map(plain)
        .collect();
    if let Some(first) = units.first_mut() {
        first.prefix = track.parameter_sets.annex_b();
    }
    (units, samples.into_iter().map(Some).collect())
}

fn plain(sample: &Sample) -> Unit<'_> {
    Unit {
        sample,
        prefix: Vec::new(),
    }
}

/// The pre-roll, then the chunk.
fn all_units<'a>(track: &'a VideoTrack, before: Option<&'a VideoTrack>) -> Units<'a> {
    let before_units = preroll::of_video(track, before);
    let dropped = before_units.len();
    let mut units: Vec<Unit<'a>> = before_units.into_iter().map(plain).collect();
    let before_sets = before.filter(|_| dropped > 0).map(|b| &b.parameter_sets);
    if let (Some(first), Some(sets)) = (units.first_mut(), before_sets) {
        first.prefix = sets.annex_b();
    }
    units.extend(track.samples.iter().map(plain));
    // Sets may stand only outside the samples, or only before an earlier key frame. Sets in the
    // samples come after these and win.
    if before_sets != Some(&track.parameter_sets)
        && let Some(first) = units.get_mut(dropped)
    {
        first.prefix = track.parameter_sets.annex_b();
    }
    let shown = std::iter::repeat_n(None, dropped);
    (
        units,
        shown.chain((0..track.samples.len()).map(Some)).collect(),
    )
}

/// Decodes again with a decoder that stops at its first error, only to learn its words for it.
fn diagnose(setup: &Setup<'_>, units: &[Unit<'_>], deadline: Deadline) -> Option<String> {
    let strict = Setup {
        caps: setup.caps.clone(),
        max_errors: 0,
        ..*setup
    };
    run::run(&strict, units, deadline, |_| Ok(()))
        .ok()
        .flatten()
}

/// The layout that caps describe, worked out once per change.
#[derive(Default)]
struct Formats(Option<(gst::Caps, VideoInfo)>);

impl Formats {
    fn of(&mut self, caps: &gst::Caps) -> Result<VideoInfo, UnsupportedFormat> {
        match &self.0 {
            Some((known, info)) if known == caps => Ok(info.clone()),
            _ => {
                let info =
                    VideoInfo::from_caps(caps).map_err(|_| UnsupportedFormat(caps.to_string()))?;
                self.0 = Some((caps.clone(), info.clone()));
                Ok(info)
            }
        }
    }
}

/// Hands frames to the sink.
struct Emitter<'a> {
    plan: &'a DecodePlan,
    sink: &'a mut dyn FrameSink,
    viewer: Viewer,
    /// Times in order of presentation.
    times: Vec<Timestamp>,
    /// Place in that order of each sample.
    ranks: Vec<usize>,
    /// For each place and view, whether the view takes the frame.
    wanted: Vec<bool>,
    frames: u64,
}

impl<'a> Emitter<'a> {
    fn new(
        track: &VideoTrack,
        before: Option<&VideoTrack>,
        plan: &'a DecodePlan,
        sink: &'a mut dyn FrameSink,
    ) -> Self {
        let mut shown: Vec<usize> = (0..track.samples.len()).collect();
        shown.sort_by_key(|index| track.samples[*index].pts);
        let mut ranks = vec![0; shown.len()];
        for (rank, index) in shown.iter().enumerate() {
            ranks[*index] = rank;
        }
        let times: Vec<Timestamp> = shown
            .iter()
            .map(|index| track.pts(&track.samples[*index]))
            .collect();
        let mut previous = previous_frame(track, before, times.first().copied());
        let mut wanted = Vec::with_capacity(times.len() * plan.views.len());
        let few = |view: &ViewSpec| view.frames == FrameChoice::Likely;
        let likely = if plan.views.iter().any(few) {
            likely::of(&track.samples)
        } else {
            Vec::new()
        };
        for (time, sample) in times.iter().zip(&shown) {
            wanted.extend(plan.views.iter().map(|v| {
                let chosen = !few(v) || likely.get(*sample).copied().unwrap_or(false);
                chosen && view::takes(v.rate, previous, *time)
            }));
            previous = Some(*time);
        }
        let viewer = Viewer::new(&plan.views);
        Emitter {
            plan,
            sink,
            viewer,
            times,
            ranks,
            wanted,
            frames: 0,
        }
    }

    fn rank(&self, sample: usize) -> usize {
        self.ranks[sample]
    }

    fn emit(
        &mut self,
        rank: usize,
        info: &VideoInfo,
        buffer: &gst::BufferRef,
    ) -> Result<(), DecodeError> {
        self.frames += 1;
        let views = self.plan.views.len();
        let wanted = &self.wanted[rank * views..(rank + 1) * views];
        if !wanted.contains(&true) {
            return Ok(());
        }
        let frame = VideoFrameRef::from_buffer_ref_readable(buffer, info)
            .map_err(|error| UnsupportedFormat(format!("{} ({error})", info.name())))?;
        let pts = self.times[rank];
        let time = pts.time() + self.plan.offset;
        let sink = &mut self.sink;
        self.viewer
            .render(rank as u64, &frame, wanted, |view, spec, data| {
                sink.video(
                    view,
                    &Frame {
                        time,
                        pts,
                        index: rank as u64,
                        width: spec.width,
                        height: spec.height,
                        format: spec.format,
                        data,
                    },
                );
            })?;
        Ok(())
    }
}

/// When the frame before the first of the chunk is shown: as the chunk before says, else one frame
/// earlier.
fn previous_frame(
    track: &VideoTrack,
    before: Option<&VideoTrack>,
    first: Option<Timestamp>,
) -> Option<Timestamp> {
    let first = first?;
    let known = before
        .filter(|b| b.timescale == track.timescale)
        .and_then(|b| {
            b.samples
                .iter()
                .map(|s| s.pts)
                .filter(|pts| *pts < first.ticks)
                .max()
        });
    let ticks = known.or_else(|| track.frame_ticks().map(|ticks| first.ticks - ticks))?;
    Some(Timestamp {
        ticks,
        timescale: track.timescale,
    })
}
