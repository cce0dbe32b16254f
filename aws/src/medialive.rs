//! Channels of MediaLive: described, changed, started, stopped. A description is the JSON that the service
//! answers, so that who changes a part of it sends the rest back as it came.

use aws_sdk_medialive::Client;
use aws_sdk_medialive::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_medialive::operation::update_channel::UpdateChannelError;
use aws_sdk_medialive::types::ChannelAlert;
use serde_json::Value as Json;

use crate::renewed::Renewed;
use crate::verbatim::{Heard, says};
use crate::{AwsError, AwsOptions, Patience};

/// Pages of a list that are read at most.
const PAGES: usize = 20;

/// An alert of a channel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alert {
    /// What it is known by.
    pub id: String,
    /// The pipeline that it is about, `0` or `1`; empty where it is about none.
    pub pipeline: String,
    /// What kind it is of.
    pub kind: String,
    /// What it says.
    pub message: String,
}

impl From<ChannelAlert> for Alert {
    fn from(alert: ChannelAlert) -> Self {
        Alert {
            id: alert.id.unwrap_or_default(),
            pipeline: alert.pipeline_id.unwrap_or_default(),
            kind: alert.alert_type.unwrap_or_default(),
            message: alert.message.unwrap_or_default(),
        }
    }
}

/// A channel; cheap to clone.
#[derive(Clone, Debug)]
pub struct Channel {
    clients: Renewed<Client>,
    id: String,
    what: String,
}

impl Channel {
    /// The channel with this id, of digits and letters. Nothing is asked.
    pub fn new(options: AwsOptions, patience: Patience, id: &str) -> Self {
        Channel {
            clients: Renewed::new(options, patience, Client::new),
            id: id.to_owned(),
            what: format!("channel {id} of MediaLive"),
        }
    }

    /// What an error of the SDK means.
    fn failed<E>(&self, permission: &'static str, error: SdkError<E>) -> AwsError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let limit = self.clients.patience().timeout;
        AwsError::of(&self.what, permission, limit, error)
    }

    /// What it is, as the service says it.
    pub async fn describe(&self) -> Result<Json, AwsError> {
        let asked = self.clients.ask(|client| async move {
            let heard = Heard::default();
            let request = client.describe_channel().channel_id(&self.id);
            let request = request.customize().interceptor(heard.clone());
            let answered = request.send().await;
            answered.map_err(|error| self.failed("medialive:DescribeChannel", error))?;
            heard.json(&self.what)
        });
        asked.await
    }

    /// Changes it. It must be idle.
    pub async fn update(&self, body: &Json) -> Result<(), AwsError> {
        let body = &body.to_string();
        let asked = self.clients.ask(|client| async move {
            let body = body.clone();
            let request = client.update_channel().channel_id(&self.id).customize();
            let request = request.mutate_request(move |request| says(request, &body));
            let answered = request.send().await;
            answered.map(drop).map_err(|error| {
                let wrong = wrong(&error);
                match self.failed("medialive:UpdateChannel", error) {
                    AwsError::Service {
                        what,
                        status,
                        code,
                        message,
                    } => AwsError::Service {
                        what,
                        status,
                        code,
                        message: format!("{message}{wrong}"),
                    },
                    error => error,
                }
            })
        });
        asked.await
    }

    /// Starts it. That takes a while: its state says when it runs.
    pub async fn start(&self) -> Result<(), AwsError> {
        let asked = self.clients.ask(|client| async move {
            let answered = client.start_channel().channel_id(&self.id).send().await;
            let answered = answered.map(drop);
            answered.map_err(|error| self.failed("medialive:StartChannel", error))
        });
        asked.await
    }

    /// Stops it. That takes a while.
    pub async fn stop(&self) -> Result<(), AwsError> {
        let asked = self.clients.ask(|client| async move {
            let answered = client.stop_channel().channel_id(&self.id).send().await;
            let answered = answered.map(drop);
            answered.map_err(|error| self.failed("medialive:StopChannel", error))
        });
        asked.await
    }

    /// The alerts that are set.
    pub async fn alerts(&self) -> Result<Vec<Alert>, AwsError> {
        let mut alerts: Vec<Alert> = Vec::new();
        let mut next = None;
        for _ in 0..PAGES {
            let token = &next;
            let asked = self.clients.ask(|client| async move {
                let request = client.list_alerts().channel_id(&self.id);
                let request = request.state_filter("SET").set_next_token(token.clone());
                let answered = request.send().await;
                answered.map_err(|error| self.failed("medialive:ListAlerts", error))
            });
            let page = asked.await?;
            alerts.extend(page.alerts.into_iter().flatten().map(Alert::from));
            next = page.next_token;
            if next.is_none() {
                break;
            }
        }
        alerts.sort();
        Ok(alerts)
    }

    /// The names of the actions in its schedule.
    pub async fn actions(&self) -> Result<Vec<String>, AwsError> {
        let mut names: Vec<String> = Vec::new();
        let mut next = None;
        for _ in 0..PAGES {
            let token = &next;
            let asked = self.clients.ask(|client| async move {
                let request = client.describe_schedule().channel_id(&self.id);
                let answered = request.set_next_token(token.clone()).send().await;
                answered.map_err(|error| self.failed("medialive:DescribeSchedule", error))
            });
            let page = asked.await?;
            let all = page.schedule_actions.into_iter().flatten();
            names.extend(all.filter_map(|action| action.action_name));
            next = page.next_token;
            if next.is_none() {
                break;
            }
        }
        Ok(names)
    }

    /// Changes its schedule: what is deleted and what is created.
    pub async fn schedule(&self, body: &Json) -> Result<(), AwsError> {
        let body = &body.to_string();
        let asked = self.clients.ask(|client| async move {
            let body = body.clone();
            let request = client.batch_update_schedule().channel_id(&self.id);
            let request = request.customize();
            let request = request.mutate_request(move |request| says(request, &body));
            let answered = request.send().await.map(drop);
            answered.map_err(|error| self.failed("medialive:BatchUpdateSchedule", error))
        });
        asked.await
    }
}

/// What is wrong with a channel stands in a list of its own.
fn wrong(error: &SdkError<UpdateChannelError>) -> String {
    let Some(UpdateChannelError::UnprocessableEntityException(refused)) = error.as_service_error()
    else {
        return String::new();
    };
    let wrong = refused.validation_errors().iter().map(|wrong| {
        let path = wrong.element_path().unwrap_or_default();
        let message = wrong.error_message().unwrap_or_default();
        format!("; {path}: {message}")
    });
    wrong.collect()
}
