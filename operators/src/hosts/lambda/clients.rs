//! The clients of one operator, made when the first chunk comes: building a pipeline asks nobody for
//! credentials.

use std::sync::OnceLock;
use std::time::Duration;

use matchcut_aws::lambda::Function;
use matchcut_aws::s3::{Requester, S3};
use matchcut_aws::{AwsError, AwsOptions, Connection, Patience, wait};

use super::options::LambdaOptions;

/// How long a request to S3 may take.
const STAGING: Duration = Duration::from_secs(60);

pub(in crate::hosts) struct Clients {
    aws: AwsOptions,
    stage: AwsOptions,
    function: String,
    qualifier: Option<String>,
    timeout: Duration,
    retries: u32,
    made: OnceLock<(Function, S3)>,
}

impl Clients {
    pub(in crate::hosts) fn new(own: &LambdaOptions, aws: AwsOptions) -> Self {
        let mut stage = aws.clone();
        if own.stage_endpoint.is_some() {
            stage.endpoint.clone_from(&own.stage_endpoint);
        }
        Clients {
            aws,
            stage,
            function: own.function.clone(),
            qualifier: own.qualifier.clone(),
            timeout: Duration::from_secs_f64(own.timeout.as_seconds_f64()),
            retries: own.retries,
            made: OnceLock::new(),
        }
    }

    /// The function, and the server that chunks are staged on.
    pub(in crate::hosts) fn get(&self) -> Result<&(Function, S3), AwsError> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let made = wait(async {
            let patience = Patience {
                timeout: self.timeout,
                retries: 0,
            };
            let connection = Connection::new(&self.aws, patience).await;
            let function = Function::new(connection, &self.function, self.qualifier.as_deref());
            let patience = Patience {
                timeout: STAGING,
                retries: self.retries,
            };
            let connection = Connection::new(&self.stage, patience).await;
            Ok((function, S3::new(connection, Requester::default())))
        })?;
        Ok(self.made.get_or_init(|| made))
    }
}
