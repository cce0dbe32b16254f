//! What `run` and `replay` print on stdout: segments, replays with their reasons, and where the
//! files are.

use std::io::{self, Write};
use std::path::Path;

use matchcut_dataflow::plan::Plan;
use matchcut_model::change::{EventState, GapRow};
use matchcut_model::time::MediaTime;
use matchcut_model::value::Name;
use serde_json::json;

use crate::failures::FailureLines;
use crate::render::count;

/// For people.
pub fn text(
    out: &mut impl Write,
    plan: &Plan,
    state: &EventState,
    dirs: &[&Path],
) -> io::Result<()> {
    let segments = count(state.segments().len(), "segment");
    writeln!(out, "{}: {segments}", plan.pipeline.name)?;
    for segment in state.segments() {
        let end = segment.end.map_or("open".to_owned(), |end| end.to_string());
        let label = segment.label.as_deref().unwrap_or_default();
        let segmenter = &segment.id.segmenter;
        write!(
            out,
            "  {segmenter} {:>10} - {end:>10}",
            segment.start().to_string()
        )?;
        for (track, marks) in &segment.opto {
            write!(out, "  track {track}: {} - {}", marks.start, marks.end)?;
        }
        writeln!(out, "  {label}")?;
    }
    for replay in names(plan, state) {
        let chosen: Vec<_> = state.chosen(replay).collect();
        let length: MediaTime = chosen.iter().map(|choice| choice.marks.duration()).sum();
        writeln!(
            out,
            "replay {}: {}, {length} s",
            replay,
            count(chosen.len(), "segment")
        )?;
        for choice in chosen {
            let score = choice
                .score
                .map_or("-".to_owned(), |score| score.get().to_string());
            let (start, end) = (choice.marks.start, choice.marks.end);
            writeln!(
                out,
                "  {start:>10} - {end:>10}  score {score}  {}",
                choice.reason
            )?;
        }
    }
    for gap in state.gaps() {
        let (start, end) = (gap.span.start.to_string(), gap.span.end);
        writeln!(out, "missing {start:>10} - {end:>10}  {}", gap.reason)?;
    }
    if state.failures().len() > 0 {
        writeln!(out, "{}", count(state.failures().len(), "failure"))?;
        let mut lines = FailureLines::default();
        let mut told: Vec<String> = state
            .failures()
            .flat_map(|failure| lines.tell(failure))
            .collect();
        told.extend(lines.end());
        for line in told {
            writeln!(out, "  {line}")?;
        }
    }
    for dir in dirs {
        writeln!(out, "results: {}", dir.display())?;
        for name in ["report.html", "segments.jsonl"] {
            if dir.join(name).is_file() {
                writeln!(out, "  {}", dir.join(name).display())?;
            }
        }
    }
    Ok(())
}

/// The replays of the spec, and those that were asked for beside them.
fn names<'a>(plan: &'a Plan, state: &'a EventState) -> impl Iterator<Item = &'a Name> {
    let of_spec = plan.replays.iter().map(|replay| &replay.name);
    let others = state.replays().map(|row| &row.name);
    let others = others.filter(|name| plan.replays.iter().all(|replay| replay.name != **name));
    of_spec.chain(others)
}

/// One JSON document.
pub fn json(
    out: &mut impl Write,
    plan: &Plan,
    state: &EventState,
    dirs: &[&Path],
) -> io::Result<()> {
    let segments: Vec<_> = state
        .segments()
        .map(matchcut_model::lines::SegmentLine::new)
        .collect();
    let replays: serde_json::Map<String, serde_json::Value> = names(plan, state)
        .map(|replay| {
            let selected: Vec<_> = state
                .chosen(replay)
                .map(|choice| {
                    let score = choice.score.map(|score| json!(score.get()));
                    json!({
                        "start": choice.original.start.rounded_seconds(),
                        "end": choice.original.end.rounded_seconds(),
                        "score": score.unwrap_or_else(|| json!("-")),
                        "marks": [
                            choice.marks.start.rounded_seconds(),
                            choice.marks.end.rounded_seconds(),
                        ],
                        "reason": choice.reason,
                    })
                })
                .collect();
            (replay.to_string(), json!({ "selected": selected }))
        })
        .collect();
    let gap = |gap: &GapRow| {
        json!({
            "position": gap.position,
            "start": gap.span.start.rounded_seconds(),
            "end": gap.span.end.rounded_seconds(),
            "reason": gap.reason,
        })
    };
    let gaps: Vec<_> = state.gaps().map(gap).collect();
    let document = json!({
        "pipeline": plan.pipeline.name,
        "end": state.end().rounded_seconds(),
        "chunks": state.chunks().len(),
        "segments": segments,
        "replays": replays,
        "gaps": gaps,
        "failures": state.failures().collect::<Vec<_>>(),
        "dirs": dirs,
    });
    serde_json::to_writer_pretty(&mut *out, &document).map_err(io::Error::from)?;
    writeln!(out)
}
