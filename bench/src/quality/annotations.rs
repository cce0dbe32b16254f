//! What was read by eye: one JSON document for each clip, in `bench/quality/annotations`. Frames are
//! counted from 0 in order of presentation; ranges do not contain their end.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;

use crate::Error;

const DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/quality/annotations");

/// What was read in one clip. Other topics may keep more in the same document.
#[derive(Clone, Debug, Deserialize)]
pub struct Annotation {
    /// File name.
    pub clip: String,
    /// How many frames it has.
    pub frames: u64,
    /// Frames a second, as a fraction.
    pub rate: String,
    /// First frames of new shots; left out where nobody looked.
    pub cuts: Option<Vec<u64>>,
    /// Fades and dissolves.
    #[serde(default)]
    pub transitions: Vec<Transition>,
    /// Where the camera is; what is left out cannot be told.
    #[serde(default)]
    pub views: Vec<View>,
    /// What a score box says.
    pub scoreboard: Option<Board>,
}

/// The score boxes of a clip.
#[derive(Clone, Debug, Deserialize)]
pub struct Board {
    /// `tennis` or `soccer`.
    pub sport: String,
    /// Each box that is shown.
    pub boxes: Vec<BoardBox>,
}

/// A score box.
#[derive(Clone, Debug, Deserialize)]
pub struct BoardBox {
    /// Where it is, a little larger: left, top, width, height as shares of the picture.
    pub region: [f64; 4],
    /// What it says, in order of time.
    pub readings: Vec<Reading>,
}

/// What a score box says for a while.
#[derive(Clone, Debug, Deserialize)]
pub struct Reading {
    /// First frame, and the first that says something else.
    pub frames: [u64; 2],
    /// By the names of the attributes of `scoreboard_text`.
    #[serde(flatten)]
    pub says: serde_json::Map<String, serde_json::Value>,
}

impl Reading {
    /// Whether it stands at a frame.
    pub fn contains(&self, frame: u64) -> bool {
        (self.frames[0]..self.frames[1]).contains(&frame)
    }
}

/// A fade or a dissolve.
#[derive(Clone, Debug, Deserialize)]
pub struct Transition {
    /// `fade_in`, `fade_out` or `dissolve`.
    pub kind: String,
    /// The last frame before it, and the first after it.
    pub frames: [u64; 2],
}

/// Where the camera is for a while.
#[derive(Clone, Debug, Deserialize)]
pub struct View {
    /// First frame, and the first that is none of it.
    pub frames: [u64; 2],
    /// `far`, `near` or `close_up`.
    pub view: String,
}

impl Annotation {
    /// Frames a second; 0 when it is no fraction.
    pub fn rate(&self) -> f64 {
        let (over, under) = self.rate.split_once('/').unwrap_or((&self.rate, "1"));
        match (over.parse::<f64>(), under.parse::<f64>()) {
            (Ok(over), Ok(under)) if under > 0.0 => over / under,
            _ => 0.0,
        }
    }
}

/// An annotated clip that is there.
#[derive(Clone, Debug)]
pub struct Clip {
    /// What was read in it.
    pub annotation: Annotation,
    /// Where it is.
    pub path: PathBuf,
}

impl Clip {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.annotation.clip
    }
}

/// All annotations, by name of the document.
pub fn all() -> Result<Vec<Annotation>, Error> {
    let entries: io::Result<Vec<_>> = fs::read_dir(DIR)?.collect();
    let mut paths: Vec<PathBuf> = entries?.iter().map(fs::DirEntry::path).collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Result<Annotation, Error> {
    let wrong = |error: String| format!("{}: {error}", path.display());
    let text = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let annotation = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    Ok(annotation)
}

/// The annotated clips that are in one of the directories, with a line for those that are not.
pub(super) fn present(dirs: &[PathBuf]) -> Result<Vec<Clip>, Error> {
    let mut clips = Vec::new();
    for annotation in all()? {
        let mut places = dirs.iter().map(|dir| dir.join(&annotation.clip));
        match places.find(|path| path.is_file()) {
            Some(path) => {
                let path = std::path::absolute(path)?;
                clips.push(Clip { annotation, path });
            }
            None => eprintln!("quality: {} is not there", annotation.clip),
        }
    }
    Ok(clips)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_annotation_can_be_read_and_lies_in_its_clip() {
        let all = all().unwrap();
        assert!(all.len() >= 10);
        for annotation in all {
            let Annotation { clip, frames, .. } = &annotation;
            let cuts = annotation.cuts.iter().flatten();
            let ranges = annotation.transitions.iter().map(|t| t.frames);
            let ranges = ranges.chain(annotation.views.iter().map(|view| view.frames));
            let boxes = annotation.scoreboard.iter().flat_map(|board| &board.boxes);
            let readings = boxes.flat_map(|one| &one.readings).map(|one| one.frames);
            let ranges = ranges.chain(readings);
            assert!(cuts.clone().all(|cut| cut < frames), "{clip}");
            assert!(cuts.is_sorted(), "{clip}");
            assert!((5.0..=120.0).contains(&annotation.rate()), "{clip}");
            for [from, to] in ranges {
                assert!(from < to && to <= *frames, "{clip}: {from} to {to}");
            }
        }
    }
}
