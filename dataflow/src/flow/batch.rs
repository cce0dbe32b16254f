//! The obviously correct function that the dataflow is compared with: all entries of the log so far
//! in, all rows out, from scratch. No snapshots, no joins, no differences.

use std::collections::{BTreeMap, BTreeSet};

use matchcut_model::change::Row;
use matchcut_model::chunk::{Position, TrackNumber};
use matchcut_model::failure::Failure;
use matchcut_model::observation::{Class, Observation};
use matchcut_model::replay::{Feedback, Recorded, SelectionInput, select};
use matchcut_model::segment::{Segment, SegmentId};
use matchcut_model::time::MediaTime;
use matchcut_model::value::Name;
use matchcut_operators::sdk::{Emission, Step};

use super::event::{Control, EventGraph, OperatorNode, ReplayDefinition};
use super::fold::END_POSITION;
use super::merge::{Named, Part, Remark, merge, named, remarked};
use super::remember::{ScanRow, Scanned, refusal};
use super::render::no_answer;
use super::selection::rows_of;

/// The entries of a log, as far as it goes.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// What the media stage said of each chunk, in order of admission.
    pub scanned: Vec<Scanned>,
    /// Everything else, in order of admission.
    pub controls: Vec<Control>,
}

/// The last that was said of each position, and what was refused: once more than `window` positions
/// are known, the first of them are final.
fn last_of_each(
    scanned: &[Scanned],
    window: usize,
) -> (BTreeMap<Position, &Scanned>, Vec<Failure>) {
    let mut last: BTreeMap<Position, &Scanned> = BTreeMap::new();
    let mut open: BTreeSet<Position> = BTreeSet::new();
    let mut refused = Vec::new();
    let mut retired = Position(0);
    for scanned in scanned {
        let position = scanned.position;
        if position < retired {
            refused.push(refusal(position));
            continue;
        }
        last.insert(position, scanned);
        if scanned.rows.is_empty() {
            open.remove(&position);
        } else {
            open.insert(position);
        }
        while open.len() > window.max(1) {
            let Some(first) = open.pop_first() else { break };
            retired = Position(first.0 + 1);
        }
    }
    (last, refused)
}

type Told = BTreeMap<Position, BTreeSet<Observation>>;
type Marked = BTreeMap<Position, BTreeSet<Segment>>;

