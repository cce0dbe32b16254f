//! What commands share that ask a running service: its address, and credentials from the environment.

use std::env;

use clap::Args;
use matchcut_console::{Credentials, Service};

use crate::render::CommandError;

/// Where a service listens if nothing else is said.
const USUAL: &str = "http://127.0.0.1:8080";

/// Where the service is.
#[derive(Args, Clone, Debug)]
pub struct ServiceArgs {
    /// The address of the service; who asks is in the environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or
    /// MATCHCUT_TOKEN [default: MATCHCUT_URL, else http://127.0.0.1:8080].
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

impl ServiceArgs {
    /// A client of it.
    pub fn service(&self) -> Result<Service, CommandError> {
        let credentials = Credentials::from_env().map_err(|message| CommandError::Usage {
            message,
            hint: None,
        })?;
        let of_env = env::var("MATCHCUT_URL").ok().filter(|url| !url.is_empty());
        let url = self.url.clone().or(of_env);
        Ok(Service::new(url.as_deref().unwrap_or(USUAL), credentials)?)
    }
}
