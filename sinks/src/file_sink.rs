//! The directory of results. While the event runs, every change is appended to a log; at its end
//! the documents are written, each whole or not at all.
//!
//! ```text
//! DIR/changes.jsonl                      every insert and retract, with its epoch
//! DIR/observations.jsonl, segments.jsonl what stands at the end
//! DIR/replays/NAME/replay.json, replay.edl
//! DIR/exports/event.json, event_TRACK.edl, replay_NAME.json
//! DIR/report.html                        all of it for a person
//! ```
//!
//! Clips, thumbnails and videos of replays are cut by others into `clips/`, `thumbnails/` and
//! `replays/NAME/`; their relative paths are given to [`FileSink::finish`].

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use matchcut_model::change::{EpochChanges, EventState};
use matchcut_model::timeline::EventTimeline;
use serde::Serialize;

use crate::changes;
use crate::edits::{EditLists, clip_name};
use crate::edl::{EdlFiles, part_file_name};
use crate::error::SinkError;
use crate::exact::Exact;
use crate::files::{AppendFile, create_dir, safe_file_name, write_atomically};
use crate::found::Observed;
use crate::info::{EventInfo, Media};
use crate::mre_json::Exports;
use crate::replay_document::{Replay, document, replays};
use crate::report::{FileLink, render, report_data};

const CHANGES: &str = "changes.jsonl";
const OBSERVATIONS: &str = "observations.jsonl";
const SEGMENTS: &str = "segments.jsonl";
const REPORT: &str = "report.html";

/// What makes a directory one that holds results.
const RESULTS: [&str; 4] = [CHANGES, OBSERVATIONS, SEGMENTS, REPORT];

/// Directories that hold nothing but results, once there are any.
const PARTS: [(&str, &[&str]); 4] = [
    ("clips", &["mp4", "m4s", "ts", "m3u8"]),
    ("thumbnails", &["jpg", "jpeg", "png", "webp"]),
    (
        "replays",
        &["json", "edl", "mp4", "m4s", "ts", "m3u8", "jpg"],
    ),
    ("exports", &["json", "edl"]),
];

/// Writes the results of one event into a directory.
#[derive(Debug)]
pub struct FileSink {
    dir: PathBuf,
    info: EventInfo,
    changes: AppendFile,
}

/// What was written at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Files, relative to the directory, in the order of writing.
    pub files: Vec<String>,
    /// What had to be left out, one sentence each.
    pub warnings: Vec<String>,
}

