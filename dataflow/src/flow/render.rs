//! Renders the nodes of an event to a timely dataflow. Every worker renders the same graph in the
//! same order; the inputs live on the owner, which also receives the results.

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use differential_dataflow::input::InputSession;
use differential_dataflow::{AsCollection, VecCollection};
use matchcut_model::change::{ChunkRow, Row};
use matchcut_model::chunk::{PlacedChunk, Position};
use matchcut_model::failure::{Domain, Failure, Retry};
use matchcut_model::observation::{Class, Observation};
use matchcut_model::segment::{Segment, SegmentId};
use matchcut_model::value::Name;
use matchcut_operators::sdk::{Emission, Operator};
use timely::dataflow::operators::OkErr;
use timely::dataflow::operators::vec::Partition;
use timely::dataflow::{InputHandleVec, Scope};
use timely::worker::Worker;

use super::calling::calling_fold;
use super::deliver::{Delivery, deliver};
use super::event::{ChunkEntry, Control, EventGraph, OperatorNode};
use super::fold::{END_POSITION, Emitted, FoldOutput, Item, OrderedFold, ordered_fold};
use super::merge::{Part, merge_parts, named};
use super::offload::offload;
use super::once::once;
use super::remember::{ScanRow, Scanned, remember};
use super::selection::select_replays;
use super::shared::Shared;
use crate::run::pool::Pool;

type Rows<'scope, D> = VecCollection<'scope, u64, D, isize>;

/// Where an observation was told, and what.
type Told = (Position, Arc<Observation>);

/// Looks at the media of a chunk; runs on the pool.
pub type Scanner = Arc<dyn Fn(&ChunkEntry) -> Scanned + Send + Sync>;

/// The inputs of an event on the worker that owns it. All advance together.
pub struct EventInputs {
    chunks: InputHandleVec<u64, ChunkEntry>,
    controls: InputSession<u64, Control, isize>,
    admitted: Rc<Cell<u64>>,
}

impl EventInputs {
    /// The next entry of the log, and its epoch is complete.
    pub fn chunk(&mut self, epoch: u64, entry: ChunkEntry) {
        self.chunks.send(entry);
        self.advance(epoch + 1);
    }

    /// Entries that are told together in one epoch.
    pub fn controls(&mut self, epoch: u64, entries: impl IntoIterator<Item = (Control, isize)>) {
        for (entry, diff) in entries {
            self.controls.update(entry, diff);
        }
        self.advance(epoch + 1);
    }

    /// Chunks and other entries that are told together in one epoch.
    pub fn together(
        &mut self,
        epoch: u64,
        chunks: impl IntoIterator<Item = ChunkEntry>,
        entries: impl IntoIterator<Item = Control>,
    ) {
        for chunk in chunks {
            self.chunks.send(chunk);
        }
        self.controls(epoch, entries.into_iter().map(|entry| (entry, 1)));
    }

    fn advance(&mut self, next: u64) {
        self.chunks.advance_to(next);
        self.controls.advance_to(next);
        self.chunks.flush();
        self.controls.flush();
        self.admitted.set(next);
    }
}

/// Installs the dataflow of an event on this worker. The inputs are returned on the owner only; the
/// dataflow ends when they are dropped.
pub fn install(
    worker: &mut Worker,
    graph: &EventGraph,
    owner: usize,
    pool: Pool,
    scanner: Scanner,
    send: impl FnMut(Delivery<Row>) + 'static,
) -> Option<EventInputs> {
    let mine = worker.index() == owner;
    let inputs = worker.dataflow_named::<u64, _, _>("Event", |scope| {
        let mut chunks = InputHandleVec::new();
        let entries = chunks.to_stream(scope);
        let mut controls = InputSession::new();
        let told = controls.to_collection(scope);
        let scanned = scope.region_named("Media stage", |_| {
            let scan = move |entry: &ChunkEntry| scanner(entry);
            // The epoch is not in the record: positions spread as evenly as epochs do.
            let route = |entry: &ChunkEntry| entry.position().0;
            offload(entries, "Scan chunk", pool, route, scan, panicked)
        });
        let scans = remember(scanned, graph.window, owner as u64);
        let rows = render(scope, graph, scans, told);
        let admitted = deliver(rows, owner, 0, send);
        EventInputs {
            chunks,
            controls,
            admitted,
        }
    });
    mine.then_some(inputs)
}

