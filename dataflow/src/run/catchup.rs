//! Catch-up replays on disk: every change of what a replay plays becomes a playlist of its own that
//! never changes again, and a small pointer names the newest. Players fail on a playlist whose clips
//! change places, so a page goes from one version to the next by the pointer.
//!
//! ```text
//! DIR/replays/NAME/v1.m3u8, v2.m3u8, …   complete VOD playlists, immutable
//! DIR/replays/NAME/index.m3u8            a copy of the newest, for plain players
//! DIR/replays/NAME/current.json          the pointer
//! ```
//!
//! Numbers are counted from the log: epoch by epoch, each that changes the clips of the replay or
//! the chunks under them counts one. So they do not depend on workers, and a run that is resumed
//! counts the same again.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use matchcut_model::chunk::{Container, ContentId, Epoch, Position};
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::timeline::EventTimeline;
use matchcut_model::value::Name;
use matchcut_sinks::files::{safe_file_name, write_atomically};
use serde::{Deserialize, Serialize};

use super::playlist::{Instant, Wanted, chunks_of};
use super::target::Place;

/// The name of the pointer.
pub const POINTER: &str = "current.json";

/// What a version plays; another one is due when this changes.
type Content = Vec<(String, TimeRange, Vec<(Position, ContentId)>)>;

/// The pointer to the newest version of a replay. Times are seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pointer {
    /// The replay.
    pub replay: String,
    /// Counted from 1.
    pub version: u64,
    /// The epoch that changed it.
    pub epoch: u64,
    /// Whether the event has ended, so that no version follows.
    #[serde(rename = "final")]
    pub ended: bool,
    /// The playlist of the version beside the pointer; null when it has no clip.
    pub playlist: Option<String>,
    /// How long it plays.
    pub duration: f64,
    /// Whether browsers can start at each of its clips.
    pub browser: bool,
    /// Its clips in the order of playing.
    pub clips: Vec<PointerClip>,
    /// What else is to be known.
    pub notes: Vec<String>,
}

/// A clip of a version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PointerClip {
    /// The segment, or the range of a replay that names times: the same in every version.
    pub id: String,
    /// What a labeler calls it.
    pub label: Option<String>,
    /// When it begins in the playlist.
    pub start: f64,
    /// How long it plays.
    pub duration: f64,
    /// When its mark-in is shown in the playlist.
    pub mark_in: f64,
    /// When its mark-out is.
    pub mark_out: f64,
    /// Its mark-in on the event timeline.
    pub event_start: f64,
    /// Its mark-out there.
    pub event_end: f64,
    /// How far its ends are from the marks.
    pub max_error_frames: u64,
}

#[derive(Default)]
struct Followed {
    version: u64,
    content: Content,
    /// Versions up to this one were published before the run was resumed.
    published: u64,
}

/// Publishes the versions of the catch-up replays of one directory.
pub struct CatchUp {
    place: Place,
    replays: BTreeMap<Name, Followed>,
    resumed: bool,
}

impl CatchUp {
    /// For a directory of results.
    pub fn new(place: Place) -> Self {
        CatchUp {
            place,
            replays: BTreeMap::new(),
            resumed: false,
        }
    }

    /// Where chunks that its playlists name are copied to, if they are.
    pub fn copies(&self) -> Option<PathBuf> {
        self.place.copies()
    }

    /// How many versions were counted, of all replays.
    pub fn versions(&self) -> u64 {
        self.replays.values().map(|followed| followed.version).sum()
    }

    /// For a run that goes on: what replays have published stays as it is, and is only counted while the epochs
    /// of the log come again.
    pub fn resume(&mut self) {
        self.resumed = true;
    }

    /// Where the files of a replay are, relative to the directory.
    fn folder(name: &Name) -> String {
        format!("replays/{}", safe_file_name(name))
    }