impl FileSink {
    /// Takes a directory, creating it where needed. One that holds results is refused, unless
    /// `force`: then the results of the earlier run are removed, and nothing else.
    pub fn create(dir: &Path, force: bool, info: EventInfo) -> Result<Self, SinkError> {
        let found = RESULTS
            .iter()
            .find(|name| dir.join(name).symlink_metadata().is_ok());
        match found {
            Some(found) if !force => {
                let (dir, found) = (dir.to_owned(), (*found).to_owned());
                return Err(SinkError::HoldsResults { dir, found });
            }
            Some(_) => remove_results(dir)?,
            None => create_dir(dir)?,
        }
        let changes = AppendFile::create(&dir.join(CHANGES))?;
        Ok(FileSink {
            dir: dir.to_owned(),
            info,
            changes,
        })
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Appends the changes of an epoch to the log. When this returns, the epoch is in the file.
    pub fn commit(
        &mut self,
        epoch: &EpochChanges,
        timeline: &EventTimeline,
    ) -> Result<(), SinkError> {
        let exact = Exact::new(timeline, &self.info);
        let lines = changes::lines(epoch, &exact).map_err(|source| SinkError::Json {
            path: self.dir.join(CHANGES),
            source,
        })?;
        self.changes.append(&lines)
    }

    /// Writes everything that stands at the end of the event.
    pub fn finish(
        &mut self,
        state: &EventState,
        timeline: &EventTimeline,
        media: &Media,
    ) -> Result<Written, SinkError> {
        let this = &*self;
        // What was observed is far more than all the rest: it is written beside it.
        std::thread::scope(|scope| {
            let observations = scope.spawn(|| this.write_observations(state, timeline));
            let written = this.write_documents(state, timeline, media);
            observations
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            written
        })
    }

    fn write_observations(
        &self,
        state: &EventState,
        timeline: &EventTimeline,
    ) -> Result<(), SinkError> {
        self.changes.sync()?;
        let exact = Exact::new(timeline, &self.info);
        let mut out = Output {
            dir: &self.dir,
            written: Written::default(),
        };
        let rows = state.observations().map(|row| exact.observation(row));
        out.lines(OBSERVATIONS, rows)
    }

    fn write_documents(
        &self,
        state: &EventState,
        timeline: &EventTimeline,
        media: &Media,
    ) -> Result<Written, SinkError> {
        let mut out = Output {
            dir: &self.dir,
            written: Written::default(),
        };
        let exact = Exact::new(timeline, &self.info);
        let observed = Observed::new(state.observations());
        let exports = Exports {
            state,
            timeline,
            info: &self.info,
            media,
            observed: &observed,
            exact: &exact,
        };
        let lists = EditLists {
            info: &self.info,
            timeline,
            exact: &exact,
        };
        let replays = replays(state, &self.info);

        // Written meanwhile.
        out.written.files.push(OBSERVATIONS.to_owned());
        out.lines(
            SEGMENTS,
            state.segments().map(|segment| {
                let mut line = exact.segment(segment);
                line.clips = media.clips.get(&segment.id).cloned();
                line
            }),
        )?;

        let names = file_names(&replays);
        let mut links = Vec::new();
        for (replay, name) in replays.iter().zip(&names) {
            let json = format!("replays/{name}/replay.json");
            out.json(&json, &document(replay, &observed))?;
            let name_of = |choice: &matchcut_model::change::ChoiceRow| {
                Some(clip_name(state.segment(choice.segment.as_ref()?)?))
            };
            let chosen = replay.chosen.iter().copied();
            let list = lists.replay(&replay.row.name, replay.row.track, chosen, name_of)?;
            let edl = out.edit_lists(&format!("replays/{name}/replay"), list)?;
            let mre = format!("exports/replay_{name}.json");
            out.json(&mre, &exports.replay(replay))?;

            let of_replay = media.replays.get(&replay.row.name);
            let mut files = Vec::new();
            files.extend(
                of_replay
                    .and_then(|m| m.mp4.clone())
                    .map(|path| ("MP4", path)),
            );
            files.extend(
                of_replay
                    .and_then(|m| m.hls.clone())
                    .map(|path| ("HLS", path)),
            );
            files.extend(edl.into_iter().map(|path| ("EDL", path)));
            files.extend([("JSON", json), ("MRE JSON", mre)]);
            links.push(files);
        }

        out.json("exports/event.json", &exports.event())?;
        for track in exports.tracks() {
            let list = lists.event(state.segments(), track)?;
            out.edit_lists(&format!("exports/event_{track}"), list)?;
        }

        let data = report_data(&exports, &replays, links, self.links(&out.written.files));
        let page = render(&data).map_err(|source| SinkError::Json {
            path: self.dir.join(REPORT),
            source,
        })?;
        out.document(REPORT, page.as_bytes())?;
        Ok(out.written)
    }

    fn links(&self, files: &[String]) -> Vec<FileLink> {
        let log = FileLink {
            path: CHANGES.into(),
            what: "every insert and retract, by epoch",
        };
        let what = |path: &str| match path {
            OBSERVATIONS => "what the operators observed",
            SEGMENTS => "segments with their marks and clips",
            "exports/event.json" => "the event in the shape of MRE",
            _ if path.starts_with("exports/event_") => "edit list of all segments (CMX 3600)",
            _ if path.starts_with("exports/replay_") => "the replay in the shape of MRE",
            _ if path.ends_with(".edl") => "edit list of the replay (CMX 3600)",
            _ => "the replay, with reasons",
        };
        let link = |path: &String| FileLink {
            path: path.clone(),
            what: what(path),
        };
        files.iter().map(link).chain([log]).collect()
    }
}

/// A name in the file system for each replay; two that would fall on one get a number.
fn file_names(replays: &[Replay<'_>]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    replays
        .iter()
        .map(|replay| {
            let name = safe_file_name(&replay.row.name);
            let numbered = (2..).map(|number| format!("{name}_{number}"));
            let mut free = std::iter::once(name.clone())
                .chain(numbered)
                .skip_while(|name| taken.contains(name));
            let name = free.next().unwrap_or(name);
            taken.insert(name.clone());
            name
        })
        .collect()
}

struct Output<'a> {
    dir: &'a Path,
    written: Written,
}

impl Output<'_> {
    fn document(&mut self, name: &str, content: &[u8]) -> Result<(), SinkError> {
        let path = self.dir.join(name);
        if let Some(dir) = path.parent() {
            create_dir(dir)?;
        }
        write_atomically(&path, content)?;
        self.written.files.push(name.to_owned());
        Ok(())
    }

