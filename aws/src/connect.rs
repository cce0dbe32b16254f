//! From options to what the clients of the SDKs are made of: the standard chain of credentials
//! (environment, profiles, processes, web identity, containers, machine roles), limits of time, no retries.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use crate::{AwsOptions, Patience};

/// Where a server other than AWS is, its region does not matter, but requests are signed with one.
const ANY_REGION: &str = "us-east-1";

/// What clients of services are made of; they share credentials and connections.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(crate) config: SdkConfig,
    #[cfg_attr(
        not(any(feature = "s3", feature = "sqs", feature = "lambda")),
        allow(dead_code)
    )]
    pub(crate) patience: Patience,
    #[cfg_attr(not(feature = "s3"), allow(dead_code))]
    pub(crate) path_style: bool,
}

impl Connection {
    /// Reads the environment and the profiles. Credentials are asked for with the first request.
    pub async fn new(options: &AwsOptions, patience: Patience) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(patience.timeout)
            .connect_timeout(patience.timeout.min(std::time::Duration::from_secs(5)))
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts);
        if let Some(region) = &options.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(endpoint) = &options.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        if let Some(profile) = &options.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(keys) = &options.keys {
            let keys = Credentials::new(&keys.id, &keys.secret, None, None, "matchcut");
            loader = loader.credentials_provider(keys);
        }
        if options.endpoint.is_some() && options.region.is_none() {
            // Nobody asks the machine for its region when it does not matter.
            let region =
                std::env::var("AWS_REGION").or_else(|_| std::env::var("AWS_DEFAULT_REGION"));
            loader = loader.region(Region::new(
                region.unwrap_or_else(|_| ANY_REGION.to_owned()),
            ));
        }
        let config = loader.load().await;
        let elsewhere = config.endpoint_url().is_some();
        Connection {
            config,
            patience,
            path_style: options.path_style.unwrap_or(elsewhere),
        }
    }
}
