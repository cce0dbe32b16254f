//! The stateless part: every chunk is scanned, and scanned again in another order.

use std::collections::BTreeMap;

use matchcut_model::chunk::{ChunkExtent, Position, TrackNumber};
use matchcut_model::frame::{AudioBlock, Frame};
use matchcut_model::time::{MediaTime, Timestamp};

use super::event::{Event, SAMPLE_RATE};
use super::{Finding, Rule};
use crate::sdk::{AudioScanner, ChunkContext, Operator, VideoScanner};

/// What a fold runs along: a track, with the signatures of its chunks.
pub(super) struct Line {
    pub(super) track: Option<TrackNumber>,
    pub(super) signatures: BTreeMap<Position, Vec<u8>>,
}

/// The lines of an operator: one, or one for each track that it listens to.
pub(super) fn scan(event: &Event, operator: &Operator, findings: &mut Vec<Finding>) -> Vec<Line> {
    let tracks = match operator {
        Operator::Audio { .. } => event
            .chunks
            .first()
            .map_or(&[][..], |chunk| &chunk.audio_tracks),
        Operator::Video { .. } | Operator::Chunk { .. } | Operator::Cues(_) | Operator::Fold(_) => {
            &[]
        }
    };
    match operator {
        // The made-up event has no files.
        Operator::Chunk { .. } | Operator::Cues(_) | Operator::Fold(_) => vec![Line {
            track: None,
            signatures: BTreeMap::new(),
        }],
        Operator::Video { scanner, .. } => {
            vec![line(event, None, findings, |chunk| {
                watch(event, &**scanner, chunk)
            })]
        }
        Operator::Audio { scanner, .. } => tracks
            .iter()
            .map(|track| {
                line(event, Some(*track), findings, |chunk| {
                    listen(event, &**scanner, chunk, *track)
                })
            })
            .collect(),
    }
}

fn line(
    event: &Event,
    track: Option<TrackNumber>,
    findings: &mut Vec<Finding>,
    scan: impl Fn(&ChunkExtent) -> Result<Vec<u8>, String>,
) -> Line {
    let mut signatures = BTreeMap::new();
    let mut find = |rule, message| findings.push(Finding { rule, message });
    for chunk in &event.chunks {
        match scan(chunk) {
            Ok(signature) => drop(signatures.insert(chunk.position, signature)),
            Err(error) => find(Rule::Answers, format!("chunk {}: {error}", chunk.position)),
        }
    }
    for chunk in event.chunks.iter().rev() {
        let at = chunk.position;
        match (scan(chunk), signatures.get(&at)) {
            (Ok(again), Some(first)) if again != *first => {
                let message =
                    format!("chunk {at} gives something else when it is scanned behind others");
                find(Rule::Stateless, message);
            }
            (Err(error), _) => find(Rule::Answers, format!("chunk {at}, again: {error}")),
            _ => {}
        }
    }
    Line { track, signatures }
}

fn watch(
    event: &Event,
    scanner: &dyn VideoScanner,
    chunk: &ChunkExtent,
) -> Result<Vec<u8>, String> {
    let view = scanner.view();
    let mut scan = scanner.start(&ChunkContext {
        extent: chunk.clone(),
        track: None,
    });
    for picture in event.pictures(chunk, view) {
        scan.frame(&Frame {
            time: picture.time,
            pts: Timestamp {
                ticks: picture.time.to_ticks(90_000),
                timescale: 90_000,
            },
            index: picture.index,
            width: view.width,
            height: view.height,
            format: view.format,
            data: &picture.pixels,
        })?;
    }
    scan.finish()
}

fn listen(
    event: &Event,
    scanner: &dyn AudioScanner,
    chunk: &ChunkExtent,
    track: TrackNumber,
) -> Result<Vec<u8>, String> {
    let mut scan = scanner.start(&ChunkContext {
        extent: chunk.clone(),
        track: Some(track),
    });
    let samples = event.samples(chunk, track);
    for (number, samples) in samples.chunks(1024).enumerate() {
        let first = MediaTime::from_ticks(number as i64 * 1024, SAMPLE_RATE);
        scan.block(&AudioBlock {
            time: chunk.span.start + first,
            track,
            sample_rate: SAMPLE_RATE,
            channels: 1,
            samples,
        })?;
    }
    scan.finish()
}