/// What the results say of a chunk.
pub(crate) fn chunk_row(placed: &PlacedChunk) -> ChunkRow {
    ChunkRow {
        extent: placed.extent(),
        uri: placed.chunk.media.uri.clone(),
        frames: placed.frames.len() as u64,
        bytes: placed.bytes,
    }
}

/// What is said of a chunk whose scan panicked. Its place counts as present, or nothing behind it would
/// ever be final.
pub(crate) fn panicked(entry: &ChunkEntry, text: String) -> Scanned {
    let failure = |input: String| {
        ScanRow::Failure(Failure {
            position: Some(entry.position()),
            input,
            operator: None,
            message: format!("the scan of the chunk panicked: {text}"),
            domain: Domain::Internal,
            retry: Retry::No,
        })
    };
    let rows = match entry {
        ChunkEntry::Placed { placed, .. } => vec![
            ScanRow::Chunk(chunk_row(placed)),
            failure(placed.chunk.media.uri.clone()),
        ],
        ChunkEntry::Scanned(scanned) => {
            let mut rows = scanned.rows.clone();
            rows.push(failure("recorded chunk".to_owned()));
            rows
        }
    };
    Scanned {
        position: entry.position(),
        rows,
    }
}

/// Everything behind the media stage.
fn render<'scope>(
    _scope: Scope<'scope, u64>,
    graph: &EventGraph,
    scans: Rows<'scope, (Position, ScanRow)>,
    told: Rows<'scope, Control>,
) -> Rows<'scope, Row> {
    // What every ordered fold sees: the chunks, and the end.
    let extents = scans.clone().flat_map(|(position, row)| match row {
        ScanRow::Chunk(chunk) => Some((position, Item::Extent(Arc::new(chunk.extent)))),
        ScanRow::Gap(_) => Some((position, Item::Gap)),
        _ => None,
    });
    let end = told.clone().flat_map(|control| match control {
        Control::End(at) => Some((END_POSITION, Item::End(at))),
        _ => None,
    });
    let steps = extents.concat(end);

    let mut results = scans.clone().flat_map(|(_, row)| match row {
        ScanRow::Chunk(chunk) => Some(Row::from(chunk)),
        ScanRow::Gap(gap) => Some(Row::from(gap)),
        ScanRow::Failure(_) | ScanRow::Signature { .. } => None,
    });
    let mut failures = scans.clone().flat_map(|(_, row)| match row {
        ScanRow::Failure(failure) => Some(failure),
        _ => None,
    });
    failures = failures.concat(told.clone().flat_map(|control| match control {
        Control::Failure(failure) => Some(*failure),
        _ => None,
    }));
    let (told, mut external) = told_by_operator(told, graph);
    let mut observed: Vec<Option<Rows<'scope, Told>>> = Vec::new();
    let mut marked: Vec<Option<Rows<'scope, (Position, Segment)>>> = Vec::new();
    let mut parts: Rows<'scope, (SegmentId, Part)> =
        told.clone().flat_map(|control| match control {
            Control::Part { segment, part, .. } => Some((segment, *part)),
            _ => None,
        });
    let mut observations: Rows<'scope, Arc<Observation>> = told.clone().flat_map(|_| None);
    let mut featurers = BTreeSet::new();

    for (index, node) in graph.operators.iter().enumerate() {
        let mut said_of_segments = None;
        let mut said = external.remove(0);
        if let Some(operator) = &node.operator {
            let mut items = items_of(index, node, operator, &steps, &scans, &observed, &marked);
            if let (Class::Labeler, Some(segmenter)) = (node.class, node.segmenter) {
                // No optimizer moves what a person marked, but it may get a name.
                let segmenter = graph.operators[segmenter].name.clone();
                items = items.concat(
                    told.clone()
                        .flat_map(move |control| edited(&segmenter, control)),
                );
            }
            let emitted = fold_node(graph, index, node, operator, items);
            let (emitted, refused) = emitted.inner.ok_err(|(row, epoch, diff)| match row {
                Ok(row) => Ok((row, epoch, diff)),
                Err(row) => Err((row, epoch, diff)),
            });
            let emitted: Rows<'scope, Emitted> = emitted.as_collection();
            let name = node.name.clone();
            let (emitted, failed) =
                emitted
                    .inner
                    .ok_err(move |(row, epoch, diff)| match row.emission {
                        Emission::Failure { message } => {
                            Err((no_answer(&name, row.position, message), epoch, diff))
                        }
                        _ => Ok((row, epoch, diff)),
                    });
            failures = failures.concat(failed.as_collection());
            let name = node.name.clone();
            let refused = refused.as_collection();
            failures = failures.concat(refused.map(move |row| refusal(&name, row.position)));
            let emitted = emitted.as_collection();
            let name = node.name.clone();
            let mut shared = Shared::default();
            said = said.concat(emitted.clone().flat_map({
                move |row| match row.emission {
                    Emission::Observation {
                        start,
                        end,
                        attributes,
                    } => {
                        let operator = name.clone();
                        let track = row.track;
                        let attributes = shared.share(attributes);
                        let observation = Observation {
                            start,
                            end,
                            operator,
                            track,
                            attributes,
                        };
                        Some((row.position, Arc::new(observation)))
                    }
                    _ => None,
                }
            }));
            said_of_segments = Some(emitted);
        }
        match node.class {
            Class::Featurer => {
                featurers.insert(node.name.clone());
                let rows = said.clone().map(|(_, observation)| observation);
                // The same thing may be said at two positions, and is one observation.
                observations = observations.concat(once(rows, "Observed once"));
                observed.push(Some(said));
                marked.push(None);
            }
            Class::Segmenter => {
                let name = node.name.clone();
                let own = said_of_segments.map(|emitted| {
                    emitted.flat_map(move |row| match row.emission {
                        Emission::Segment {
                            start,
                            end,
                            attributes,
                        } => {
                            let id = SegmentId {
                                start,
                                segmenter: name.clone(),
                            };
                            Some((row.position, (id, Part::Marked { end, attributes })))
                        }
                        _ => None,
                    })
                });
                let name = node.name.clone();
                let outside = told.clone().flat_map(move |control| match control {
                    Control::Part {
                        position,
                        segment,
                        part,
                    } if segment.segmenter == name => Some((position, (segment, *part))),
                    _ => None,
                });
                let all = match own {
                    Some(own) => {
                        parts = parts.concat(own.clone().map(|(_, row)| row));
                        own.concat(outside)
                    }
                    None => outside,
                };
                let complete = all.flat_map(|(position, (id, part))| match part {
                    Part::Marked {
                        end: Some(end),
                        attributes,
                    } => {
                        let mut segment = Segment::new(id.segmenter, id.start, Some(end));
                        segment.attributes = attributes;
                        Some((position, segment))
                    }
                    _ => None,
                });
                observed.push(None);
                marked.push(Some(complete));
            }
            Class::Optimizer | Class::Labeler => {
                if let (Some(emitted), Some(segmenter)) = (said_of_segments, node.segmenter) {
                    let segmenter = graph.operators[segmenter].name.clone();
                    let rank = node.rank;
                    parts = parts.concat(
                        emitted.flat_map(move |row| part_of(&segmenter, rank, row.emission)),
                    );
                }
                observed.push(None);
                marked.push(None);
            }
        }
    }

    let remarks = told.clone().flat_map(|control| match control {
        Control::Remark { segment, remark } => Some((named(&segment), *remark)),
        _ => None,
    });
    let segments = merge_parts(parts, remarks);
    // The same failure may be told twice, and is one.
    results = results.concat(failures.distinct().map(Row::from));
    results = results.concat(observations.clone().map(Row::Observation));
    results = results.concat(segments.clone().map(Row::from));
    results.concat(select_replays(
        segments,
        observations,
        told,
        Arc::new(featurers),
        graph.mre,
    ))
}

