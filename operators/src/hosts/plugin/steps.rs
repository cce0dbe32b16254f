//! Plugins that decide in order: segmenters, optimizers, labelers, and featurers that read others. Where one fails, or
//! says nothing in time, what was remembered stays, and the next chunk goes on from there.

use std::sync::Arc;

use matchcut_model::chunk::TrackNumber;
use matchcut_model::observation::Class;
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::value::Name;
use serde_json::Value as Json;

use super::asking::Asking;
use super::memory::{Marked, Memory, end, start};
use crate::board::{Row, View, millis};
use crate::hosts::lambda::{Media, attributes_of};
use crate::sdk::{Answer, Caller, Emission, Step};

/// How far before a mark MRE looks for ranges that reach it.
const LOOK_BACK: MediaTime = MediaTime::from_seconds(60);

/// How often a plugin is asked about a segment of which it says nothing.
const PATIENT: u32 = 10;

/// What of a row is no attribute.
const TIMES: [&str; 2] = ["Start", "End"];

pub(super) struct Steps(pub(super) Arc<Asking>);

impl Caller for Steps {
    fn call(&self, step: &Step<'_>, state: &[u8]) -> Result<Answer, String> {
        let own = &self.0.own;
        let mut memory = Memory::read(state)?;
        let there = memory.see(step, own)?;
        let mut told = Told {
            asking: &self.0,
            memory,
            emissions: Vec::new(),
            tail: Vec::new(),
        };
        match own.class() {
            Class::Featurer => told.features(step, there),
            Class::Segmenter => told.segments(step, there),
            Class::Optimizer | Class::Labeler => told.of_segments(step),
        }
        Ok(Answer {
            emissions: told.emissions,
            tail: told.tail,
            state: told.memory.write()?,
        })
    }
}

struct Told<'a> {
    asking: &'a Asking,
    memory: Memory,
    emissions: Vec<Emission>,
    tail: Vec<Emission>,
}

