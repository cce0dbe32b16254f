//! The file that encoded pictures wait in until the tables that precede them are known.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::RenderError;
use crate::bitstream::nal::annex_b_units;
use crate::cut::Spooled;
use crate::demux::video::{Role, role};
use crate::encode::Encoded;
use crate::samples::{Codec, ParameterSets};

/// `DIR/.NAME.EXTENSION` for `DIR/NAME`.
pub(super) fn beside(path: &Path, extension: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{extension}"))
}

/// Removes a file when it is dropped.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Encoded pictures on their way into the file.
pub(super) struct Spool {
    path: Removed,
    out: BufWriter<File>,
    at: u64,
    pictures: Vec<Spooled>,
    sets: ParameterSets,
}

impl Spool {
    /// A spool beside the file that is to be written.
    pub(super) fn create(result: &Path) -> Result<Spool, RenderError> {
        let path = beside(result, "spool");
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .map_err(|error| RenderError::Io {
                path: path.clone(),
                error,
            })?;
        Ok(Spool {
            path: Removed(path),
            out: BufWriter::new(file),
            at: 0,
            pictures: Vec::new(),
            sets: ParameterSets::default(),
        })
    }

    /// Takes a picture. Parameter sets go into the tables.
    pub(super) fn add(&mut self, encoded: &Encoded) -> Result<(), RenderError> {
        let begin = self.at;
        for unit in annex_b_units(&encoded.data) {
            match role(&Codec::H264, unit) {
                Role::Delimiter => continue,
                Role::Parameters => {
                    let list = match unit[0] & 0x1f {
                        7 => &mut self.sets.sps,
                        _ => &mut self.sets.pps,
                    };
                    if !list.iter().any(|known| known[..] == *unit) {
                        list.push(bytes::Bytes::copy_from_slice(unit));
                    }
                    continue;
                }
                _ => {}
            }
            let length = (unit.len() as u32).to_be_bytes();
            self.out
                .write_all(&length)
                .and_then(|()| self.out.write_all(unit))
                .map_err(|error| RenderError::Io {
                    path: self.path.0.clone(),
                    error,
                })?;
            self.at += 4 + unit.len() as u64;
        }
        self.pictures.push(Spooled {
            place: encoded.place,
            key: encoded.key,
            at: begin,
            size: u32::try_from(self.at - begin).unwrap_or(u32::MAX),
        });
        Ok(())
    }

    /// The pictures, their sets, and the file, which has no name any more.
    pub(super) fn finish(self) -> Result<(Vec<Spooled>, ParameterSets, Arc<File>), RenderError> {
        let Spool {
            path,
            out,
            pictures,
            sets,
            ..
        } = self;
        let file = out.into_inner().map_err(|error| RenderError::Io {
            path: path.0.clone(),
            error: error.into_error(),
        })?;
        Ok((pictures, sets, Arc::new(file)))
    }
}
