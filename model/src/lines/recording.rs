//! What observations files hold together: the input of a replay request that is answered without
//! decoding anything.

use std::collections::BTreeSet;

use super::read::{LineError, Record, read_records};
use crate::observation::Observation;
use crate::replay::{
    Compat, Feedback, Previous, Recorded, ReplayRequest, Selection, SelectionInput, select,
};
use crate::value::Name;

/// Segments and observations from any number of files, in the order read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// All segments.
    pub segments: Vec<Recorded>,
    /// What featurers said.
    pub observations: Vec<Observation>,
    /// What labelers and optimizers said, where that stands on lines of its own.
    pub remarks: Vec<Observation>,
}

/// A segmenter was named that said nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no segment is of \"{wanted}\"; there are segments of {}", .known.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", "))]
pub struct UnknownSegmenter {
    /// The name given.
    pub wanted: String,
    /// The names there are.
    pub known: BTreeSet<Name>,
}

impl Recording {
    /// Adds the lines of a file.
    pub fn read(&mut self, file: &str, bytes: &[u8]) -> Result<(), Vec<LineError>> {
        for record in read_records(file, bytes)? {
            self.add(record);
        }
        Ok(())
    }

    /// Adds what one line says.
    pub fn add(&mut self, record: Record) {
        match record {
            Record::Segment(segment) => self.segments.push(segment),
            Record::Observation(observation) => self.observations.push(observation),
            Record::Remark(remark) => self.remarks.push(remark),
        }
    }

    /// The segmenters that marked the segments.
    pub fn segmenters(&self) -> BTreeSet<Name> {
        self.segments
            .iter()
            .map(|recorded| recorded.segment.id.segmenter.clone())
            .collect()
    }

    /// Keeps only the segments of one segmenter. Without any segment every name is right.
    pub fn keep_segmenter(&mut self, wanted: &str) -> Result<(), UnknownSegmenter> {
        let known = self.segmenters();
        if !known.is_empty() && !known.contains(wanted) {
            return Err(UnknownSegmenter {
                wanted: wanted.to_owned(),
                known,
            });
        }
        self.segments
            .retain(|recorded| recorded.segment.id.segmenter == wanted);
        Ok(())
    }

    /// Answers one replay request.
    pub fn select(
        &self,
        request: &ReplayRequest,
        feedback: &[Feedback],
        previous: &[Previous],
    ) -> Selection {
        let featurers: BTreeSet<Name> = self
            .observations
            .iter()
            .map(|observation| observation.operator.clone())
            .collect();
        // What labelers say is never seen by MRE.
        let remarks = if request.compat == Compat::Mre {
            &[][..]
        } else {
            &self.remarks
        };
        let observations = [&self.observations, remarks].concat();
        select(&SelectionInput {
            segments: &self.segments,
            observations: &observations,
            featurers: &featurers,
            feedback,
            request,
            previous,
        })
    }
}