/// Every row that holds after the log.
pub fn rows(graph: &EventGraph, log: &Log) -> BTreeSet<Row> {
    let (chunks, refused) = last_of_each(&log.scanned, graph.window);
    let end = log.controls.iter().find_map(|control| match control {
        Control::End(at) => Some(*at),
        _ => None,
    });

    let mut rows: BTreeSet<Row> = refused.into_iter().map(Row::from).collect();
    for row in chunks.values().flat_map(|chunk| &chunk.rows) {
        match row {
            ScanRow::Chunk(chunk) => drop(rows.insert(Row::from(chunk.clone()))),
            ScanRow::Failure(failure) => drop(rows.insert(Row::from(failure.clone()))),
            ScanRow::Gap(gap) => drop(rows.insert(Row::from(gap.clone()))),
            ScanRow::Signature { .. } => {}
        }
    }
    rows.extend(log.controls.iter().filter_map(|control| match control {
        Control::Failure(failure) => Some(Row::from(Failure::clone(failure))),
        _ => None,
    }));

    let mut told: Vec<Told> = Vec::new();
    let mut all_marked: Vec<Marked> = Vec::new();
    let mut parts: BTreeSet<(SegmentId, Part)> = BTreeSet::new();
    for (index, node) in graph.operators.iter().enumerate() {
        let mut own = Told::new();
        let mut own_marks = Marked::new();
        for control in &log.controls {
            match control {
                Control::Observation {
                    position,
                    observation,
                } if observation.operator == node.name => {
                    own.entry(*position)
                        .or_default()
                        .insert(Observation::clone(observation));
                }
                Control::Part {
                    position,
                    segment,
                    part,
                } if segment.segmenter == node.name => {
                    mark(&mut own_marks, *position, segment, part);
                    parts.insert((segment.clone(), Part::clone(part)));
                }
                _ => {}
            }
        }
        let mut marked = all_marked.clone();
        if let (Class::Labeler, Some(segmenter)) = (node.class, node.segmenter) {
            edits(
                &log.controls,
                &graph.operators[segmenter].name,
                &mut marked[segmenter],
            );
        }
        for (position, track, emission) in run(index, node, &chunks, end, &told, &marked) {
            match emission {
                Emission::Observation {
                    start,
                    end,
                    attributes,
                } => {
                    let operator = node.name.clone();
                    let observation = Observation {
                        start,
                        end,
                        operator,
                        track,
                        attributes,
                    };
                    own.entry(position).or_default().insert(observation);
                }
                Emission::Segment {
                    start,
                    end,
                    attributes,
                } => {
                    let id = SegmentId {
                        start,
                        segmenter: node.name.clone(),
                    };
                    let part = Part::Marked { end, attributes };
                    mark(&mut own_marks, position, &id, &part);
                    parts.insert((id, part));
                }
                Emission::Optimized {
                    segment,
                    track,
                    marks,
                    attributes,
                } => {
                    let Some(id) = id_of(graph, node, segment) else {
                        continue;
                    };
                    let rank = node.rank;
                    parts.insert((
                        id,
                        Part::Optimized {
                            rank,
                            track,
                            marks,
                            attributes,
                        },
                    ));
                }
                Emission::Failure { message } => {
                    rows.insert(Row::from(no_answer(&node.name, position, message)));
                }
                Emission::Labelled {
                    segment,
                    label,
                    attributes,
                } => {
                    let Some(id) = id_of(graph, node, segment) else {
                        continue;
                    };
                    parts.insert((
                        id,
                        Part::Labelled {
                            rank: node.rank,
                            label,
                            attributes,
                        },
                    ));
                }
            }
        }
        told.push(own);
        all_marked.push(own_marks);
    }

    let observations: BTreeSet<Observation> = graph
        .operators
        .iter()
        .zip(&told)
        .filter(|(node, _)| node.class == Class::Featurer)
        .flat_map(|(_, told)| told.values().flatten().cloned())
        .collect();
    let mut by_segment: BTreeMap<&SegmentId, BTreeSet<&Part>> = BTreeMap::new();
    for (id, part) in &parts {
        by_segment.entry(id).or_default().insert(part);
    }
    let mut by_name: BTreeMap<Named, Vec<Segment>> = BTreeMap::new();
    for (id, parts) in by_segment {
        if let Some(segment) = merge(id, parts.into_iter()) {
            by_name.entry(named(id)).or_default().push(segment);
        }
    }
    let mut segments: Vec<Segment> = Vec::new();
    for (name, found) in by_name {
        let remarks: BTreeSet<&Remark> = log
            .controls
            .iter()
            .filter_map(|control| match control {
                Control::Remark { segment, remark } if named(segment) == name => Some(&**remark),
                _ => None,
            })
            .collect();
        let (found, remarks): (Vec<&Segment>, Vec<&Remark>) =
            (found.iter().collect(), remarks.into_iter().collect());
        segments.extend(remarked(&found, &remarks));
    }
    segments.sort();

    rows.extend(observations.iter().cloned().map(Row::from));
    rows.extend(segments.iter().cloned().map(Row::from));
    let observations: Vec<Observation> = observations.into_iter().collect();
    for control in &log.controls {
        if let Control::Replay(definition) = control {
            let ended = end.is_some();
            rows.extend(replay(
                graph,
                definition,
                ended,
                &segments,
                &observations,
                log,
            ));
        }
    }
    rows
}

fn id_of(graph: &EventGraph, node: &OperatorNode, start: MediaTime) -> Option<SegmentId> {
    let segmenter = graph.operators.get(node.segmenter?)?.name.clone();
    Some(SegmentId { start, segmenter })
}

fn mark(marked: &mut Marked, position: Position, id: &SegmentId, part: &Part) {
    if let Part::Marked {
        end: Some(end),
        attributes,
    } = part
    {
        let mut segment = Segment::new(id.segmenter.clone(), id.start, Some(*end));
        segment.attributes = attributes.clone();
        marked.entry(position).or_default().insert(segment);
    }
}

/// What a person marked for a segmenter.
fn edits(controls: &[Control], segmenter: &Name, marked: &mut Marked) {
    for control in controls {
        if let Control::Part {
            position,
            segment: id,
            part,
        } = control
            && let Part::Edited { end, attributes } = &**part
            && id.segmenter == *segmenter
        {
            let mut segment = Segment::new(id.segmenter.clone(), id.start, Some(*end));
            segment.attributes = attributes.clone();
            marked.entry(*position).or_default().insert(segment);
        }
    }
}