    fn pointer(&self, name: &Name) -> Option<Pointer> {
        let path = self.place.dir.join(Self::folder(name)).join(POINTER);
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// To be called for a replay after every epoch. Publishes a version if the epoch changed what is
    /// played; `make` makes its playlist for a path. Of the versions the last `keep` stay, all if it
    /// is 0. Gives back the path of the playlist for plain players, relative to the directory, when
    /// there is a new version with clips.
    pub fn update(
        &mut self,
        name: &Name,
        wanted: &[Wanted],
        epoch: Epoch,
        keep: u32,
        timeline: &EventTimeline,
        make: impl FnOnce(&Path) -> Result<Instant, String>,
    ) -> Result<Option<String>, String> {
        let content = content(wanted, timeline);
        let published = match self.resumed && !self.replays.contains_key(name) {
            true => self.pointer(name).map_or(0, |pointer| pointer.version),
            false => 0,
        };
        let followed = self
            .replays
            .entry(name.clone())
            .or_insert_with(|| Followed {
                published,
                ..Followed::default()
            });
        if content == followed.content || (followed.version == 0 && content.is_empty()) {
            return Ok(None);
        }
        followed.content = content;
        followed.version += 1;
        let version = followed.version;
        let folder = Self::folder(name);
        let index = format!("{folder}/index.m3u8");
        if version <= followed.published {
            return Ok((!followed.content.is_empty()).then_some(index));
        }
        let dir = self.place.dir.join(&folder);
        fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        let list = if followed.content.is_empty() {
            remove(&dir.join("index.m3u8"))?;
            None
        } else {
            let list = make(&dir.join(format!("v{version}.m3u8")))?;
            for (path, text) in &list.files {
                write(path, text.as_bytes())?;
            }
            if let Some((_, text)) = list.files.last() {
                write(&dir.join("index.m3u8"), text.as_bytes())?;
            }
            Some(list)
        };
        let pointer = pointer(name, version, epoch, wanted, list.as_ref());
        write_pointer(&dir, &pointer)?;
        if let Some(old) = version.checked_sub(u64::from(keep)).filter(|_| keep > 0) {
            // The run before may have ended before it removed what it should have.
            let resumed = followed.published > 0 && version == followed.published + 1;
            for version in if resumed { 1 } else { old }..=old {
                forget(&dir, version)?;
            }
        }
        Ok(list.map(|_| index))
    }

    /// Says in the pointers that no version follows.
    pub fn finish(&mut self) -> Result<(), String> {
        for (name, _) in self.replays.iter().filter(|(_, f)| f.version > 0) {
            let Some(mut pointer) = self.pointer(name).filter(|pointer| !pointer.ended) else {
                continue;
            };
            pointer.ended = true;
            write_pointer(&self.place.dir.join(Self::folder(name)), &pointer)?;
        }
        Ok(())
    }
}

/// What there is to play of the clips. Only what the log says counts, never whether a chunk could be
/// fetched just now.
fn content(wanted: &[Wanted], timeline: &EventTimeline) -> Content {
    let clips = wanted.iter().filter_map(|clip| {
        let chunks = chunks_of(timeline, clip.range);
        // A file has no chunks that a playlist could name, and players read no Matroska.
        let unplayable = [Container::FilePart, Container::Matroska];
        if chunks.is_empty()
            || chunks
                .iter()
                .any(|c| unplayable.contains(&c.chunk.container))
        {
            return None;
        }
        let chunks = chunks.iter().map(|c| (c.chunk.position, c.content));
        Some((clip.id.clone(), clip.range, chunks.collect()))
    });
    clips.collect()
}

fn pointer(
    name: &Name,
    version: u64,
    epoch: Epoch,
    wanted: &[Wanted],
    list: Option<&Instant>,
) -> Pointer {
    let placed = list.map_or(&[][..], |list| &list.clips);
    let clips = placed.iter().filter_map(|placed| {
        let asked = wanted.iter().find(|clip| clip.id == placed.id)?;
        Some(PointerClip {
            id: placed.id.clone(),
            label: asked.label.clone(),
            start: seconds(placed.start),
            duration: seconds(placed.duration),
            mark_in: seconds(placed.mark_in),
            mark_out: seconds(placed.mark_out),
            event_start: seconds(asked.range.start),
            event_end: seconds(asked.range.end),
            max_error_frames: placed.max_error_frames,
        })
    });
    Pointer {
        replay: name.to_string(),
        version,
        epoch: epoch.0,
        ended: false,
        playlist: list.map(|_| format!("v{version}.m3u8")),
        duration: list.map_or(0.0, |list| seconds(list.duration)),
        browser: list.is_none_or(|list| list.browser),
        clips: clips.collect(),
        notes: list.map_or_else(Vec::new, |list| list.notes.iter().cloned().collect()),
    }
}

/// Seconds to the microsecond, as playlists write them.
fn seconds(time: MediaTime) -> f64 {
    time.to_ticks(1_000_000) as f64 / 1e6
}

fn write(path: &Path, content: &[u8]) -> Result<(), String> {
    write_atomically(path, content).map_err(|error| error.to_string())
}

fn write_pointer(dir: &Path, pointer: &Pointer) -> Result<(), String> {
    let path = dir.join(POINTER);
    let mut text = serde_json::to_vec_pretty(pointer)
        .map_err(|error| format!("{}: {error}", path.display()))?;
    text.push(b'\n');
    write(&path, &text)
}

/// Removes a version; one that is gone already is what is wanted.
fn forget(dir: &Path, version: u64) -> Result<(), String> {
    remove(&dir.join(format!("v{version}.m3u8")))?;
    remove(&dir.join(format!("v{version}_video.m3u8")))?;
    for track in 1.. {
        let path = dir.join(format!("v{version}_audio{track}.m3u8"));
        if !path.exists() {
            return Ok(());
        }
        remove(&path)?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), String> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(format!("{}: {error}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::testing;
    use matchcut_model::chunk::PlacedChunk;
    use std::collections::BTreeSet;

    fn chunk(position: u64, content: u64) -> PlacedChunk {
        testing::chunk(format!("file:///c{position}.ts"), position, content)
    }

    fn wanted(id: &str, start: i64, end: i64) -> Wanted {
        Wanted {
            id: id.to_owned(),
            label: Some(format!("label of {id}")),
            range: TimeRange::new(MediaTime::from_seconds(start), MediaTime::from_seconds(end)),
        }
    }

    fn instant(path: &Path, wanted: &[Wanted]) -> Instant {
        let mut at = MediaTime::ZERO;
        let clips = wanted.iter().map(|clip| {
            let start = at;
            at += clip.range.duration();
            super::super::playlist::PlacedClip {
                id: clip.id.clone(),
                start,
                duration: clip.range.duration(),
                mark_in: start,
                mark_out: at,
                max_error_frames: 3,
            }
        });
        let clips: Vec<_> = clips.collect();
        let text = format!("{} {at}\n", path.file_name().unwrap().to_string_lossy());
        Instant {
            files: vec![(path.to_owned(), text)],
            copies: BTreeMap::new(),
            clips,
            duration: at,
            max_error_frames: 3,
            browser: true,
            notes: BTreeSet::new(),
        }
    }

    /// An event in epochs: the chunks that come with each, and what the replay has after it.
    fn epochs() -> Vec<(Vec<PlacedChunk>, Vec<Wanted>)> {
        let (a, b) = (wanted("rally:1", 1, 3), wanted("rally:2", 9, 11));
        vec![
            (vec![chunk(0, 10)], vec![]),
            (vec![chunk(1, 11)], vec![a.clone()]),
            (vec![chunk(2, 12)], vec![a.clone()]),
            (vec![chunk(3, 13)], vec![b.clone(), a.clone()]),
            (vec![], vec![]),
            (vec![], vec![b.clone()]),
            // Other bytes under a clip that stays.
            (vec![chunk(2, 99)], vec![b]),
        ]
    }

    fn play(catchup: &mut CatchUp, upto: usize, keep: u32) -> Vec<Option<String>> {
        let mut timeline = EventTimeline::new();
        let name = Name::new("best");
        let all = epochs().into_iter().enumerate().take(upto);
        all.map(|(epoch, (chunks, wanted))| {
            for chunk in chunks {
                timeline.insert(chunk);
            }
            let make = |path: &Path| Ok(instant(path, &wanted));
            let epoch = Epoch(epoch as u64);
            catchup
                .update(&name, &wanted, epoch, keep, &timeline, make)
                .unwrap()
        })
        .collect()
    }

    fn files(dir: &Path) -> BTreeMap<String, String> {
        let entries = fs::read_dir(dir.join("replays/best")).unwrap();
        entries
            .map(|entry| {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                (name, fs::read_to_string(path).unwrap())
            })
            .collect()
    }

    #[test]
    fn a_version_for_every_change_of_what_is_played() {
        let dir = tempfile::tempdir().unwrap();
        let mut catchup = CatchUp::new(Place::of(dir.path()));
        let index = || Some("replays/best/index.m3u8".to_owned());
        let expected = [None, index(), None, index(), None, index(), index()];
        assert_eq!(play(&mut catchup, 7, 0), expected);
        let files = files(dir.path());
        let names: Vec<&str> = files.keys().map(String::as_str).collect();
        // Version 3 has no clips, and no playlist.
        let expected = [
            "current.json",
            "index.m3u8",
            "v1.m3u8",
            "v2.m3u8",
            "v4.m3u8",
            "v5.m3u8",
        ];
        assert_eq!(names, expected);
        assert_eq!(files["v2.m3u8"], "v2.m3u8 4.000\n");
        assert_eq!(files["index.m3u8"], files["v5.m3u8"]);
        let pointer: Pointer = serde_json::from_str(&files["current.json"]).unwrap();
        assert_eq!(
            (pointer.version, pointer.epoch, pointer.ended),
            (5, 6, false)
        );
        assert_eq!(pointer.playlist.as_deref(), Some("v5.m3u8"));
        let clip = &pointer.clips[0];
        assert_eq!((clip.id.as_str(), clip.event_start), ("rally:2", 9.0));
        catchup.finish().unwrap();
        assert!(catchup.pointer(&Name::new("best")).unwrap().ended);
    }

    #[test]
    fn a_replay_without_clips_keeps_its_number_and_loses_its_playlist() {
        let dir = tempfile::tempdir().unwrap();
        play(&mut CatchUp::new(Place::of(dir.path())), 5, 0);
        let files = files(dir.path());
        assert!(!files.contains_key("index.m3u8"));
        let pointer: Pointer = serde_json::from_str(&files["current.json"]).unwrap();
        assert_eq!((pointer.version, pointer.playlist), (3, None));
    }

    #[test]
    fn a_resumed_run_counts_the_same_and_rewrites_nothing() {
        let undisturbed = tempfile::tempdir().unwrap();
        play(&mut CatchUp::new(Place::of(undisturbed.path())), 7, 0);
        let before = files(undisturbed.path());
        for killed in 0..=7 {
            let dir = tempfile::tempdir().unwrap();
            play(&mut CatchUp::new(Place::of(dir.path())), killed, 0);
            // Killed after the playlist of a version, before its pointer.
            if killed == 4 {
                let replay = dir.path().join("replays/best");
                fs::copy(
                    undisturbed.path().join("replays/best/v4.m3u8"),
                    replay.join("v4.m3u8"),
                )
                .unwrap();
            }
            let stamp = |dir: &Path| {
                fs::metadata(dir.join("replays/best/v1.m3u8"))
                    .and_then(|m| m.modified())
                    .ok()
            };
            let first = stamp(dir.path());
            let mut again = CatchUp::new(Place::of(dir.path()));
            again.resume();
            play(&mut again, 7, 0);
            assert_eq!(files(dir.path()), before, "killed after {killed} epochs");
            if killed > 1 {
                assert_eq!(stamp(dir.path()), first, "version 1 was written again");
            }
        }
    }

    #[test]
    fn old_versions_go_where_that_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        play(&mut CatchUp::new(Place::of(dir.path())), 7, 2);
        let names: Vec<String> = files(dir.path()).into_keys().collect();
        assert_eq!(names, ["current.json", "index.m3u8", "v4.m3u8", "v5.m3u8"]);
    }
}
