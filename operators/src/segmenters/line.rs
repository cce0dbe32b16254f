//! What every segmenter promises: segments in order that do not overlap, none empty, none outside
//! the event, none with the start of another. It is kept here once.

use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::value::Attributes;

use crate::sdk::{Emission, MAX_SEGMENT, OptionError, Step};

/// The part of the timeline that is known, and what of it segments have taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// Where the event begins.
    begin: Option<MediaTime>,
    /// How far the event is known to go.
    reach: MediaTime,
    /// End of the last segment.
    taken: Option<MediaTime>,
    /// Segments that are decided and end beyond what is known of the event.
    waiting: Vec<(TimeRange, Attributes)>,
}

impl Line {
    /// Takes note of a step. To be called before anything else is done with it.
    pub(crate) fn see(&mut self, step: &Step<'_>) {
        if let Some(extent) = step.extent {
            let start = extent.span.start.max(MediaTime::ZERO);
            self.begin.get_or_insert(start);
            self.reach = self.reach.max(extent.span.end);
        } else if !step.observations.is_empty() {
            self.begin.get_or_insert(MediaTime::ZERO);
        }
        self.reach = self.reach.max(step.watermark);
        if step.end_of_event {
            self.reach = step.watermark;
        }
    }

    /// Where the event begins, once anything of it is known.
    pub(crate) fn begin(&self) -> Option<MediaTime> {
        self.begin
    }

    /// How far the event is known to go; its end at the end of the event.
    pub(crate) fn reach(&self) -> MediaTime {
        self.reach
    }

    /// The end of the last segment.
    pub(crate) fn taken(&self) -> Option<MediaTime> {
        self.taken
    }

    /// The first free instant at or after `start`.
    pub(crate) fn clamp(&self, start: MediaTime) -> MediaTime {
        let begin = self.begin.unwrap_or(MediaTime::ZERO);
        start.max(begin).max(self.taken.unwrap_or(begin))
    }

    /// Decides on a segment. It leaves with [`Line::flush`].
    pub(crate) fn mark(&mut self, start: MediaTime, end: MediaTime) {
        self.mark_with(start, end, Attributes::new());
    }

    /// Decides on a segment of which something is said.
    pub(crate) fn mark_with(&mut self, start: MediaTime, end: MediaTime, attributes: Attributes) {
        let start = self.clamp(start);
        if end > start {
            self.taken = Some(end);
            self.waiting.push((TimeRange { start, end }, attributes));
        }
    }

    /// Emits what is decided and lies inside the event. To be called at the end of every step.
    pub(crate) fn flush(&mut self, step: &Step<'_>, emit: &mut Vec<Emission>) {
        let reach = self.reach;
        self.waiting.retain(|(segment, attributes)| {
            let end = if step.end_of_event {
                segment.end.min(reach)
            } else {
                segment.end
            };
            if end > reach {
                return true;
            }
            if end > segment.start {
                emit.push(Emission::Segment {
                    start: segment.start,
                    end: Some(end),
                    attributes: attributes.clone(),
                });
            }
            false
        });
    }

    /// Emits what is open: decided segments that wait for the event to go on, and `open`.
    pub(crate) fn tail(&self, open: Option<MediaTime>, emit: &mut Vec<Emission>) {
        for start in self
            .waiting
            .iter()
            .map(|(segment, _)| segment.start)
            .chain(open)
        {
            emit.push(Emission::Segment {
                start,
                end: None,
                attributes: Attributes::new(),
            });
        }
    }
}

/// No limit may be shorter: a clip shorter than this is of no use, and a long event has many.
const SHORTEST_LIMIT: MediaTime = MediaTime::from_millis(100);

/// The longest segment, from the option `max_segment`.
pub(crate) fn longest(option: Option<MediaTime>) -> Result<MediaTime, OptionError> {
    let longest = option.unwrap_or(MAX_SEGMENT);
    if longest < SHORTEST_LIMIT {
        return Err(OptionError::new("max_segment", "less than 0.1 s"));
    }
    Ok(longest)
}
