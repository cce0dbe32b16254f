//! What is done to a channel: its output attached and taken away, started, stopped, switched to another input,
//! watched. Each step looks first and does only what is left to do, so that it may be repeated.

use std::future::Future;
use std::time::Duration;

use matchcut_aws::AwsError;
use matchcut_aws::medialive::Channel;
use serde_json::Value as Json;
use tokio::time::{Instant, sleep};

use super::config::{MediaLiveConfig, MediaLiveOptions};
use super::plan::{self, ChannelDescription, Plan, Wanted};
pub use super::watch::{Seen, Told};

/// The first and the longest pause between two looks at a channel whose state is to change.
const LOOKS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// What could not be done to a channel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// AWS did not do it.
    #[error("{0}")]
    Aws(Box<AwsError>),
    /// It would not be right.
    #[error("channel {channel} of MediaLive: {message}")]
    Refused {
        /// Which.
        channel: String,
        /// Why.
        message: String,
    },
    /// It takes too long.
    #[error("channel {channel} of MediaLive is not {wanted} after {seconds} s: it is {state}")]
    Slow {
        /// Which.
        channel: String,
        /// What it should be.
        wanted: &'static str,
        /// What it is.
        state: String,
        /// How long was waited.
        seconds: u64,
    },
}

impl From<AwsError> for ControlError {
    fn from(error: AwsError) -> Self {
        ControlError::Aws(Box::new(error))
    }
}

/// Does something to a channel and waits for it. Not for threads of an asynchronous runtime.
pub fn wait<T>(work: impl Future<Output = Result<T, ControlError>>) -> Result<T, ControlError> {
    let made = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = made.map_err(|error| {
        ControlError::from(AwsError::Broken {
            what: "MediaLive".to_owned(),
            message: format!("no runtime can be started: {error}"),
        })
    })?;
    runtime.block_on(work)
}

/// What a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The output is to be there.
    Attach,
    /// Nothing of ours is to be there.
    Detach,
}

/// A channel with what is wanted of it; cheap to clone.
#[derive(Clone, Debug)]
pub struct Control {
    channel: Channel,
    wanted: Wanted,
    options: MediaLiveOptions,
}

impl Control {
    /// Of a source. Asks nothing.
    pub fn new(config: &MediaLiveConfig) -> Self {
        Control {
            channel: config.channel(),
            wanted: config.wanted(),
            options: config.options.clone(),
        }
    }

    fn refused(&self, message: String) -> ControlError {
        let channel = self.options.channel.clone();
        ControlError::Refused { channel, message }
    }

    /// What the channel is.
    pub async fn describe(&self) -> Result<ChannelDescription, ControlError> {
        Ok(ChannelDescription::of(&self.channel.describe().await?))
    }

    /// What would be changed. Changes nothing.
    pub async fn plan(&self, purpose: Purpose) -> Result<(ChannelDescription, Plan), ControlError> {
        let channel: Json = self.channel.describe().await?;
        let plan = match purpose {
            Purpose::Attach => plan::attach(&channel, &self.wanted),
            Purpose::Detach => plan::detach(&channel, &self.wanted),
        };
        let plan = plan.map_err(|message| self.refused(message))?;
        Ok((ChannelDescription::of(&channel), plan))
    }

    /// Changes the channel, and waits until it can be started again.
    pub async fn carry_out(&self, purpose: Purpose) -> Result<Plan, ControlError> {
        let (described, mut plan) = self.plan(purpose).await?;
        if plan.changes.is_empty() {
            return Ok(plan);
        }
        if !described.is_idle() {
            // What is about to become idle is waited for; what runs is not stopped for this.
            if !matches!(
                described.state.as_str(),
                "CREATING" | "STOPPING" | "UPDATING"
            ) {
                return Err(self.refused(format!(
                    "it is {} and can only be changed when it is idle; stop it first (matchcut medialive stop)",
                    described.state
                )));
            }
            self.wait("IDLE").await?;
            plan = self.plan(purpose).await?.1;
        }
        self.channel.update(&plan.body).await?;
        self.wait("IDLE").await?;
        // What was written must be what stands there.
        let (_, left) = self.plan(purpose).await?;
        match left.changes.first() {
            None => Ok(plan),
            Some(change) => {
                Err(self.refused(format!("it was changed, and still lacks this: {change}")))
            }
        }
    }

    /// Switches to the input that the options name, if they do. Gives its name.
    pub async fn switch(&self) -> Result<Option<String>, ControlError> {
        let Some(input) = &self.options.input else {
            return Ok(None);
        };
        let described = self.describe().await?;
        if !described.inputs.contains(input) {
            return Err(self.refused(format!(
                "it has no input attachment \"{input}\"; it has {}",
                described.inputs.join(", ")
            )));
        }
        let known = self.channel.actions().await?;
        let url = self.options.input_url.as_deref();
        let body = plan::switch(&self.wanted.name, input, url, &known);
        self.channel.schedule(&body).await?;
        Ok(Some(input.clone()))
    }

    /// Starts it, if it does not run, and waits until it does. Gives whether it was started.
    pub async fn start(&self) -> Result<bool, ControlError> {
        let described = self.describe().await?;
        if described.is_running() {
            return Ok(false);
        }
        let starting = described.state == "STARTING";
        if !starting {
            if !described.is_idle() {
                self.wait("IDLE").await?;
            }
            self.channel.start().await?;
        }
        self.wait("RUNNING").await?;
        Ok(!starting)
    }

    /// Stops it, if it runs, and waits until it is idle. Gives whether it was stopped.
    pub async fn stop(&self) -> Result<bool, ControlError> {
        let described = self.describe().await?;
        if described.is_idle() {
            return Ok(false);
        }
        let stopping = described.state == "STOPPING";
        if !stopping {
            if !described.is_running() {
                self.wait("RUNNING").await?;
            }
            self.channel.stop().await?;
        }
        self.wait("IDLE").await?;
        Ok(!stopping)
    }

    async fn wait(&self, wanted: &'static str) -> Result<(), ControlError> {
        let begun = Instant::now();
        let limit = self.options.patience.std();
        let (mut pause, longest) = LOOKS;
        loop {
            let state = match self.describe().await {
                Ok(described) => described.state,
                // Who may do something may also be told to wait while it happens.
                Err(error) if begun.elapsed() >= limit => return Err(error),
                Err(error) => {
                    tracing::info!(%error, "the channel is looked at again");
                    String::new()
                }
            };
            let failed = matches!(
                state.as_str(),
                "CREATE_FAILED" | "UPDATE_FAILED" | "DELETING" | "DELETED"
            );
            if state == wanted {
                return Ok(());
            }
            if failed || begun.elapsed() >= limit {
                return Err(ControlError::Slow {
                    channel: self.options.channel.clone(),
                    wanted,
                    state,
                    seconds: begun.elapsed().as_secs(),
                });
            }
            sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// Looks at its state and its alerts.
    pub async fn look(
        &self,
        seen: &mut Seen,
    ) -> Result<(ChannelDescription, Vec<Told>), ControlError> {
        let described = self.describe().await?;
        let alerts = match self.channel.alerts().await {
            Ok(alerts) => Some(alerts),
            Err(error) => {
                tracing::info!(%error, "alerts of the channel are not known");
                None
            }
        };
        let told = seen.look(&described.state, alerts);
        Ok((described, told))
    }
}
