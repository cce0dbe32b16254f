//! What goes wrong with AWS, in words that say how it is mended. What the services say of keys and signatures
//! stays out of it: an error ends in logs and reports.

use matchcut_model::failure::{Domain, Retry};

/// Something that AWS did not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AwsError {
    /// There is no such object, function or queue.
    #[error("{what} does not exist")]
    NotFound {
        /// What was asked for.
        what: String,
    },
    /// There is no such bucket.
    #[error(
        "the bucket of {what} does not exist; look at its name, and whether the region or endpoint is the \
         right one"
    )]
    NoBucket {
        /// What was asked for.
        what: String,
    },
    /// It may not be done.
    #[error(
        "access to {what} is denied; whose credentials are used needs the permission {permission}"
    )]
    Denied {
        /// What was asked for.
        what: String,
        /// The permission of IAM.
        permission: &'static str,
    },
    /// The credentials are not taken.
    #[error("{what}: AWS does not take the credentials ({code}); {}", mended(.code))]
    Credentials {
        /// What was asked for.
        what: String,
        /// What AWS called it.
        code: String,
    },
    /// There are no credentials.
    #[error(
        "{what}: no AWS credentials were found; set AWS_PROFILE or the option \"profile\", or \
         AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where there is a role"
    )]
    NoCredentials {
        /// What was asked for.
        what: String,
    },
    /// Nobody says which region.
    #[error("{what}: no AWS region is known; set AWS_REGION or the option \"region\"")]
    NoRegion {
        /// What was asked for.
        what: String,
    },
    /// It is in another region.
    #[error("{what} is in another region{}; set the option \"region\"", named(.region))]
    Elsewhere {
        /// What was asked for.
        what: String,
        /// The region, where it is told.
        region: Option<String>,
    },
    /// Too much was asked for.
    #[error("{what}: too many requests ({code})")]
    Throttled {
        /// What was asked for.
        what: String,
        /// What AWS called it.
        code: String,
    },
    /// Something stands there already.
    #[error("{what} exists already")]
    Exists {
        /// What was to be written.
        what: String,
    },
    /// It ends before what was asked for.
    #[error("{what} has no bytes {offset} to {}", .offset.saturating_add(*.length))]
    Range {
        /// What was asked for.
        what: String,
        /// First byte.
        offset: u64,
        /// Number of bytes.
        length: u64,
    },
    /// It is larger than allowed.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What was asked for.
        what: String,
        /// The limit.
        limit: u64,
    },
    /// The service refused or failed.
    #[error("{what}: the service answered {status} {code}{}", colon(.message))]
    Service {
        /// What was asked for.
        what: String,
        /// The status of HTTP.
        status: u16,
        /// What AWS called it.
        code: String,
        /// What it said.
        message: String,
    },
    /// It took too long.
    #[error("{what}: no answer within {seconds} s")]
    Timeout {
        /// What was asked for.
        what: String,
        /// The limit.
        seconds: String,
    },
    /// The connection failed or broke.
    #[error("{what}: {message}")]
    Transport {
        /// What was asked for.
        what: String,
        /// What the network said.
        message: String,
    },
    /// What came cannot be understood, or nothing could be asked.
    #[error("{what}: {message}")]
    Broken {
        /// What was asked for.
        what: String,
        /// Why.
        message: String,
    },
}

fn mended(code: &str) -> &'static str {
    match code {
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => {
            "they have expired: get new ones"
        }
        "RequestTimeTooSkewed" => "the clock of this machine is wrong",
        _ => "look at AWS_PROFILE, AWS_ACCESS_KEY_ID and the option \"profile\"",
    }
}

fn named(region: &Option<String>) -> String {
    region
        .as_ref()
        .map(|region| format!(" ({region})"))
        .unwrap_or_default()
}

fn colon(message: &str) -> String {
    match message.is_empty() {
        true => String::new(),
        false => format!(": {message}"),
    }
}

impl AwsError {
    /// Who can mend it.
    pub fn domain(&self) -> Domain {
        match self {
            AwsError::NoBucket { .. }
            | AwsError::Denied { .. }
            | AwsError::Credentials { .. }
            | AwsError::NoCredentials { .. }
            | AwsError::NoRegion { .. }
            | AwsError::Elsewhere { .. }
            | AwsError::TooLarge { .. } => Domain::User,
            AwsError::Broken { .. } => Domain::Internal,
            _ => Domain::External,
        }
    }