/// What was observed outside, by the operator in whose name, apart from all other entries. Most
/// entries of a recording are such, and each goes to one place only.
fn told_by_operator<'scope>(
    told: Rows<'scope, Control>,
    graph: &EventGraph,
) -> (Rows<'scope, Control>, Vec<Rows<'scope, Told>>) {
    let (observed, others) = told.inner.ok_err(|(control, epoch, diff)| match control {
        Control::Observation {
            position,
            observation,
        } => Ok(((position, observation), epoch, diff)),
        control => Err((control, epoch, diff)),
    });
    let names: HashMap<Name, u64> = (0..)
        .zip(&graph.operators)
        .map(|(index, node)| (node.name.clone(), index))
        .collect();
    // One place more, for names that no operator has.
    let nowhere = graph.operators.len() as u64;
    let parts = observed.partition(nowhere + 1, move |row: (Told, u64, isize)| {
        let place = names.get(&row.0.1.operator).copied();
        (place.unwrap_or(nowhere), row)
    });
    let by_operator = parts.into_iter().map(AsCollection::as_collection);
    (others.as_collection(), by_operator.collect())
}

/// What one operator's fold sees.
fn items_of<'scope>(
    index: usize,
    node: &OperatorNode,
    operator: &Operator,
    steps: &Rows<'scope, (Position, Item)>,
    scans: &Rows<'scope, (Position, ScanRow)>,
    observed: &[Option<Rows<'scope, Told>>],
    marked: &[Option<Rows<'scope, (Position, Segment)>>],
) -> Rows<'scope, (Position, Item)> {
    let mut items = steps.clone();
    if !matches!(operator, Operator::Fold(_)) {
        let own = index as u32;
        items = items.concat(scans.clone().flat_map(move |(position, row)| match row {
            ScanRow::Signature {
                operator,
                track,
                bytes,
            } if operator == own => Some((position, Item::Signature(track, Arc::new(bytes)))),
            _ => None,
        }));
    }
    for input in &node.observations {
        if let Some(Some(rows)) = observed.get(*input) {
            items = items.concat(
                rows.clone()
                    .map(|(position, row)| (position, Item::Observation(row))),
            );
        }
    }
    if let Some(Some(rows)) = node.segmenter.and_then(|segmenter| marked.get(segmenter)) {
        items = items.concat(
            rows.clone()
                .map(|(position, row)| (position, Item::Segment(Arc::new(row)))),
        );
    }
    items
}

