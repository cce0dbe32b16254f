//! What stands in the outbox of a `mediaconvert` sink: a job to be made with all that it needs, or that there is none.

use std::path::PathBuf;

use matchcut_aws::S3Address;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::cost::Estimate;

/// A row of the outbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "want", rename_all = "lowercase")]
pub enum Posted {
    /// A job is to be made.
    Make(Box<JobRequest>),
    /// It cannot be made.
    Refused(Refused),
    /// What was to be made is no longer wanted.
    Gone {
        /// What it was made of.
        subject: String,
    },
}

impl Posted {
    /// What it is about. Of several rows the last one counts.
    pub fn subject(&self) -> &str {
        match self {
            Posted::Make(request) => &request.subject,
            Posted::Refused(refused) => &refused.subject,
            Posted::Gone { subject } => subject,
        }
    }
}

/// What MediaConvert is asked for: one job, or several parts and one that joins them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobRequest {
    /// The same whenever the same is planned in the same run.
    pub id: String,
    /// What is made: `clip rally:12.04 track 1`, `replay best`.
    pub subject: String,
    /// Number of frames.
    pub frames: u64,
    /// Jobs. The last one waits for those before it.
    pub steps: Vec<Step>,
    /// Objects that must be there first.
    pub uploads: Vec<Upload>,
    /// The outputs, as `s3://bucket/key`.
    pub outputs: Vec<String>,
    /// Objects that nobody needs when the outputs are there.
    pub leftovers: Vec<S3Address>,
    /// What it will cost.
    pub estimate: Estimate,
}

/// One job of MediaConvert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The client request token, which stands in its metadata too.
    pub token: String,
    /// The body of CreateJob.
    pub job: Json,
}

/// An object that a job reads and that is not there yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// What it holds.
    pub from: UploadFrom,
    /// Where it goes. The same address has the same content.
    pub to: S3Address,
    /// `Content-Type`.
    pub content_type: String,
}

/// What an uploaded object holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UploadFrom {
    /// A file.
    File(PathBuf),
    /// A picture of one colour: red, green, blue.
    Colour([u8; 3]),
}

/// Why there is no job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What was to be made.
    pub subject: String,
    /// Why it cannot be.
    pub reason: String,
}
