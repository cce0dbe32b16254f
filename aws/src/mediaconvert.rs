//! Jobs of MediaConvert: created, looked at, looked for and cancelled. A job is the JSON that a plan holds, and is
//! sent as it is, so that what was looked through is what arrives.

use std::collections::HashMap;

use aws_sdk_mediaconvert::Client;
use aws_sdk_mediaconvert::types::{Job as SdkJob, JobSettings, JobStatus as SdkStatus, Order};

use crate::verbatim::says;
use crate::{AwsError, Connection};

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobStatus {
    /// It waits in its queue.
    Submitted,
    /// It is worked on.
    Progressing,
    /// Its outputs are there.
    Complete,
    /// Somebody has cancelled it.
    Canceled,
    /// It has failed.
    Error,
}

/// A job as MediaConvert knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The id that MediaConvert gave it.
    pub id: String,
    /// How far it is.
    pub status: JobStatus,
    /// Share that is done, of 100; not every job tells.
    pub percent: Option<i32>,
    /// The code of what went wrong.
    pub error_code: Option<i32>,
    /// What went wrong.
    pub error_message: Option<String>,
    /// What it warns of.
    pub warnings: Vec<String>,
    /// When it was created, in seconds since the Unix epoch.
    pub created: Option<i64>,
    /// What its creator has noted on it.
    pub metadata: HashMap<String, String>,
}

impl From<SdkJob> for Job {
    fn from(job: SdkJob) -> Self {
        let status = match job.status {
            Some(SdkStatus::Complete) => JobStatus::Complete,
            Some(SdkStatus::Canceled) => JobStatus::Canceled,
            Some(SdkStatus::Error) => JobStatus::Error,
            Some(SdkStatus::Progressing) => JobStatus::Progressing,
            // One that is new here is not over.
            _ => JobStatus::Submitted,
        };
        let warnings = job.messages.and_then(|messages| messages.warning);
        Job {
            id: job.id.unwrap_or_default(),
            status,
            percent: job.job_percent_complete,
            error_code: job.error_code,
            error_message: job.error_message,
            warnings: warnings.unwrap_or_default(),
            created: job.created_at.map(|at| at.secs()),
            metadata: job.user_metadata.unwrap_or_default(),
        }
    }
}

/// The jobs of an account in a region; cheap to clone.
#[derive(Clone, Debug)]
pub struct Jobs {
    client: Client,
    connection: Connection,
}

impl Jobs {
    /// Nothing is asked.
    pub fn new(connection: Connection) -> Self {
        Jobs {
            client: Client::new(&connection.config),
            connection,
        }
    }

    /// Creates a job: the body of CreateJob, which says its client request token. One try, whatever
    /// [`crate::Patience::retries`] says: who creates jobs notes what may have been created.
    pub async fn create(&self, body: &str) -> Result<Job, AwsError> {
        let limit = self.connection.patience.timeout;
        let body = body.to_owned();
        let request = self
            .client
            .create_job()
            // Both are asked for; what is sent says them.
            .role("role")
            .settings(JobSettings::builder().build())
            .customize()
            .mutate_request(move |request| says(request, &body));
        let what = "MediaConvert: a job";
        let permission = "mediaconvert:CreateJob, and iam:PassRole for the role of the job";
        let created = request.send().await;
        let created =
            created.map_err(|error| match AwsError::of(what, permission, limit, error) {
                AwsError::NotFound { .. } => AwsError::NotFound {
                    what: "MediaConvert: the queue or job template of a job".to_owned(),
                },
                error => error,
            })?;
        match created.job {
            Some(job) if job.id.is_some() => Ok(job.into()),
            _ => Err(nameless(what)),
        }
    }

    /// A job.
    pub async fn get(&self, id: &str) -> Result<Job, AwsError> {
        let limit = self.connection.patience.timeout;
        let what = format!("MediaConvert: job {id}");
        let ask = async || {
            let answered = self.client.get_job().id(id).send().await;
            let answered = answered
                .map_err(|error| AwsError::of(&what, "mediaconvert:GetJob", limit, error))?;
            match answered.job {
                Some(job) => Ok(job.into()),
                None => Err(nameless(&what)),
            }
        };
        self.connection.patience.ask(ask).await
    }

    /// Up to twenty jobs of a queue (of all where none is named), the newest first, and where the next ones are.
    pub async fn list(
        &self,
        queue: Option<&str>,
        page: Option<&str>,
    ) -> Result<(Vec<Job>, Option<String>), AwsError> {
        let limit = self.connection.patience.timeout;
        let ask = async || {
            let request = self
                .client
                .list_jobs()
                .max_results(20)
                .order(Order::Descending)
                .set_queue(queue.map(str::to_owned))
                .set_next_token(page.map(str::to_owned));
            let answered = request.send().await;
            let what = "MediaConvert: the list of jobs";
            answered.map_err(|error| AwsError::of(what, "mediaconvert:ListJobs", limit, error))
        };
        let listed = self.connection.patience.ask(ask).await?;
        let jobs = listed.jobs.unwrap_or_default();
        Ok((jobs.into_iter().map(Job::from).collect(), listed.next_token))
    }

    /// Cancels a job. One that is over is no error.
    pub async fn cancel(&self, id: &str) -> Result<(), AwsError> {
        let limit = self.connection.patience.timeout;
        let what = format!("MediaConvert: job {id}");
        let answered = self.client.cancel_job().id(id).send().await;
        let answered = answered
            .map(drop)
            .map_err(|error| AwsError::of(&what, "mediaconvert:CancelJob", limit, error));
        match answered {
            Err(AwsError::NotFound { .. } | AwsError::Service { status: 409, .. }) => Ok(()),
            answered => answered,
        }
    }
}

fn nameless(what: &str) -> AwsError {
    AwsError::Broken {
        what: what.to_owned(),
        message: "the answer names no job".to_owned(),
    }
}