fn fold_node<'scope>(
    graph: &EventGraph,
    index: usize,
    node: &OperatorNode,
    operator: &Operator,
    items: Rows<'scope, (Position, Item)>,
) -> Rows<'scope, FoldOutput> {
    let fold = operator.fold().clone();
    let per_track = operator.per_track();
    let name = node.name.to_string();
    let ordered = OrderedFold {
        name,
        fold,
        per_track,
        // Positions that controls are told at stand in the window of a fold too.
        window: graph.window.saturating_add(8),
        route: index as u64,
    };
    match ordered.fold.calls_out() {
        true => calling_fold(items, ordered),
        false => ordered_fold(items, ordered),
    }
}

/// A segment that a person marked, for labelers.
fn edited(segmenter: &Name, control: Control) -> Option<(Position, Item)> {
    match control {
        Control::Part {
            position,
            segment,
            part,
        } if segment.segmenter == *segmenter => match *part {
            Part::Edited { end, attributes } => {
                let mut marked = Segment::new(segment.segmenter, segment.start, Some(end));
                marked.attributes = attributes;
                Some((position, Item::Segment(Arc::new(marked))))
            }
            _ => None,
        },
        _ => None,
    }
}

fn part_of(segmenter: &Name, rank: u32, emission: Emission) -> Option<(SegmentId, Part)> {
    let id = |start| SegmentId {
        start,
        segmenter: segmenter.clone(),
    };
    match emission {
        Emission::Optimized {
            segment,
            track,
            marks,
            attributes,
        } => Some((
            id(segment),
            Part::Optimized {
                rank,
                track,
                marks,
                attributes,
            },
        )),
        Emission::Labelled {
            segment,
            label,
            attributes,
        } => Some((
            id(segment),
            Part::Labelled {
                rank,
                label,
                attributes,
            },
        )),
        _ => None,
    }
}

/// What an operator said nothing about, and why.
pub(super) fn no_answer(operator: &Name, position: Position, message: String) -> Failure {
    let input = match position {
        END_POSITION => "the end of the event".to_owned(),
        position => format!("chunk {position}"),
    };
    Failure {
        position: Some(position).filter(|position| *position != END_POSITION),
        input,
        operator: Some(operator.clone()),
        message,
        domain: Domain::External,
        retry: Retry::No,
    }
}

fn refusal(operator: &Name, position: Position) -> Failure {
    Failure {
        position: Some(position),
        input: "correction".to_owned(),
        operator: Some(operator.clone()),
        message: "the correction came after the correction window had passed and was refused"
            .to_owned(),
        domain: Domain::External,
        retry: Retry::No,
    }
}
