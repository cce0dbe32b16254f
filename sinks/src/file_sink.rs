//! The directory of results. While the event runs, every change is appended to a log; at its end
//! the documents are written, each whole or not at all.
//!
//! ```text
//! DIR/changes.jsonl                      segments, replays and clips that came and went, by epoch
//! DIR/log.jsonl                          chunks, gaps, observations and errors, by epoch
//! DIR/observations.jsonl, segments.jsonl what stands at the end
//! DIR/replays/NAME/replay.json, .edl, .otio, .fcpxml, chapters.vtt
//! DIR/exports/event.json, .otio, .vtt, event_TRACK.edl, segments.csv, replay_NAME.json, .csv
//! DIR/chunks/                            chunks that playlists name, where they are copied
//! DIR/report.html                        all of it for a person
//! ```
//!
//! Clips, thumbnails and videos of replays are cut by others into `clips/`, `thumbnails/` and
//! `replays/NAME/`; their relative paths are given to [`FileSink::finish`].

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use matchcut_model::change::{EpochChanges, EventState};
use matchcut_model::chunk::TrackNumber;
use matchcut_model::replay::Feedback;
use matchcut_model::time::MediaTime;
use matchcut_model::timeline::EventTimeline;
use matchcut_model::value::Name;
use serde::Serialize;

use crate::changes::{self, Told};
use crate::edits::EditLists;
use crate::edl::{self, EdlStyle, part_file_name};
use crate::error::SinkError;
use crate::exact::Exact;
use crate::export::ExportFormat;
use crate::fcpxml;
use crate::files::{
    AppendFile, create_dir, present, safe_file_name, write_atomically, write_atomically_by,
};
use crate::found::Observed;
use crate::info::{EventInfo, Media, ReplayInfo};
use crate::mre_json::Exports;
use crate::otio::Otio;
use crate::replay_document::{Replay, document, replays};
use crate::report::{FileLink, lanes, render, report_data};
use crate::sequence::Sequence;
use crate::{tables, vtt};

const CHANGES: &str = "changes.jsonl";
const LOG: &str = "log.jsonl";
const OBSERVATIONS: &str = "observations.jsonl";
const SEGMENTS: &str = "segments.jsonl";
const REPORT: &str = "report.html";

/// What makes a directory one that holds results.
const RESULTS: [&str; 5] = [CHANGES, LOG, OBSERVATIONS, SEGMENTS, REPORT];

/// Directories that hold nothing but results, once there are any.
const PARTS: [(&str, &[&str]); 5] = [
    ("clips", &["mp4", "m4s", "ts", "m3u8"]),
    ("thumbnails", &["jpg", "jpeg", "png", "webp"]),
    (
        "replays",
        &[
            "json", "edl", "otio", "fcpxml", "vtt", "mp4", "m4s", "ts", "m3u8", "jpg",
        ],
    ),
    (
        "chunks",
        &[
            "ts", "m4s", "mp4", "m4v", "m4a", "aac", "cmfv", "cmfa", "bin",
        ],
    ),
    ("exports", &["json", "edl", "otio", "csv", "vtt"]),
];

