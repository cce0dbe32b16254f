//! The scan of one chunk: decode it once, hand each frame and each block of samples to every
//! operator that asked for it, and collect their signatures. Runs on the media pool.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use matchcut_media::cut::{CutChunk, exact, write_mp4};

use matchcut_media::decode::{AudioPlan, DecodePlan, FrameSink, decode};
use matchcut_model::chunk::{Container, PlacedChunk, TrackNumber};
use matchcut_model::cue::Cue;
use matchcut_model::failure::{Domain, Failure, Retry};
use matchcut_model::frame::{AudioBlock, Frame, ViewSpec};
use matchcut_model::value::Name;
use matchcut_operators::cues;
use matchcut_operators::sdk::{
    AudioScan, AudioScanner, ChunkContext, ChunkFile, ChunkMedia, ChunkScanner, Operator,
    VideoScan, VideoScanner,
};

use super::media::{Loaded, MediaStore};
use super::meter::Meter;
use super::traces;
use super::turns::Turns;
use crate::flow::{ChunkEntry, ScanRow, Scanned, chunk_row};
use crate::plan::Plan;

struct Looks {
    index: u32,
    name: Name,
    view: usize,
    scanner: Arc<dyn VideoScanner>,
}

struct Listens {
    index: u32,
    name: Name,
    scanner: Arc<dyn AudioScanner>,
}

/// Has chunks looked at as files.
struct Hands {
    index: u32,
    name: Name,
    scanner: Arc<dyn ChunkScanner>,
    per_track: bool,
}

/// Scans chunks of one event.
pub struct MediaScanner {
    looks: Vec<Looks>,
    listens: Vec<Listens>,
    /// Operators that read what the stream marks in itself.
    cues: Vec<(u32, Name)>,
    hands: Vec<Hands>,
    views: Vec<ViewSpec>,
    timeout: Duration,
    /// To decode: threads that wait for something outside decode nothing meanwhile.
    turns: Turns,
    store: Arc<MediaStore>,
    meter: Meter,
}

impl MediaScanner {
    /// A scanner for the operators of a plan; decoding a chunk may take up to `timeout`, and needs one of `turns`.
    pub fn new(
        plan: &Plan,
        store: Arc<MediaStore>,
        timeout: Duration,
        turns: Turns,
        meter: Meter,
    ) -> Self {
        let mut views: Vec<ViewSpec> = Vec::new();
        let mut looks = Vec::new();
        let mut listens = Vec::new();
        let mut cues = Vec::new();
        let mut hands = Vec::new();
        for operator in &plan.operators {
            let (index, name) = (operator.index as u32, operator.name.clone());
            match &operator.operator {
                Operator::Video { scanner, .. } => {
                    let spec = scanner.view();
                    let view = views.iter().position(|v| *v == spec).unwrap_or_else(|| {
                        views.push(spec);
                        views.len() - 1
                    });
                    looks.push(Looks {
                        index,
                        name,
                        view,
                        scanner: Arc::clone(scanner),
                    });
                }
                Operator::Audio { scanner, .. } => {
                    listens.push(Listens {
                        index,
                        name,
                        scanner: Arc::clone(scanner),
                    });
                }
                Operator::Chunk {
                    scanner, per_track, ..
                } => hands.push(Hands {
                    index,
                    name,
                    scanner: Arc::clone(scanner),
                    per_track: *per_track,
                }),
                Operator::Cues(_) => cues.push((index, name)),
                Operator::Fold(_) => {}
            }
        }
        MediaScanner {
            looks,
            listens,
            cues,
            hands,
            views,
            timeout,
            turns,
            store,
            meter,
        }
    }

    /// How many chunks something outside may look at at once, besides those that are decoded.
    pub fn waiting(plan: &Plan) -> usize {
        let operators = plan.operators.iter();
        let at_once = operators.filter_map(|operator| match &operator.operator {
            Operator::Chunk { scanner, .. } => Some(scanner.at_once()),
            _ => None,
        });
        at_once.max().unwrap_or(0).min(64)
    }