impl Told<'_> {
    fn fail(&mut self, message: String) {
        self.emissions.push(Emission::Failure { message });
    }

    /// What the plugin says of the last chunk; nothing where it failed.
    fn ask(&mut self, track: Option<u32>, view: View) -> Option<Vec<Row>> {
        let payload = self.memory.payload.clone()?;
        match self.asking.ask(&payload, self.memory.asked_at, track, view) {
            Ok(rows) => Some(rows),
            Err(message) => {
                self.fail(message);
                None
            }
        }
    }

    /// The times of a row.
    fn span(&self, row: &Row) -> Result<(MediaTime, MediaTime), String> {
        let time = |seconds: f64| {
            let time = self.memory.time(seconds).filter(|time| !time.is_negative());
            time.ok_or_else(|| format!("{seconds} is no time of the event"))
        };
        if !row.get("Start").is_some_and(Json::is_number) {
            return Err("a result has no Start".to_owned());
        }
        let span = (time(start(row))?, time(end(row))?);
        match span.0 <= span.1 {
            true => Ok(span),
            false => Err(format!(
                "a result ends at {} s, before its start at {} s",
                span.1, span.0
            )),
        }
    }

    /// A featurer that reads others.
    fn features(&mut self, step: &Step<'_>, there: bool) {
        if there {
            let view = View {
                rows: self.memory.rows.clone(),
                ..View::default()
            };
            let track = step.track.map(|track| track.0);
            for row in self.ask(track, view).unwrap_or_default() {
                let attributes = attributes_of(&row, &self.asking.attributes, &TIMES);
                match self.span(&row).and_then(|span| Ok((span, attributes?))) {
                    Ok(((start, end), attributes)) => self.emissions.push(Emission::Observation {
                        start,
                        end,
                        attributes,
                    }),
                    Err(message) => self.fail(message),
                }
            }
        }
        // MRE tells such a plugin what was said of its own chunk.
        self.memory.rows.clear();
    }

    /// A segmenter.
    fn segments(&mut self, step: &Step<'_>, there: bool) {
        let own = &self.asking.own;
        let plugin = own.plugin();
        if let (true, Some(extent)) = (there, step.extent) {
            let before = extent.span.start.to_millis();
            let prior = self.memory.segments.iter().rev();
            let prior = prior
                .clone()
                .find(|marked| marked.start.to_millis() < before);
            let prior = prior.cloned();
            let view = View {
                prior: prior.map(|marked| self.memory.segment(&marked, &plugin, own)),
                rows: self.memory.rows.clone(),
                segments: Vec::new(),
            };
            let mut rows = self.ask(None, view).unwrap_or_default();
            rows.sort_by(|a, b| start(a).total_cmp(&start(b)));
            for row in rows {
                if let Err(message) = self.mark(&row) {
                    self.fail(message);
                }
            }
        }
        let reach = step.extent.map_or(step.watermark, |extent| extent.span.end);
        self.close(reach, step.end_of_event);
        // What the next chunk asks for begins behind this.
        let last = self.memory.segments.iter().rev();
        let last = last.clone().find(|marked| marked.start < reach);
        let from = match last {
            Some(marked) => marked.end.unwrap_or(marked.start),
            None => reach - own.max_segment,
        };
        self.memory.forget_until(from.min(reach));
        let open = self
            .memory
            .segments
            .iter()
            .filter(|marked| marked.end.is_none());
        self.tail.extend(open.map(|marked| Emission::Segment {
            start: marked.start,
            end: None,
            attributes: marked.attributes.clone(),
        }));
    }

    /// Takes over a segment that the plugin marks: open, or with an end.
    fn mark(&mut self, row: &Row) -> Result<(), String> {
        let (begin, close) = self.span(row)?;
        let complete = millis(start(row)) != millis(end(row));
        let longest = self.asking.own.max_segment;
        if complete && close - begin > longest {
            return Err(format!(
                "the segment from {begin} s to {close} s is longer than max_segment ({longest} s)"
            ));
        }
        let attributes = attributes_of(row, &self.asking.attributes, &TIMES)?;
        let at = millis(start(row));
        let mut known = self.memory.segments.iter_mut();
        let known = known.find(|marked| marked.start.to_millis() == at);
        let marked = Marked {
            start: begin,
            end: complete.then_some(close),
            attributes: attributes.clone(),
            chunk: self.memory.chunk,
            asked: 0,
        };
        let begin = match known {
            Some(known) if known.end.is_some() => {
                return match known.end == marked.end || !complete {
                    // MRE's plugins may say again what they said.
                    true => Ok(()),
                    false => Err(format!(
                        "the segment at {begin} s ended at {} s; that it ends at {close} s comes too late",
                        known.end.unwrap_or(begin)
                    )),
                };
            }
            Some(known) => {
                let begin = known.start;
                *known = Marked {
                    start: begin,
                    ..marked
                };
                begin
            }
            None => {
                // There is one open segment: the one that was marked last.
                if !complete {
                    self.memory.segments.retain(|marked| marked.end.is_some());
                }
                self.memory.keep(marked);
                begin
            }
        };
        if complete {
            self.emissions.push(Emission::Segment {
                start: begin,
                end: Some(close),
                attributes,
            });
        }
        Ok(())
    }

    /// Closes what is open for too long, and everything at the end of the event.
    fn close(&mut self, reach: MediaTime, at_end: bool) {
        let longest = self.asking.own.max_segment;
        let mut gone = Vec::new();
        for marked in self
            .memory
            .segments
            .iter_mut()
            .filter(|marked| marked.end.is_none())
        {
            let latest = marked.start + longest;
            let end = match reach >= latest {
                true => latest,
                false if at_end => reach,
                false => continue,
            };
            if end <= marked.start {
                gone.push(marked.start);
                continue;
            }
            marked.end = Some(end);
            self.emissions.push(Emission::Segment {
                start: marked.start,
                end: Some(end),
                attributes: marked.attributes.clone(),
            });
        }
        self.memory
            .segments
            .retain(|marked| !gone.contains(&marked.start));
    }

    /// An optimizer or a labeler: it is asked about segments as soon as all that it looks at has passed.
    fn of_segments(&mut self, step: &Step<'_>) {
        let own = &self.asking.own;
        for segment in step.segments {
            self.memory.keep(Marked {
                start: segment.start(),
                end: segment.end,
                attributes: segment.attributes.clone(),
                chunk: self.memory.chunk,
                asked: 0,
            });
        }
        let ahead = match own.class() {
            Class::Optimizer => own.look_ahead,
            _ => MediaTime::ZERO,
        };
        let is_due = |marked: &Marked| {
            let end = marked.end.unwrap_or(marked.start);
            step.end_of_event || end + ahead <= step.watermark
        };
        let due: Vec<Marked> = self
            .memory
            .segments
            .iter()
            .filter(|m| is_due(m))
            .cloned()
            .collect();
        if !due.is_empty() {
            let mut done = Vec::new();
            for track in self.tracks() {
                let plugin = self.classifier(step);
                let segments = due.iter();
                let segments: Vec<Row> = segments
                    .map(|marked| self.memory.segment(marked, &plugin, own))
                    .collect();
                let view = View {
                    prior: None,
                    rows: self.memory.rows.clone(),
                    segments,
                };
                for row in self.ask(track, view).unwrap_or_default() {
                    let at = millis(start(&row));
                    let mut due = due.iter();
                    let Some(marked) = due.find(|marked| marked.start.to_millis() == at) else {
                        self.fail(format!("there is no segment at {} s", start(&row)));
                        continue;
                    };
                    let said = match own.class() {
                        Class::Optimizer => self.optimized(marked, &row, track),
                        _ => self.labelled(marked, &row),
                    };
                    match said {
                        Ok(Some(emission)) => {
                            self.emissions.push(emission);
                            done.push(marked.start);
                        }
                        Ok(None) => {}
                        Err(message) => self.fail(message),
                    }
                }
            }
            let asked: Vec<MediaTime> = due.iter().map(|marked| marked.start).collect();
            self.memory.segments.retain_mut(|marked| {
                if asked.contains(&marked.start) {
                    marked.asked += 1;
                }
                !done.contains(&marked.start) && marked.asked < PATIENT
            });
        }
        let reach = step.extent.map_or(step.watermark, |extent| extent.span.end);
        let first = self.memory.segments.iter().map(|marked| marked.start).min();
        let needed = first.unwrap_or(reach).min(reach - own.max_segment);
        self.memory.forget_until(needed - LOOK_BACK);
    }

    /// The tracks that the plugin is asked about; one without a number, where it goes by none.
    fn tracks(&self) -> Vec<Option<u32>> {
        let own = &self.asking.own;
        if own.media == Media::Video || own.class() != Class::Optimizer {
            return vec![None];
        }
        let payload = self.memory.payload.as_ref();
        let tracks = payload.and_then(|payload| payload.pointer("/Event/AudioTracks")?.as_array());
        let number = |track: &Json| u32::try_from(track.as_u64()?).ok().map(Some);
        tracks.into_iter().flatten().filter_map(number).collect()
    }

    /// What MRE calls the segmenter.
    fn classifier(&self, step: &Step<'_>) -> String {
        let payload = self.memory.payload.as_ref();
        let name = payload.and_then(|told| told.pointer("/Profile/Classifier/Name")?.as_str());
        let of_segment = || {
            step.segments
                .first()
                .map(|segment| segment.id.segmenter.to_string())
        };
        name.map(str::to_owned)
            .or_else(of_segment)
            .unwrap_or_default()
    }

    /// New marks come with their codes; one that does not stays where it was.
    fn optimized(
        &self,
        marked: &Marked,
        row: &Row,
        track: Option<u32>,
    ) -> Result<Option<Emission>, String> {
        let mark = |name: &str, was: MediaTime| -> Result<(bool, MediaTime), String> {
            if !row.contains_key(&format!("{name}Code")) {
                return Ok((false, was));
            }
            let Some(told) = row.get(name).filter(|told| !told.is_null()) else {
                return Ok((true, was));
            };
            let time = told.as_f64().and_then(|seconds| self.memory.time(seconds));
            let time = time.filter(|time| !time.is_negative());
            Ok((
                true,
                time.ok_or_else(|| format!("{name} is no time: {told}"))?,
            ))
        };
        let (first, start) = mark("OptoStart", marked.start)?;
        let (second, end) = mark("OptoEnd", marked.end.unwrap_or(marked.start))?;
        if !first && !second {
            return Ok(None);
        }
        if end < start {
            return Err(format!(
                "optimized marks end at {end} s, before their start at {start} s"
            ));
        }
        let track = TrackNumber(track.unwrap_or(1));
        let mut attributes = matchcut_model::value::Attributes::new();
        for code in ["OptoStartCode", "OptoEndCode"] {
            if let Some(told) = row.get(code) {
                let name = match track {
                    TrackNumber::FIRST => code.to_owned(),
                    track => format!("{code}_{track}"),
                };
                attributes.insert(Name::new(&name), told.clone().into());
            }
        }
        Ok(Some(Emission::Optimized {
            segment: marked.start,
            track,
            marks: TimeRange::new(start, end),
            attributes,
        }))
    }

    fn labelled(&self, marked: &Marked, row: &Row) -> Result<Option<Emission>, String> {
        let label = row.get("Label").and_then(Json::as_str);
        let others = ["Start", "End", "Label"];
        let attributes = attributes_of(row, &self.asking.attributes, &others)?;
        if label.is_none() && !row.contains_key("LabelCode") {
            return Ok(None);
        }
        Ok(Some(Emission::Labelled {
            segment: marked.start,
            label: label.filter(|label| !label.is_empty()).map(str::to_owned),
            attributes,
        }))
    }
}
