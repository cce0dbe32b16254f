//! What an outlet asks of AWS: jobs, objects that jobs read, and the queue that tells of jobs.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use matchcut_aws::mediaconvert::{Job, Jobs};
use matchcut_aws::s3::{Requester, S3};
use matchcut_aws::sqs::Queue;
use matchcut_aws::{AwsError, AwsOptions, Connection, Patience, S3Address, wait};
use matchcut_model::failure::Retry;

use super::events;
use super::fades::colour_png;
use super::job::{Upload, UploadFrom};
use super::options::MediaConvertOptions;

/// MediaConvert remembers a client request token for a minute; up to here it surely does.
const TOKEN_LASTS: i64 = 45;

/// Clocks differ by no more, in seconds.
const SKEW: i64 = 600;

/// Pages of jobs that are looked through for one.
const MOST_PAGES: usize = 100;

/// A picture of one colour is stretched to what it is to hide.
const COLOUR_SIZE: (u32, u32) = (64, 64);

/// Why something was not done.
pub(super) enum Fault {
    /// It may be done later, by whoever is asked again.
    Later(AwsError),
    /// This one will never be done.
    Never(String),
}

impl From<AwsError> for Fault {
    fn from(error: AwsError) -> Self {
        match error {
            // What is wrong with this job alone.
            AwsError::Service {
                status: 400 | 409 | 413 | 422,
                code,
                message,
                ..
            } => Fault::Never(match message.is_empty() {
                true => code,
                false => format!("{code}: {message}"),
            }),
            error => Fault::Later(error),
        }
    }
}

/// Whether a job may have been created although `error` came back.
pub(super) fn may_exist(error: &AwsError) -> bool {
    error.retry() == Retry::WithBackoff && !matches!(error, AwsError::Throttled { .. })
}

/// Seconds since the Unix epoch.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

/// Connections.
#[derive(Clone, Debug)]
pub(super) struct Remote {
    jobs: Jobs,
    s3: S3,
    queue: Option<Queue>,
}

impl Remote {
    pub(super) fn connect(options: &MediaConvertOptions) -> Result<Self, AwsError> {
        let patience = Patience {
            timeout: Duration::from_secs(20),
            // Who asks has patience of its own.
            retries: 0,
        };
        let aws = options.aws();
        // The endpoint is that of MediaConvert; the others are where their own variables say.
        let others = AwsOptions {
            endpoint: None,
            ..aws.clone()
        };
        wait(async {
            let others = Connection::new(&others, patience).await;
            Ok(Remote {
                jobs: Jobs::new(Connection::new(&aws, patience).await),
                s3: S3::new(others.clone(), Requester::default()),
                queue: options
                    .queue_events
                    .as_deref()
                    .map(|url| Queue::new(others, url)),
            })
        })
    }

    /// Creates a job that was asked for at `asked` before, without an answer: first it is looked for where
    /// MediaConvert has forgotten its token.
    pub(super) fn create(
        &self,
        token: &str,
        body: &str,
        asked: Option<i64>,
    ) -> Result<Job, AwsError> {
        if let Some(asked) = asked
            && now() - asked > TOKEN_LASTS
            && let Some(job) = self.find(token, asked)?
        {
            return Ok(job);
        }
        wait(self.jobs.create(body))
    }

    fn find(&self, token: &str, asked: i64) -> Result<Option<Job>, AwsError> {
        let mut page: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let (jobs, next) = wait(self.jobs.list(None, page.as_deref()))?;
            let older = |job: &Job| job.created.is_some_and(|at| at < asked - SKEW);
            let past = jobs.iter().any(older);
            let noted = |job: &Job| {
                job.metadata
                    .get("matchcut")
                    .is_some_and(|noted| noted == token)
            };
            if let Some(found) = jobs.into_iter().find(noted) {
                return Ok(Some(found));
            }
            match next {
                Some(next) if !past => page = Some(next),
                _ => break,
            }
        }
        Ok(None)
    }

    pub(super) fn get(&self, id: &str) -> Result<Job, AwsError> {
        wait(self.jobs.get(id))
    }

    pub(super) fn cancel(&self, id: &str) -> Result<(), AwsError> {
        wait(self.jobs.cancel(id))
    }

    /// Writes an object that jobs read, unless it is there.
    pub(super) fn upload(&self, upload: &Upload) -> Result<(), Fault> {
        if wait(self.s3.size(&upload.to))
            .map_err(Fault::from)?
            .is_some()
        {
            return Ok(());
        }
        let bytes = match &upload.from {
            UploadFrom::Colour(colour) => colour_png(*colour, COLOUR_SIZE),
            UploadFrom::File(path) => read(path).map_err(Fault::Never)?,
        };
        let written = wait(
            self.s3
                .put_new(&upload.to, Bytes::from(bytes), &upload.content_type),
        );
        match written {
            Ok(()) | Err(AwsError::Exists { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes an object.
    pub(super) fn remove(&self, object: &S3Address) -> Result<(), AwsError> {
        wait(self.s3.remove(object))
    }

    /// The jobs that the queue says have changed, of those for which `ours` holds. Messages of others stay there.
    pub(super) fn changed(
        &self,
        longest: Duration,
        ours: impl Fn(&events::Change) -> bool,
    ) -> Result<Vec<String>, AwsError> {
        let Some(queue) = &self.queue else {
            return Ok(Vec::new());
        };
        let mut changed = Vec::new();
        for message in wait(queue.receive(longest))? {
            let change = events::read(&message.body).filter(&ours);
            if let Some(change) = change {
                wait(queue.delete(&message))?;
                changed.push(change.job);
            }
        }
        Ok(changed)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}