    /// Whether it is about credentials: those that there are by now may do.
    pub fn of_credentials(&self) -> bool {
        matches!(
            self,
            AwsError::Credentials { .. } | AwsError::NoCredentials { .. }
        )
    }

    /// Whether trying again may help.
    pub fn retry(&self) -> Retry {
        match self {
            AwsError::Throttled { .. }
            | AwsError::Timeout { .. }
            | AwsError::Transport { .. }
            | AwsError::Service {
                status: 408 | 429 | 500..=599,
                ..
            } => Retry::WithBackoff,
            _ => Retry::No,
        }
    }

    /// What an answer of a service with this status and code means.
    #[cfg_attr(not(feature = "sdk"), allow(dead_code))]
    pub(crate) fn answered(
        what: &str,
        permission: &'static str,
        status: u16,
        code: &str,
        message: &str,
    ) -> Self {
        let what = what.to_owned();
        let code = code.to_owned();
        match (code.as_str(), status) {
            ("NoSuchBucket", _) => AwsError::NoBucket { what },
            (
                "ExpiredToken"
                | "ExpiredTokenException"
                | "TokenRefreshRequired"
                | "InvalidToken"
                | "InvalidAccessKeyId"
                | "InvalidClientTokenId"
                | "IncompleteSignature"
                | "MissingAuthenticationToken"
                | "RequestTimeTooSkewed"
                | "SignatureDoesNotMatch"
                | "InvalidSignatureException"
                | "UnrecognizedClientException",
                _,
            ) => AwsError::Credentials { what, code },
            (
                "SlowDown"
                | "Throttling"
                | "ThrottlingException"
                | "ThrottledException"
                | "RequestThrottled"
                | "RequestThrottledException"
                | "RequestLimitExceeded"
                | "TooManyRequestsException"
                | "BandwidthLimitExceeded"
                | "OverLimit"
                | "EC2ThrottledException"
                | "ClientLimitExceededException"
                | "ConnectionLimitExceededException",
                _,
            ) => AwsError::Throttled { what, code },
            ("PermanentRedirect" | "AuthorizationHeaderMalformed", _) | (_, 301) => {
                AwsError::Elsewhere { what, region: None }
            }
            (
                "NoSuchKey"
                | "NotFound"
                | "NotFoundException"
                | "ResourceNotFoundException"
                | "QueueDoesNotExist"
                | "AWS.SimpleQueueService.NonExistentQueue",
                _,
            )
            | (_, 404) => AwsError::NotFound { what },
            (
                "AccessDenied"
                | "AccessDeniedException"
                | "ForbiddenException"
                | "NotAuthorizedException",
                _,
            )
            | (_, 403) => AwsError::Denied { what, permission },
            ("PreconditionFailed", _) | (_, 412) => AwsError::Exists { what },
            (_, 429) => AwsError::Throttled { what, code },
            // The connection is blamed: what was sent has a checksum of its own.
            (
                "BadDigest"
                | "InvalidDigest"
                | "XAmzContentSHA256Mismatch"
                | "XAmzContentChecksumMismatch"
                | "IncompleteBody"
                | "RequestTimeout",
                _,
            ) => AwsError::Transport {
                what,
                message: format!("what arrived is not what was sent ({code})"),
            },
            _ => AwsError::Service {
                what,
                status,
                code,
                message: message.to_owned(),
            },
        }
    }
}

#[cfg(feature = "sdk")]
mod sdk {
    //! From the errors of the SDKs.

    use std::error::Error;
    use std::time::Duration;

    use aws_credential_types::provider::error::CredentialsError;
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_runtime_api::client::result::SdkError;
    use aws_smithy_types::error::metadata::ProvideErrorMetadata;

    use super::AwsError;

