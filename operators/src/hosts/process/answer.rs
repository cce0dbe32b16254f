//! What a program said, checked: only what its class says, in order, with the attributes that it declares.

use matchcut_model::chunk::ChunkExtent;
use matchcut_model::observation::Class;
use matchcut_model::time::{MediaTime, TimeRange};

use super::describe::Described;
use super::message::{Answered, SaidLabel, SaidMarks, SaidObservation, SaidSegment, Tail};
use crate::declared;
use crate::sdk::{Answer, Emission, SETTLE, Said, signature_of};

/// The signature of a chunk of which this was said.
pub(super) fn signature(
    said: Answered,
    own: &Described,
    chunk: &ChunkExtent,
) -> Result<Vec<u8>, String> {
    let Answered {
        rows,
        observations,
        segments,
        optimized,
        labels,
        tail,
        ..
    } = said;
    let nothing_else =
        segments.is_empty() && optimized.is_empty() && labels.is_empty() && tail.is_empty();
    if own.ordered {
        if !observations.is_empty() || !nothing_else {
            return Err("an operator that decides in order answers a chunk with rows".to_owned());
        }
        return serde_json::to_vec(&rows).map_err(|error| error.to_string());
    }
    if !rows.is_empty() || !nothing_else {
        return Err("a featurer answers a chunk with observations".to_owned());
    }
    let mut all = Vec::new();
    for observation in observations {
        let (start, end) = span(&observation)?;
        let near =
            |time: MediaTime| chunk.span.start - SETTLE <= time && time <= chunk.span.end + SETTLE;
        if !near(start) {
            return Err(format!(
                "an observation at {start} s is not of its chunk, which is {} s to {} s; times are flicks \
                 on the timeline of the event",
                chunk.span.start, chunk.span.end
            ));
        }
        declared::check(&observation.attributes, &own.attributes)?;
        let attributes = observation.attributes;
        all.push(Said {
            start,
            end,
            attributes,
        });
    }
    signature_of(all)
}

/// The answer to a step.
pub(super) fn of_step(
    said: Answered,
    state: Vec<u8>,
    own: &Described,
    max_segment: MediaTime,
) -> Result<Answer, String> {
    if !said.rows.is_empty() {
        return Err("a step has no rows; they are what is said of a chunk".to_owned());
    }
    let check = Check { own, max_segment };
    let said_now = Tail {
        observations: said.observations,
        segments: said.segments,
        optimized: said.optimized,
        labels: said.labels,
    };
    Ok(Answer {
        emissions: check.all(said_now, false)?,
        tail: check.all(said.tail, true)?,
        state,
    })
}

struct Check<'a> {
    own: &'a Described,
    max_segment: MediaTime,
}

impl Check<'_> {
    fn all(&self, said: Tail, open: bool) -> Result<Vec<Emission>, String> {
        let class = self.own.class;
        for (empty, of, what) in [
            (
                said.observations.is_empty(),
                Class::Featurer,
                "observations",
            ),
            (said.segments.is_empty(), Class::Segmenter, "segments"),
            (
                said.optimized.is_empty(),
                Class::Optimizer,
                "optimized marks",
            ),
            (said.labels.is_empty(), Class::Labeler, "labels"),
        ] {
            if !empty && of != class {
                return Err(format!("a {class} says no {what}"));
            }
        }
        let mut emissions = Vec::new();
        for observation in said.observations {
            let (start, end) = span(&observation)?;
            declared::check(&observation.attributes, &self.own.attributes)?;
            let attributes = observation.attributes;
            emissions.push(Emission::Observation {
                start,
                end,
                attributes,
            });
        }
        for segment in said.segments {
            emissions.push(self.segment(segment, open)?);
        }
        for marks in said.optimized {
            emissions.push(self.marks(marks)?);
        }
        for label in said.labels {
            emissions.push(self.label(label)?);
        }
        Ok(emissions)
    }

    fn segment(&self, said: SaidSegment, open: bool) -> Result<Emission, String> {
        let (start, end) = (said.start.0, said.end.map(|end| end.0));
        match end {
            None if !open => {
                return Err(format!(
                    "the segment that begins at {start} s has no end; put it into \"tail\""
                ));
            }
            Some(end) if end <= start => {
                return Err(format!(
                    "a segment ends at {end} s, not after its start at {start} s"
                ));
            }
            Some(end) if end - start > self.max_segment => {
                return Err(format!(
                    "the segment from {start} s to {end} s is longer than max_segment ({} s)",
                    self.max_segment
                ));
            }
            _ => {}
        }
        declared::check(&said.attributes, &self.own.attributes)?;
        let attributes = said.attributes;
        Ok(Emission::Segment {
            start,
            end,
            attributes,
        })
    }

    fn marks(&self, said: SaidMarks) -> Result<Emission, String> {
        let (start, end) = (said.start.0, said.end.0);
        if end < start {
            return Err(format!(
                "optimized marks end at {end} s, before their start at {start} s"
            ));
        }
        declared::check(&said.attributes, &self.own.attributes)?;
        Ok(Emission::Optimized {
            segment: said.segment.0,
            track: said.track,
            marks: TimeRange::new(start, end),
            attributes: said.attributes,
        })
    }

    fn label(&self, said: SaidLabel) -> Result<Emission, String> {
        declared::check(&said.attributes, &self.own.attributes)?;
        Ok(Emission::Labelled {
            segment: said.segment.0,
            label: said.label,
            attributes: said.attributes,
        })
    }
}

impl Tail {
    fn is_empty(&self) -> bool {
        self.observations.is_empty()
            && self.segments.is_empty()
            && self.optimized.is_empty()
            && self.labels.is_empty()
    }
}

fn span(said: &SaidObservation) -> Result<(MediaTime, MediaTime), String> {
    let start = said.start.0;
    let end = said.end.map_or(start, |end| end.0);
    match start <= end {
        true => Ok((start, end)),
        false => Err(format!(
            "an observation ends at {end} s, before its start at {start} s"
        )),
    }
}