    /// Whether decoding a chunk may wait for something outside.
    pub fn waits(plan: &Plan) -> bool {
        plan.operators
            .iter()
            .any(|operator| match &operator.operator {
                Operator::Video { scanner, .. } => scanner.waits(),
                Operator::Audio { scanner, .. } => scanner.waits(),
                _ => false,
            })
    }

    /// Everything that can be said of a chunk.
    pub fn scan(&self, entry: &ChunkEntry) -> Scanned {
        let (epoch, placed) = match entry {
            ChunkEntry::Scanned(scanned) => return scanned.clone(),
            ChunkEntry::Placed { epoch, placed } => (*epoch, placed),
        };
        let position = placed.chunk.position;
        let mut rows = vec![ScanRow::Chunk(chunk_row(placed))];
        match self.store.take(epoch) {
            Some(loaded) => self.decode(placed, &loaded, &mut rows),
            None => match self.store.get(placed) {
                Ok(chunk) => self.decode(
                    placed,
                    &Loaded {
                        chunk,
                        preroll: None,
                    },
                    &mut rows,
                ),
                Err(failure) => {
                    rows.push(ScanRow::Failure(failure));
                    rows.extend(self.marks(placed, &[]));
                }
            },
        }
        Scanned { position, rows }
    }

    fn decode(&self, placed: &PlacedChunk, loaded: &Loaded, rows: &mut Vec<ScanRow>) {
        let fail = |operator: Option<Name>, message: String| {
            ScanRow::Failure(failure(placed, operator, message))
        };
        rows.extend(
            loaded
                .chunk
                .warnings
                .iter()
                .map(|warning| fail(None, warning.clone())),
        );
        rows.extend(self.marks(placed, &loaded.chunk.cues));
        rows.extend(self.nothing_to_see(placed).map(|text| fail(None, text)));
        rows.extend(self.nothing_to_hear(placed).map(|text| fail(None, text)));
        let outcomes = thread::scope(|scope| {
            // They are asked before there is a turn to decode.
            let asked = self.hand_out(scope, placed, loaded);
            if !self.looks.is_empty() || !self.listens.is_empty() {
                self.decode_once(placed, loaded, rows);
            }
            let answered = asked.into_iter().map(|(index, name, track, thread)| {
                let joined = thread.and_then(|thread| {
                    let ended = thread.join();
                    ended.unwrap_or_else(|_| Err("the call broke down inside matchcut".to_owned()))
                });
                (index, name, track, joined)
            });
            answered.collect::<Vec<Outcome>>()
        });
        rows.extend(outcomes.into_iter().map(|outcome| row_of(placed, outcome)));
    }