    fn json(&mut self, name: &str, value: &impl Serialize) -> Result<(), SinkError> {
        let mut text = serde_json::to_vec_pretty(value).map_err(|source| SinkError::Json {
            path: self.dir.join(name),
            source,
        })?;
        text.push(b'\n');
        self.document(name, &text)
    }

    fn lines<T: Serialize>(
        &mut self,
        name: &str,
        rows: impl Iterator<Item = T>,
    ) -> Result<(), SinkError> {
        let mut text = Vec::new();
        for row in rows {
            serde_json::to_writer(&mut text, &row).map_err(|source| SinkError::Json {
                path: self.dir.join(name),
                source,
            })?;
            text.push(b'\n');
        }
        self.document(name, &text)
    }

    fn edit_lists(&mut self, stem: &str, list: EdlFiles) -> Result<Vec<String>, SinkError> {
        self.written.warnings.extend(list.warnings);
        let mut names = Vec::new();
        for (index, text) in list.parts.iter().enumerate() {
            let name = part_file_name(stem, index);
            self.document(&name, text.as_bytes())?;
            names.push(name);
        }
        Ok(names)
    }
}

/// Removes what an earlier run wrote, by name and kind of file: whatever else somebody put there
/// stays.
fn remove_results(dir: &Path) -> Result<(), SinkError> {
    for name in RESULTS {
        let path = dir.join(name);
        if path.symlink_metadata().is_ok() {
            fs::remove_file(&path).map_err(SinkError::io("remove", &path))?;
        }
    }
    for (name, kinds) in PARTS {
        remove_kinds(&dir.join(name), kinds, 2)?;
    }
    Ok(())
}

fn remove_kinds(dir: &Path, kinds: &[&str], depth: u32) -> Result<(), SinkError> {
    // A link leads out of the results; what it leads to is not ours.
    if !dir.symlink_metadata().is_ok_and(|found| found.is_dir()) || depth == 0 {
        return Ok(());
    }
    for entry in fs::read_dir(dir).map_err(SinkError::io("read", dir))? {
        let path = entry.map_err(SinkError::io("read", dir))?.path();
        let kind = path
            .extension()
            .and_then(|kind| kind.to_str())
            .unwrap_or_default();
        if path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            remove_kinds(&path, kinds, depth - 1)?;
        } else if kinds.contains(&kind) {
            fs::remove_file(&path).map_err(SinkError::io("remove", &path))?;
        }
    }
    // Stays where something else is in it.
    let _ = fs::remove_dir(dir);
    Ok(())
}
