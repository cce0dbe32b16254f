//! MP4 and QuickTime files: the `moov` box is read, wherever it stands, and makes the index.

use bytes::Bytes;
use matchcut_model::chunk::TrackNumber;

use super::index::{Index, Track};
use super::{FileError, Opening};
use crate::mp4::boxes::header;
use crate::mp4::movie::{self, TrackKind};
use crate::mp4::sample_table::{Place, places};

/// A `moov` box beyond this size is not meant seriously.
const MOST_MOOV: u64 = 1 << 30;

/// What stands at the top of the file.
struct Top {
    moov: Option<Vec<u8>>,
    fragments: bool,
}

fn walk(opening: &Opening<'_>) -> Result<Top, FileError> {
    let mut top = Top {
        moov: None,
        fragments: false,
    };
    let mut at = 0;
    while opening.size - at >= 8 {
        let length = (opening.size - at).min(16);
        let head = opening.read(at, usize::try_from(length).unwrap_or(16))?;
        let Some((kind, size, header)) = header(&head) else {
            break;
        };
        let left = opening.size - at;
        let size = if size == 0 { left } else { size };
        match &kind {
            b"moov" if size > left => {
                return Err(opening.truncated("it ends inside its \"moov\" box"));
            }
            b"moov" if size > MOST_MOOV => {
                return Err(opening.damaged(format!("its \"moov\" box has {size} bytes")));
            }
            b"moov" if top.moov.is_none() => {
                let body = usize::try_from(size).unwrap_or(0).saturating_sub(header);
                top.moov = Some(opening.read(at + header as u64, body)?);
            }
            b"moof" => top.fragments = true,
            _ => {}
        }
        if top.moov.is_some() && top.fragments || size > left {
            break;
        }
        at += size;
    }
    Ok(top)
}

/// The index of a file; `None` for one that comes in fragments.
pub(super) fn open(opening: &Opening<'_>) -> Result<Option<Index>, FileError> {
    let top = walk(opening)?;
    let Some(moov) = top.moov else {
        return Err(opening.truncated(
            "it has no \"moov\" box, which a recorder writes when it is closed properly",
        ));
    };
    let movie = movie::parse(&moov).map_err(|error| opening.mp4(error))?;
    if movie.fragmented && top.fragments {
        return Ok(None);
    }
    let mut index = Index {
        video: None,
        audio: Vec::new(),
        warnings: movie.warnings,
    };
    let mut number = 0;
    for track in &movie.tracks {
        let id = track.id;
        if track.kind == TrackKind::Audio {
            number += 1;
        } else if index.video.is_some() {
            let codec = &track.entry.codec;
            let warning = format!("a further video track ({codec}) is ignored");
            index.warnings.push(warning);
            continue;
        }
        let Some((mut places, outside)) = places(track, opening.size) else {
            let warning = format!("track {id} is ignored: its sample table is damaged");
            index.warnings.push(warning);
            continue;
        };
        if outside {
            index.warnings.push(format!(
                "the file is cut off: samples of track {id} lie beyond its end"
            ));
        }
        if let Some(end) = track.end {
            leave_out_after(end, &mut places);
        }
        if places.is_empty() {
            continue;
        }
        let indexed = Track {
            entry: track.entry.clone(),
            timescale: track.timescale,
            language: track.language.clone(),
            frame_rate: None,
            prefix: Bytes::new(),
            places,
        };
        match track.kind {
            TrackKind::Video => index.video = Some(indexed),
            TrackKind::Audio => index.audio.push((TrackNumber(number), indexed)),
        }
    }
    if index.video.is_none() && index.audio.is_empty() {
        let what = match index.warnings.last() {
            Some(warning) => warning.clone(),
            None => "its tracks have no samples".to_owned(),
        };
        return Err(opening.no_tracks(what));
    }
    Ok(Some(index))
}

/// Leaves out whole groups at the end that the edit list hides.
fn leave_out_after(end: i64, places: &mut Vec<Place>) {
    while let Some(key) = places.iter().rposition(|place| place.sync) {
        if key == 0 || places[key].pts < end {
            break;
        }
        places.truncate(key);
    }
}