/// One operator over all positions, from its first state.
fn run(
    index: usize,
    node: &OperatorNode,
    chunks: &BTreeMap<Position, &Scanned>,
    end: Option<MediaTime>,
    told: &[Told],
    marked: &[Marked],
) -> Vec<(Position, Option<TrackNumber>, Emission)> {
    let Some(operator) = &node.operator else {
        return Vec::new();
    };
    let fold = operator.fold();
    let per_track = operator.per_track();
    let inputs: Vec<&Told> = node
        .observations
        .iter()
        .filter_map(|i| told.get(*i))
        .collect();
    let marks = node.segmenter.and_then(|i| marked.get(i));
    let mut positions: BTreeSet<Position> = chunks.keys().copied().collect();
    positions.extend(inputs.iter().flat_map(|told| told.keys().copied()));
    positions.extend(marks.iter().flat_map(|marks| marks.keys().copied()));
    positions.extend(end.map(|_| END_POSITION));

    let mut states = BTreeMap::new();
    if !per_track {
        states.insert(None, fold.initial());
    }
    let (mut next, mut watermark) = (Position(0), MediaTime::ZERO);
    let mut emitted = Vec::new();
    for position in positions {
        let rows = chunks
            .get(&position)
            .map(|chunk| chunk.rows.as_slice())
            .unwrap_or_default();
        let extent = rows.iter().find_map(|row| match row {
            ScanRow::Chunk(chunk) => Some(&chunk.extent),
            _ => None,
        });
        let gap = rows.iter().any(|row| matches!(row, ScanRow::Gap(_)));
        let observations: BTreeSet<Observation> = inputs
            .iter()
            .filter_map(|told| told.get(&position))
            .flatten()
            .cloned()
            .collect();
        let observations: Vec<Observation> = observations.into_iter().collect();
        let segments: Vec<Segment> = marks
            .and_then(|m| m.get(&position))
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        let own = |row: &ScanRow| matches!(row, ScanRow::Signature { operator, .. } if *operator as usize == index);
        let at_end = position == END_POSITION && end.is_some();
        let nothing =
            extent.is_none() && !gap && !at_end && observations.is_empty() && segments.is_empty();
        if nothing && !rows.iter().any(own) {
            continue;
        }
        if (extent.is_some() || gap) && position == next {
            next = Position(position.0 + 1);
            watermark = watermark.max(extent.map_or(watermark, |extent| extent.span.end));
        }
        if let (Some(end), true) = (end, at_end) {
            watermark = end;
        }
        if per_track {
            for track in extent
                .map(|e| e.audio_tracks.as_slice())
                .unwrap_or_default()
            {
                states.entry(Some(*track)).or_insert_with(|| fold.initial());
            }
        }
        for (&track, state) in &mut states {
            let signature = rows.iter().rev().find_map(|row| match row {
                ScanRow::Signature {
                    operator,
                    track: of,
                    bytes,
                } if *operator as usize == index && *of == track => Some(bytes.as_slice()),
                _ => None,
            });
            let step = Step {
                position,
                extent,
                watermark,
                end_of_event: at_end,
                track,
                signature,
                observations: &observations,
                segments: &segments,
            };
            let mut emissions = Vec::new();
            fold.step(&step, state, &mut emissions);
            emitted.extend(
                emissions
                    .into_iter()
                    .map(|emission| (position, track, emission)),
            );
        }
    }
    if end.is_none() {
        for (&track, state) in &states {
            let mut emissions = Vec::new();
            fold.tail(state, &mut emissions);
            emitted.extend(
                emissions
                    .into_iter()
                    .map(|emission| (next, track, emission)),
            );
        }
    }
    emitted
}

fn replay(
    graph: &EventGraph,
    definition: &ReplayDefinition,
    ended: bool,
    segments: &[Segment],
    observations: &[Observation],
    log: &Log,
) -> Vec<Row> {
    if !(ended || definition.request.catchup) {
        return Vec::new();
    }
    let segments: Vec<Recorded> = segments
        .iter()
        .filter(|segment| segment.id.segmenter == definition.segmenter)
        .cloned()
        .map(Recorded::from)
        .collect();
    let featurers: BTreeSet<Name> = graph
        .operators
        .iter()
        .filter(|node| node.class == Class::Featurer)
        .map(|node| node.name.clone())
        .collect();
    let mut feedback: Vec<(u64, Feedback)> = log
        .controls
        .iter()
        .filter_map(|control| match control {
            Control::Feedback { sequence, feedback } => Some((*sequence, *feedback)),
            _ => None,
        })
        .collect();
    feedback.sort_by_key(|(sequence, _)| *sequence);
    let feedback: Vec<Feedback> = feedback.into_iter().map(|(_, said)| said).collect();
    let selection = select(&SelectionInput {
        segments: &segments,
        observations,
        featurers: &featurers,
        feedback: &feedback,
        request: &definition.request,
        previous: &[],
    });
    rows_of(definition, &selection.selected, selection.total_score)
}
