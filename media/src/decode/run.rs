//! Feeds access units to a decoder and finds out which of them each buffer that comes out was made
//! of. Times never travel through the decoder: it gets evenly spaced ones, and every unit carries a
//! mark that comes back with its frame.

use gstreamer as gst;
use gstreamer::ReferenceTimestampMeta;

use super::element::{Output, Stage, StageError};
use super::{Deadline, DecodeError};
use crate::samples::{Sample, SyncKind};

/// The distance of two units in the decoder's time.
const SPACING: u64 = 10_000_000;
/// Decoder time starts here, so that nothing in it is ever negative.
const ORIGIN: u64 = 1_000_000_000_000;

/// How often a key frame that does not begin the stream may be given to the decoder. H.264 numbers
/// its frames on from those before; libav fills the gap with empty pictures, as many as there may be
/// reference frames (at most 16), and GStreamer's wrapper takes those for pictures of this unit and
/// drops it. Each try fills a part of the gap.
const MOST_TRIES: usize = 17;

/// A unit to decode.
pub(crate) struct Unit<'a> {
    pub(crate) sample: &'a Sample,
    /// Bytes to put before it: parameter sets.
    pub(crate) prefix: Vec<u8>,
}

/// What a decoder gave, with the index of the unit it belongs to (`None` when it did not say).
pub(crate) struct Decoded {
    pub(crate) unit: Option<usize>,
    pub(crate) caps: gst::Caps,
    pub(crate) buffer: gst::Buffer,
}

/// How to start the decoder.
pub(crate) struct Setup<'a> {
    pub(crate) element: &'a str,
    pub(crate) caps: gst::Caps,
    pub(crate) threads: u32,
    /// Consecutive errors after which the decoder gives up; -1 for never.
    pub(crate) max_errors: i32,
}

/// Decodes `units` in order. Everything that comes out goes to `emit`. Returns what the decoder
/// complained about.
pub(crate) fn run(
    setup: &Setup<'_>,
    units: &[Unit<'_>],
    deadline: Deadline,
    mut emit: impl FnMut(Decoded) -> Result<(), DecodeError>,
) -> Result<Option<String>, DecodeError> {
    let marks = gst::Caps::new_empty_simple("timestamp/x-matchcut-unit");
    let mut stage = Stage::start(setup.element, &setup.caps, |stage| {
        stage.set(
            "max-threads",
            i32::try_from(setup.threads.max(1)).unwrap_or(1),
        );
        stage.set("max-errors", setup.max_errors);
    })
    .map_err(|StageError { element, message }| DecodeError::Decoder { element, message })?;
    // Only a decoder of one thread says at once that it could not use a unit.
    let can_tell = setup.threads <= 1 && stage.has("max-errors");
    let shown = order_of_presentation(units);
    let mut caps = None;
    let mut stopped = None;
    for (index, unit) in units.iter().enumerate() {
        deadline.check(index, units.len())?;
        let new = || buffer_of(unit, index, shown.rank[index], &marks);
        let mut taken = false;
        if unit.sample.sync == SyncKind::OpenGop && can_tell {
            stage.set("max-errors", 0);
            taken = (0..MOST_TRIES).any(|_| stage.try_push(new()));
            stage.set("max-errors", setup.max_errors);
        }
        if !taken && let Err(error) = stage.push(new()) {
            let (message, all) = (error.message, units.len());
            stopped = Some(format!("{index} of {all} access units in: {message}"));
        }
        drain(&mut stage, &marks, &shown.unit, &mut caps, &mut emit)?;
        if stopped.is_some() {
            break;
        }
    }
    stage.finish();
    drain(&mut stage, &marks, &shown.unit, &mut caps, &mut emit)?;
    deadline.check(units.len(), units.len())?;
    Ok(stopped.or_else(|| stage.complaints().summary()))
}

struct Shown {
    /// Place in order of presentation of each unit.
    rank: Vec<usize>,
    /// The unit at each place.
    unit: Vec<usize>,
}

fn order_of_presentation(units: &[Unit<'_>]) -> Shown {
    let mut unit: Vec<usize> = (0..units.len()).collect();
    unit.sort_by_key(|index| units[*index].sample.pts);
    let mut rank = vec![0; units.len()];
    for (place, index) in unit.iter().enumerate() {
        rank[*index] = place;
    }
    Shown { rank, unit }
}

fn buffer_of(unit: &Unit<'_>, index: usize, rank: usize, marks: &gst::Caps) -> gst::Buffer {
    let sample = unit.sample;
    let mut buffer = if unit.prefix.is_empty() {
        gst::Buffer::from_slice(sample.data.clone())
    } else {
        let mut data = Vec::with_capacity(unit.prefix.len() + sample.data.len());
        data.extend_from_slice(&unit.prefix);
        data.extend_from_slice(&sample.data);
        gst::Buffer::from_mut_slice(data)
    };
    if let Some(buffer) = buffer.get_mut() {
        buffer.set_pts(gst::ClockTime::from_nseconds(
            ORIGIN + rank as u64 * SPACING,
        ));
        if !sample.sync.is_key() {
            buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        let mark = gst::ClockTime::from_nseconds(index as u64);
        ReferenceTimestampMeta::add(buffer, marks, mark, gst::ClockTime::NONE);
    }
    buffer
}

fn drain(
    stage: &mut Stage,
    marks: &gst::Caps,
    shown: &[usize],
    caps: &mut Option<gst::Caps>,
    emit: &mut impl FnMut(Decoded) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    while let Some(output) = stage.take() {
        match output {
            Output::Caps(new) => *caps = Some(new),
            Output::Buffer(buffer) => {
                if let Some(caps) = caps.clone() {
                    emit(Decoded {
                        unit: unit_of(&buffer, marks, shown),
                        caps,
                        buffer,
                    })?;
                }
            }
        }
    }
    Ok(())
}

/// The unit that a buffer was made of: by its mark, else by its place in decoder time.
fn unit_of(buffer: &gst::BufferRef, marks: &gst::Caps, shown: &[usize]) -> Option<usize> {
    let mark = buffer
        .iter_meta::<ReferenceTimestampMeta>()
        .find(|meta| meta.reference() == marks.as_ref())
        .map(|meta| meta.timestamp().nseconds());
    if let Some(mark) = mark {
        return usize::try_from(mark)
            .ok()
            .filter(|unit| *unit < shown.len());
    }
    let since = buffer.pts()?.nseconds().checked_sub(ORIGIN)?;
    if since % SPACING != 0 {
        return None;
    }
    shown.get(usize::try_from(since / SPACING).ok()?).copied()
}