    /// Has the chunk looked at as a file, on a thread for each question.
    fn hand_out<'scope, 'env: 'scope>(
        &'env self,
        scope: &'scope thread::Scope<'scope, 'env>,
        placed: &'env PlacedChunk,
        loaded: &'env Loaded,
    ) -> Vec<Asked<'scope>> {
        let mut asked = Vec::new();
        for hands in &self.hands {
            let tracks: Vec<Option<TrackNumber>> = match hands.per_track {
                true => placed.audio_tracks.iter().copied().map(Some).collect(),
                false => vec![None],
            };
            for track in tracks {
                let ask = move || {
                    let media = Whole {
                        store: &self.store,
                        placed,
                        loaded,
                    };
                    let begun = Instant::now();
                    let said = hands.scanner.scan(placed, track, &media);
                    self.meter.scanned(&hands.name, begun.elapsed());
                    said
                };
                let thread = thread::Builder::new()
                    .name(format!("ask {}", hands.name))
                    .spawn_scoped(scope, ask);
                let thread = thread.map_err(|error| format!("no thread to ask on: {error}"));
                asked.push((hands.index, hands.name.clone(), track, thread));
            }
        }
        asked
    }

    fn decode_once(&self, placed: &PlacedChunk, loaded: &Loaded, rows: &mut Vec<ScanRow>) {
        let fail = |operator: Option<Name>, message: String| {
            ScanRow::Failure(failure(placed, operator, message))
        };
        let _turn = self.turns.wait();
        let span = self.meter.traces().decode(placed.chunk.position);
        let _timed = span.enter();
        let plan = DecodePlan {
            offset: placed.offset,
            views: self.views.clone(),
            audio: if self.listens.is_empty() {
                AudioPlan::None
            } else {
                AudioPlan::All
            },
            timeout: self.timeout,
            ..DecodePlan::default()
        };
        let mut fanout = self.fanout(placed);
        let begun = Instant::now();
        match decode(&loaded.chunk, loaded.preroll.as_deref(), &plan, &mut fanout) {
            Ok(report) => rows.extend(report.degraded.map(|text| fail(None, text))),
            Err(error) => {
                traces::failed(&span);
                rows.push(fail(None, error.to_string()));
            }
        }
        let scanning = fanout.took();
        self.meter.decoded(begun.elapsed().saturating_sub(scanning));
        let outcomes = fanout.finish(&self.meter).into_iter();
        rows.extend(outcomes.map(|outcome| row_of(placed, outcome)));
    }

    /// What is marked in a chunk, by its playlist and by its own stream, for each operator that reads
    /// it. Nothing is decoded for it.
    fn marks(&self, placed: &PlacedChunk, carried: &[Cue]) -> Vec<ScanRow> {
        let row = |(index, name): &(u32, Name)| match cues::signature(placed, carried) {
            Ok(bytes) => ScanRow::Signature {
                operator: *index,
                track: None,
                bytes,
            },
            Err(message) => ScanRow::Failure(failure(placed, Some(name.clone()), message)),
        };
        self.cues.iter().map(row).collect()
    }

    /// What is said of a chunk without pictures that operators look for.
    fn nothing_to_see(&self, placed: &PlacedChunk) -> Option<String> {
        let names: Vec<&Name> = self.looks.iter().map(|looks| &looks.name).collect();
        missing("video", &names).filter(|_| placed.frames.is_empty())
    }

    /// What is said of a chunk without sound that operators listen for.
    fn nothing_to_hear(&self, placed: &PlacedChunk) -> Option<String> {
        let hands = self.hands.iter().filter(|hands| hands.per_track);
        let hands = hands.map(|hands| &hands.name);
        let names = self.listens.iter().map(|listens| &listens.name);
        let names: Vec<&Name> = names.chain(hands).collect();
        missing("audio", &names).filter(|_| placed.audio_tracks.is_empty())
    }

    fn fanout(&self, placed: &PlacedChunk) -> Fanout {
        let context = |track| ChunkContext {
            extent: placed.extent(),
            track,
        };
        let has_video = !placed.frames.is_empty();
        let video = self
            .looks
            .iter()
            .filter(|_| has_video)
            .map(|looks| VideoRun {
                index: looks.index,
                name: looks.name.clone(),
                view: looks.view,
                scan: Ok(looks.scanner.start(&context(None))),
                took: Duration::ZERO,
            });
        let mut audio: BTreeMap<TrackNumber, Vec<AudioRun>> = BTreeMap::new();
        for track in &placed.audio_tracks {
            audio.insert(
                *track,
                self.listens
                    .iter()
                    .map(|listens| AudioRun {
                        index: listens.index,
                        name: listens.name.clone(),
                        scan: Ok(listens.scanner.start(&context(Some(*track)))),
                        took: Duration::ZERO,
                    })
                    .collect(),
            );
        }
        Fanout {
            video: video.collect(),
            audio,
        }
    }
}

fn failure(placed: &PlacedChunk, operator: Option<Name>, message: String) -> Failure {
    Failure {
        position: Some(placed.chunk.position),
        input: placed.chunk.media.uri.clone(),
        operator,
        message,
        domain: Domain::External,
        retry: Retry::No,
    }
}

fn row_of(placed: &PlacedChunk, (operator, name, track, outcome): Outcome) -> ScanRow {
    match outcome {
        Ok(bytes) => ScanRow::Signature {
            operator,
            track,
            bytes,
        },
        Err(message) => ScanRow::Failure(failure(placed, Some(name), message)),
    }
}

/// A chunk as a file, fetched or made when somebody wants it.
struct Whole<'a> {
    store: &'a MediaStore,
    placed: &'a PlacedChunk,
    loaded: &'a Loaded,
}

