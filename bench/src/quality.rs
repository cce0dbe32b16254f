//! How well pictures are understood: cuts, transitions, views and score boxes that are found in real clips,
//! against what was read by eye, and cuts against those whom others find in the same run.
//!
//! Clips are looked for by the names in the annotations; whichever is not there is left out.

mod annotations;
mod boards;
mod cuts;
mod found;
mod made;
mod transitions;
mod views;

use std::path::{Path, PathBuf};

use crate::Error;
use crate::report::Section;

pub use annotations::{Annotation, Clip};
pub use cuts::{Score, matched};

/// Where clips are looked for when no directory is named.
pub const CLIPS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/clips");

/// All sections: cuts, transitions, views, score boxes. `dirs` are where clips may be, `pairs` how often times are
/// compared.
pub fn measure(dirs: &[PathBuf], out: &Path, pairs: usize) -> Result<Vec<Section>, Error> {
    let out = std::path::absolute(out)?.join("quality");
    std::fs::create_dir_all(&out)?;
    let clips = annotations::present(dirs)?;
    let mut sections = Vec::new();
    if clips.is_empty() {
        let looked: Vec<_> = dirs.iter().map(|dir| dir.display().to_string()).collect();
        let about = format!(
            "No annotated clip in {}: nothing measured.",
            looked.join(", ")
        );
        sections.push(Section::new("Quality", about, &["clip"]));
        return Ok(sections);
    }
    sections.push(cuts::measure(&clips, &out, pairs)?);
    sections.push(transitions::measure(&clips, &out)?);
    sections.push(views::measure(&clips, &out)?);
    sections.push(boards::measure(&clips, &out)?);
    Ok(sections)
}