    impl AwsError {
        /// What `error` means, when `what` was asked for with a time limit.
        #[cfg_attr(
            not(any(feature = "s3", feature = "sqs", feature = "lambda")),
            allow(dead_code)
        )]
        pub(crate) fn of<E>(
            what: &str,
            permission: &'static str,
            limit: Duration,
            error: SdkError<E, HttpResponse>,
        ) -> Self
        where
            E: ProvideErrorMetadata + Error + Send + Sync + 'static,
        {
            let status = error.raw_response().map(|raw| raw.status().as_u16());
            let region = error.raw_response().and_then(|raw| {
                let region = raw.headers().get("x-amz-bucket-region")?;
                Some(region.to_owned())
            });
            let what_owned = || what.to_owned();
            match (&error, status) {
                (SdkError::ServiceError(service), Some(status)) => {
                    let code = service.err().code().unwrap_or("without a reason");
                    let message = service.err().message().unwrap_or_default();
                    match AwsError::answered(what, permission, status, code, message) {
                        AwsError::Elsewhere { what, .. } => AwsError::Elsewhere { what, region },
                        error => error,
                    }
                }
                (SdkError::TimeoutError(_), _) => AwsError::timed_out(what, limit),
                (SdkError::ResponseError(_), Some(status)) if status >= 400 => {
                    AwsError::answered(what, permission, status, "without a reason", "")
                }
                (SdkError::ResponseError(_), _) => AwsError::Transport {
                    what: what_owned(),
                    message: causes(&error),
                },
                _ if any(&error, &|cause| cause.is::<CredentialsError>()) => {
                    AwsError::NoCredentials { what: what_owned() }
                }
                (SdkError::ConstructionFailure(_) | SdkError::DispatchFailure(_), _) => {
                    let message = causes(&error);
                    let lower = message.to_lowercase();
                    if lower.contains("credentials") || lower.contains("identity") {
                        AwsError::NoCredentials { what: what_owned() }
                    } else if lower.contains("missing region")
                        || lower.contains("region must be set")
                    {
                        AwsError::NoRegion { what: what_owned() }
                    } else if matches!(error, SdkError::DispatchFailure(_)) {
                        AwsError::Transport {
                            what: what_owned(),
                            message,
                        }
                    } else {
                        AwsError::Broken {
                            what: what_owned(),
                            message,
                        }
                    }
                }
                _ => AwsError::Broken {
                    what: what_owned(),
                    message: causes(&error),
                },
            }
        }

        pub(crate) fn timed_out(what: &str, limit: Duration) -> Self {
            AwsError::Timeout {
                what: what.to_owned(),
                seconds: format!("{}", limit.as_secs_f64()),
            }
        }
    }

    #[cfg_attr(
        not(any(feature = "s3", feature = "sqs", feature = "lambda")),
        allow(dead_code)
    )]
    fn any(error: &(dyn Error + 'static), fits: &dyn Fn(&(dyn Error + 'static)) -> bool) -> bool {
        let mut cause = Some(error);
        while let Some(inner) = cause {
            if fits(inner) {
                return true;
            }
            cause = inner.source();
        }
        false
    }

    /// The messages of an error and its causes: the outer one alone says only that a request failed.
    pub(crate) fn causes(error: &(dyn Error + 'static)) -> String {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            let message = inner.to_string();
            if !text.contains(&message) {
                text.push_str(": ");
                text.push_str(&message);
            }
            cause = inner.source();
        }
        text
    }
}

#[cfg(any(feature = "s3", feature = "kinesis_video"))]
pub(crate) use sdk::causes;

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, code: &str) -> AwsError {
        AwsError::answered("s3://b/k", "s3:GetObject", status, code, "said")
    }

    #[test]
    fn what_helps_is_said() {
        let text = |status, code| answered(status, code).to_string();
        assert_eq!(text(404, "NoSuchKey"), "s3://b/k does not exist");
        assert!(
            text(404, "NoSuchBucket").starts_with("the bucket of s3://b/k does not exist; look at")
        );
        assert_eq!(
            text(403, "AccessDenied"),
            "access to s3://b/k is denied; whose credentials are used needs the permission s3:GetObject"
        );
        assert_eq!(
            text(400, "ExpiredToken"),
            "s3://b/k: AWS does not take the credentials (ExpiredToken); they have expired: get new ones"
        );
        assert_eq!(
            text(503, "SlowDown"),
            "s3://b/k: too many requests (SlowDown)"
        );
        assert_eq!(
            text(500, "InternalError"),
            "s3://b/k: the service answered 500 InternalError: said"
        );
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let passing = [
            (503, "SlowDown"),
            (500, "InternalError"),
            (429, "x"),
            (400, "ThrottlingException"),
        ];
        for (status, code) in passing {
            assert_eq!(answered(status, code).retry(), Retry::WithBackoff, "{code}");
        }
        for (status, code) in [
            (403, "AccessDenied"),
            (400, "ExpiredToken"),
            (404, "NoSuchKey"),
            (400, "x"),
        ] {
            assert_eq!(answered(status, code).retry(), Retry::No, "{code}");
        }
        assert_eq!(answered(403, "AccessDenied").domain(), Domain::User);
        assert_eq!(answered(503, "SlowDown").domain(), Domain::External);
    }
}