impl ChunkMedia for Whole<'_> {
    fn file(&self) -> Result<ChunkFile, String> {
        let extension = match self.placed.chunk.container {
            Container::FilePart => return self.part(),
            Container::MpegTs => "ts",
            Container::FragmentedMp4 => "mp4",
            Container::Matroska => "mkv",
            Container::PackedAudio => return Err("it is sound without pictures".to_owned()),
        };
        let bytes = self.store.file(self.placed)?;
        Ok(ChunkFile { bytes, extension })
    }
}

impl Whole<'_> {
    /// A part of a larger file becomes one of its own, with the same samples.
    fn part(&self) -> Result<ChunkFile, String> {
        let chunk = CutChunk {
            demuxed: &self.loaded.chunk,
            offset: self.placed.offset,
            stretch: self.placed.stretch,
        };
        let cut = exact(&[chunk], self.placed.span, None).map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        write_mp4(&cut, &mut bytes).map_err(|error| error.to_string())?;
        let extension = "mp4";
        Ok(ChunkFile { bytes, extension })
    }
}

/// The names of operators that wait for `media` in vain.
fn missing(media: &str, names: &[&Name]) -> Option<String> {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let s = if names.len() == 1 { "" } else { "s" };
    (!names.is_empty()).then(|| {
        format!(
            "no {media} that can be read, for operator{s} {}",
            quoted.join(", ")
        )
    })
}

struct VideoRun {
    index: u32,
    name: Name,
    view: usize,
    scan: Result<Box<dyn VideoScan>, String>,
    took: Duration,
}

struct AudioRun {
    index: u32,
    name: Name,
    scan: Result<Box<dyn AudioScan>, String>,
    took: Duration,
}

/// Hands frames and samples to the scans of one chunk. A scan that fails sees no more, the others
/// go on.
struct Fanout {
    video: Vec<VideoRun>,
    audio: BTreeMap<TrackNumber, Vec<AudioRun>>,
}

type Asked<'scope> = (
    u32,
    Name,
    Option<TrackNumber>,
    Result<thread::ScopedJoinHandle<'scope, Result<Vec<u8>, String>>, String>,
);

type Outcome = (u32, Name, Option<TrackNumber>, Result<Vec<u8>, String>);

impl Fanout {
    /// Time that the scans have taken.
    fn took(&self) -> Duration {
        let video = self.video.iter().map(|run| run.took);
        let audio = self.audio.values().flatten().map(|run| run.took);
        video.chain(audio).sum()
    }

    fn finish(self, meter: &Meter) -> Vec<Outcome> {
        let mut outcomes: Vec<Outcome> = Vec::new();
        for run in self.video {
            let begun = Instant::now();
            let outcome = run.scan.and_then(|scan| scan.finish());
            meter.scanned(&run.name, run.took + begun.elapsed());
            outcomes.push((run.index, run.name, None, outcome));
        }
        for (track, runs) in self.audio {
            for run in runs {
                let begun = Instant::now();
                let outcome = run.scan.and_then(|scan| scan.finish());
                meter.scanned(&run.name, run.took + begun.elapsed());
                outcomes.push((run.index, run.name, Some(track), outcome));
            }
        }
        outcomes
    }
}

impl FrameSink for Fanout {
    fn video(&mut self, view: usize, frame: &Frame<'_>) {
        for run in self.video.iter_mut().filter(|run| run.view == view) {
            let Ok(scan) = &mut run.scan else { continue };
            let begun = Instant::now();
            let scanned = scan.frame(frame);
            run.took += begun.elapsed();
            if let Err(message) = scanned {
                run.scan = Err(message);
            }
        }
    }

    fn audio(&mut self, block: &AudioBlock<'_>) {
        for run in self.audio.entry(block.track).or_default() {
            let Ok(scan) = &mut run.scan else { continue };
            let begun = Instant::now();
            let scanned = scan.block(block);
            run.took += begun.elapsed();
            if let Err(message) = scanned {
                run.scan = Err(message);
            }
        }
    }
}