/// Writes the results of one event into a directory.
#[derive(Debug)]
pub struct FileSink {
    dir: PathBuf,
    info: EventInfo,
    changes: AppendFile,
    told: Told,
    log: AppendFile,
    /// Whether what results follow from is told by epoch.
    logs: bool,
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
        match FileSink::holds(dir) {
            Some(found) if !force => {
                let (dir, found) = (dir.to_owned(), found.to_owned());
                return Err(SinkError::HoldsResults { dir, found });
            }
            Some(_) => remove_results(dir)?,
            None => create_dir(dir)?,
        }
        FileSink::with_logs(dir, info, AppendFile::create)
    }

    /// Takes a directory of results to go on with: the log of changes is told again from its start,
    /// and what of it stands there already stays.
    pub fn resume(dir: &Path, info: EventInfo) -> Result<Self, SinkError> {
        create_dir(dir)?;
        FileSink::with_logs(dir, info, AppendFile::resume)
    }

    fn with_logs(
        dir: &Path,
        info: EventInfo,
        open: impl Fn(&Path) -> Result<AppendFile, SinkError>,
    ) -> Result<Self, SinkError> {
        let (changes, log) = (open(&dir.join(CHANGES))?, open(&dir.join(LOG))?);
        Ok(FileSink {
            dir: dir.to_owned(),
            info,
            changes,
            told: Told::default(),
            log,
            logs: true,
        })
    }

    /// A result that a directory holds, if any.
    pub fn holds(dir: &Path) -> Option<&'static str> {
        let found = |name: &&str| dir.join(name).symlink_metadata().is_ok();
        RESULTS.into_iter().find(found)
    }

    /// Results of recorded observations: they are the log already, in the file that they came from.
    pub fn leave_log_empty(&mut self) {
        self.logs = false;
    }

    /// What viewers said, for the exports.
    pub fn heard(&mut self, feedback: &[Feedback]) {
        self.info.feedback = feedback.to_vec();
    }

    /// A replay is asked for, or asked for otherwise than before.
    pub fn ask(&mut self, name: Name, replay: ReplayInfo) {
        self.info.replays.insert(name, replay);
    }

    /// A replay is not wanted any more; what is there of it is left until it is [swept](FileSink::sweep).
    pub fn withdraw(&mut self, name: &Name) {
        self.info.replays.remove(name);
    }

    /// Removes the files of a replay that is not wanted any more.
    pub fn sweep(&self, name: &Name) -> Result<(), SinkError> {
        let name = safe_file_name(name);
        for (part, kinds) in PARTS.iter().filter(|(part, _)| *part == "replays") {
            remove_kinds(&self.dir.join(part).join(&name), kinds, 1)?;
        }
        for end in ["json", "csv"] {
            let path = self
                .dir
                .join("exports")
                .join(format!("replay_{name}.{end}"));
            present(fs::remove_file(&path)).map_err(SinkError::io("remove", &path))?;
        }
        Ok(())
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Appends what an epoch changed to the logs. When this returns, the epoch is in the file.
    pub fn commit(
        &mut self,
        epoch: &EpochChanges,
        timeline: &EventTimeline,
    ) -> Result<(), SinkError> {
        let exact = Exact::new(timeline, &self.info);
        if self.logs {
            let log = changes::log_lines(epoch, &exact).map_err(|source| SinkError::Json {
                path: self.dir.join(LOG),
                source,
            })?;
            self.log.append(&log)?;
        }
        let lines = changes::lines(epoch, &exact, &mut self.told);
        let lines = lines.map_err(|source| SinkError::Json {
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
        self.changes.sync()?;
        self.log.sync()?;
        let this = &*self;
        // What was observed is far more than all the rest: it is written beside it.
        std::thread::scope(|scope| {
            let lanes = scope.spawn(|| {
                this.write_observations(state, timeline)?;
                lanes(state, &this.info).map_err(|source| this.no_report(source))
            });
            this.write_documents(state, timeline, media, || {
                lanes
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })
    }

    fn no_report(&self, source: serde_json::Error) -> SinkError {
        let path = self.dir.join(REPORT);
        SinkError::Json { path, source }
    }

    fn write_observations(
        &self,
        state: &EventState,
        timeline: &EventTimeline,
    ) -> Result<(), SinkError> {
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
        lanes: impl FnOnce() -> Result<String, SinkError>,
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
        let lists = EditLists::new(&self.info, timeline, &exact, media)?;
        out.written.warnings.extend(lists.warning());
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
            links.push(self.replay(&mut out, replay, name, &lists, &exports)?);
        }
        self.event(&mut out, &lists, &exports)?;

        let data = report_data(&exports, &replays, links, self.links(&out.written.files));
        let page = render(&data, lanes()?).map_err(|source| self.no_report(source))?;
        out.pieces(REPORT, &page)?;
        Ok(out.written)
    }

    /// Writes the files of one replay; their names and places.
    fn replay(
        &self,
        out: &mut Output<'_>,
        replay: &Replay<'_>,
        name: &str,
        lists: &EditLists<'_>,
        exports: &Exports<'_>,
    ) -> Result<Vec<(&'static str, String)>, SinkError> {
        let formats = &self.info.exports;
        let mut links = Vec::new();
        if let Some(videos) = exports.media.replays.get(&replay.row.name) {
            links.extend(videos.mp4.clone().map(|path| ("MP4", path)));
            links.extend(videos.hls.clone().map(|path| ("HLS", path)));
        }
        let json = format!("replays/{name}/replay.json");
        out.json(&json, &document(replay, exports.observed))?;

        let list = lists.replay(replay, |id| exports.state.segment(id));
        out.written.warnings.extend(list.warnings.iter().cloned());
        let pieces = list.edits.iter().map(|edit| lists.shown(edit.cut.marks));
        let pieces: Vec<MediaTime> = pieces.collect();
        if formats.wants(ExportFormat::Edl) {
            let stem = format!("replays/{name}/replay");
            let parts = out.edit_lists(&stem, &edl::write(&list, &self.info.edl))?;
            links.extend(parts.into_iter().map(|path| ("EDL", path)));
        }
        if formats.wants(ExportFormat::Otio) {
            let path = format!("replays/{name}/replay.otio");
            let mut about = self.about();
            about.insert("replay".into(), replay.row.name.as_str().into());
            out.json(&path, &self.otio("../../").list(&list, about))?;
            links.push(("OTIO", path));
        }
        if formats.wants(ExportFormat::Fcpxml) {
            let path = format!("replays/{name}/replay.fcpxml");
            let text = fcpxml::write(&list, &self.info.event, formats.link, "../../");
            out.document(&path, text.as_bytes())?;
            links.push(("FCPXML", path));
        }
        if formats.wants(ExportFormat::Vtt) {
            let path = format!("replays/{name}/chapters.vtt");
            let titles = list.edits.iter().map(|edit| edit.cut.name.clone());
            let chapters = vtt::butted(pieces.iter().copied().zip(titles));
            out.document(&path, vtt::write(chapters).as_bytes())?;
            links.push(("VTT", path));
        }
        if formats.wants(ExportFormat::Csv) {
            let path = format!("exports/replay_{name}.csv");
            let table = tables::replay(&list, &pieces, exports.exact);
            out.document(&path, table.as_bytes())?;
            links.push(("CSV", path));
        }
        links.push(("JSON", json));
        if formats.wants(ExportFormat::Mre) {
            let path = format!("exports/replay_{name}.json");
            out.json(&path, &exports.replay(replay))?;
            links.push(("MRE JSON", path));
        }
        Ok(links)
    }

    /// Writes the files of the event as a whole.
    fn event(
        &self,
        out: &mut Output<'_>,
        lists: &EditLists<'_>,
        exports: &Exports<'_>,
    ) -> Result<(), SinkError> {
        let formats = &self.info.exports;
        let state = exports.state;
        let tracks = exports.tracks();
        if formats.wants(ExportFormat::Mre) {
            out.json("exports/event.json", &exports.event())?;
        }
        let in_place: Vec<Sequence> = tracks
            .iter()
            .map(|&track| lists.event_in_place(state.segments(), track))
            .collect();
        // Whatever form tells them apart: a segment without a frame is in none of them.
        let warnings = in_place.iter().flat_map(|list| list.warnings.clone());
        out.written.warnings.extend(warnings);
        if formats.wants(ExportFormat::Edl) {
            for (&track, in_place) in tracks.iter().zip(&in_place) {
                let texts = match self.info.edl.style {
                    EdlStyle::Marker => edl::write(in_place, &self.info.edl),
                    _ => edl::write(&lists.event(state.segments(), track), &self.info.edl),
                };
                out.edit_lists(&format!("exports/event_{track}"), &texts)?;
            }
        }
        if formats.wants(ExportFormat::Otio) {
            let first = tracks.first().copied().unwrap_or(TrackNumber::FIRST);
            let whole = lists.whole(first);
            let event = self.otio("../").event(&whole, &in_place, self.about());
            out.json("exports/event.otio", &event)?;
        }
        if formats.wants(ExportFormat::Csv) {
            let table = tables::segments(state.segments(), &tracks, exports.media, exports.exact);
            out.document("exports/segments.csv", table.as_bytes())?;
        }
        if formats.wants(ExportFormat::Vtt) {
            // Chapters have no tracks; the first one speaks for the event.
            let edits = in_place.first().into_iter().flat_map(|list| &list.edits);
            let chapters = edits.map(|edit| (edit.cut.marks, edit.cut.name.clone()));
            out.document("exports/event.vtt", vtt::write(chapters).as_bytes())?;
        }
        Ok(())
    }

    fn otio<'a>(&self, up: &'a str) -> Otio<'a> {
        Otio {
            link: self.info.exports.link,
            up,
        }
    }

    /// What every OpenTimelineIO document says of where it comes from.
    fn about(&self) -> serde_json::Map<String, serde_json::Value> {
        let mut about = serde_json::Map::new();
        about.insert("program".into(), self.info.program.as_str().into());
        about.insert("event".into(), self.info.event.as_str().into());
        about
    }

    fn links(&self, files: &[String]) -> Vec<FileLink> {
        let logs = [
            FileLink {
                path: CHANGES.into(),
                what: "segments, replays and clips that came and went, by epoch",
            },
            FileLink {
                path: LOG.into(),
                what: "chunks, gaps, observations and errors, by epoch",
            },
        ];
        let what = |path: &str| match path {
            OBSERVATIONS => "what the operators observed",
            SEGMENTS => "segments with their marks and clips",
            "exports/event.json" => "the event in the shape of MRE",
            "exports/event.otio" => "the event with its segments (OpenTimelineIO)",
            "exports/event.vtt" => "segments as chapters of the event (WebVTT)",
            "exports/segments.csv" => "segments as a table",
            _ if path.ends_with(".csv") => "the replay as a table",
            _ if path.ends_with(".otio") => "edit list of the replay (OpenTimelineIO)",
            _ if path.ends_with(".fcpxml") => "edit list of the replay (Final Cut Pro XML)",
            _ if path.ends_with(".vtt") => "chapters of the replay (WebVTT)",
            _ if path.starts_with("exports/event_") => "edit list of all segments (CMX 3600)",
            _ if path.starts_with("exports/replay_") => "the replay in the shape of MRE",
            _ if path.ends_with(".edl") => "edit list of the replay (CMX 3600)",
            _ => "the replay, with reasons",
        };
        let link = |path: &String| FileLink {
            path: path.clone(),
            what: what(path),
        };
        files.iter().map(link).chain(logs).collect()
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

    fn pieces(&mut self, name: &str, pieces: &[Cow<'_, str>]) -> Result<(), SinkError> {
        let path = self.dir.join(name);
        write_atomically_by(&path, |out| {
            let mut written = pieces.iter().map(|piece| out.write_all(piece.as_bytes()));
            written
                .try_for_each(|written| written)
                .map_err(SinkError::io("write", &path))
        })?;
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
        let path = self.dir.join(name);
        write_atomically_by(&path, |out| {
            for row in rows {
                serde_json::to_writer(&mut *out, &row).map_err(|source| match source.is_io() {
                    true => SinkError::io("write", &path)(source.into()),
                    false => SinkError::Json {
                        path: path.clone(),
                        source,
                    },
                })?;
                out.write_all(b"\n")
                    .map_err(SinkError::io("write", &path))?;
            }
            Ok(())
        })?;
        self.written.files.push(name.to_owned());
        Ok(())
    }

    fn edit_lists(&mut self, stem: &str, parts: &[String]) -> Result<Vec<String>, SinkError> {
        let mut names = Vec::new();
        for (index, text) in parts.iter().enumerate() {
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
