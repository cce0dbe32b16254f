//! What a directory of results holds beside the rows themselves: which forms are written, and what
//! edit lists refer to.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A form that results are written in, beside JSON lines.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// Edit decision lists in the style of `edl_style`.
    Edl,
    /// OpenTimelineIO.
    Otio,
    /// Final Cut Pro XML.
    Fcpxml,
    /// Tables of comma-separated values.
    Csv,
    /// Chapters as WebVTT.
    Vtt,
    /// JSON in the shape of AWS Media Replay Engine.
    Mre,
}

impl ExportFormat {
    /// All forms.
    pub const ALL: [ExportFormat; 6] = [
        ExportFormat::Edl,
        ExportFormat::Otio,
        ExportFormat::Fcpxml,
        ExportFormat::Csv,
        ExportFormat::Vtt,
        ExportFormat::Mre,
    ];
}

/// What the clips of OpenTimelineIO and Final Cut Pro XML refer to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// The source of the event, by its timecode: clips can be made longer.
    #[default]
    Source,
    /// The exact clips beside the list, where there are such: nothing has to be found.
    Clips,
}

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportOptions {
    /// In these forms.
    pub formats: BTreeSet<ExportFormat>,
    /// What clips refer to.
    pub link: Link,
}

impl ExportOptions {
    /// Whether a form is wanted.
    pub(crate) fn wants(&self, format: ExportFormat) -> bool {
        self.formats.contains(&format)
    }
}

impl Default for ExportOptions {
    fn default() -> Self {
        ExportOptions {
            formats: ExportFormat::ALL.into(),
            link: Link::Source,
        }
    }
}
