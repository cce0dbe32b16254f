//! Segments and replays as cuts of an edit list.

use matchcut_model::change::ChoiceRow;
use matchcut_model::chunk::TrackNumber;
use matchcut_model::segment::Segment;
use matchcut_model::time::{MediaTime, TimeRange};

use crate::edl::{Cut, EdlFiles, EdlSubject, write};
use crate::error::SinkError;
use crate::exact::Exact;
use crate::info::EventInfo;

/// Writes edit lists of one event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EditLists<'a> {
    pub(crate) info: &'a EventInfo,
    pub(crate) exact: &'a Exact<'a>,
}

impl EditLists<'_> {
    /// All complete segments with the marks that count on `track`.
    pub(crate) fn event<'a>(
        &self,
        segments: impl Iterator<Item = &'a Segment>,
        track: TrackNumber,
    ) -> Result<EdlFiles, SinkError> {
        let cuts: Vec<Cut> = segments
            .filter_map(|segment| Some(self.cut(segment.effective(track)?, clip_name(segment))))
            .collect();
        self.write(&self.info.event, track, &cuts)
    }

    /// The pieces of a replay in its order. `name_of` names a piece by its segment.
    pub(crate) fn replay<'a>(
        &self,
        replay: &str,
        track: TrackNumber,
        chosen: impl Iterator<Item = &'a ChoiceRow>,
        name_of: impl Fn(&ChoiceRow) -> Option<String>,
    ) -> Result<EdlFiles, SinkError> {
        let cuts: Vec<Cut> = chosen
            .map(|choice| {
                let name = name_of(choice).unwrap_or_else(|| at(choice.original.start));
                self.cut(choice.marks, name)
            })
            .collect();
        self.write(&format!("{} {replay}", self.info.event), track, &cuts)
    }

    fn cut(&self, marks: TimeRange, name: String) -> Cut {
        let (source_in, source_out) = self.exact.frames().frames_of(marks);
        Cut {
            source_in,
            source_out,
            name,
        }
    }

    fn write(&self, title: &str, track: TrackNumber, cuts: &[Cut]) -> Result<EdlFiles, SinkError> {
        let frames = self.exact.frames();
        let subject = EdlSubject {
            title,
            source: &self.info.source,
            track,
            video: frames.has_video(),
            source_zero: self.exact.zero(),
        };
        Ok(write(&subject, cuts, &self.info.edl)?)
    }
}

/// What a clip is called: its label, else its segmenter and when it starts.
pub(crate) fn clip_name(segment: &Segment) -> String {
    segment
        .label
        .clone()
        .filter(|label| !label.trim().is_empty())
        .unwrap_or_else(|| format!("{} {}", segment.id.segmenter, at(segment.start())))
}

fn at(time: MediaTime) -> String {
    format!("{time} s")
}
