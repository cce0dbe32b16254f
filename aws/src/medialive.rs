//! Channels of MediaLive: described, changed, started, stopped. A description is the JSON that the service
//! answers, so that who changes a part of it sends the rest back as it came.

use serde_json::{Value as Json, json};

use crate::rest::{Ask, Rest, Service};
use crate::{AwsError, AwsOptions, Patience};

const SERVICE: Service = Service {
    name: "medialive",
    variable: "AWS_ENDPOINT_URL_MEDIALIVE",
};

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

/// A channel; cheap to clone.
#[derive(Clone, Debug)]
pub struct Channel {
    rest: Rest,
    id: String,
    what: String,
}

impl Channel {
    /// The channel with this id, of digits and letters. Nothing is asked.
    pub fn new(options: AwsOptions, patience: Patience, id: &str) -> Self {
        Channel {
            rest: Rest::new(SERVICE, options, patience),
            id: id.to_owned(),
            what: format!("channel {id} of MediaLive"),
        }
    }

    async fn ask(
        &self,
        method: &'static str,
        path: &str,
        body: Option<Json>,
        permission: &'static str,
    ) -> Result<Json, AwsError> {
        let ask = Ask {
            method,
            endpoint: None,
            path: format!("/prod/channels/{}{path}", self.id),
            body,
            what: &self.what,
            permission,
        };
        self.rest.json(&ask).await
    }

    /// What it is, as the service says it.
    pub async fn describe(&self) -> Result<Json, AwsError> {
        self.ask("GET", "", None, "medialive:DescribeChannel").await
    }

    /// Changes it. It must be idle.
    pub async fn update(&self, body: &Json) -> Result<(), AwsError> {
        let body = Some(body.clone());
        let asked = self.ask("PUT", "", body, "medialive:UpdateChannel");
        asked.await.map(drop)
    }

    /// Starts it. That takes a while: its state says when it runs.
    pub async fn start(&self) -> Result<(), AwsError> {
        let asked = self.ask("POST", "/start", Some(json!({})), "medialive:StartChannel");
        asked.await.map(drop)
    }

    /// Stops it. That takes a while.
    pub async fn stop(&self) -> Result<(), AwsError> {
        let asked = self.ask("POST", "/stop", Some(json!({})), "medialive:StopChannel");
        asked.await.map(drop)
    }

    /// The alerts that are set.
    pub async fn alerts(&self) -> Result<Vec<Alert>, AwsError> {
        let mut alerts = Vec::new();
        let mut query = "?stateFilter=SET".to_owned();
        for _ in 0..PAGES {
            let path = format!("/alerts{query}");
            let page = self.ask("GET", &path, None, "medialive:ListAlerts").await?;
            let all = page.get("alerts").and_then(Json::as_array);
            alerts.extend(all.into_iter().flatten().map(|alert| {
                let text = |key: &str| {
                    let text = alert.get(key).and_then(Json::as_str);
                    text.unwrap_or_default().to_owned()
                };
                Alert {
                    id: text("id"),
                    pipeline: text("pipelineId"),
                    kind: text("alertType"),
                    message: text("message"),
                }
            }));
            let Some(next) = page.get("nextToken").and_then(Json::as_str) else {
                break;
            };
            let next =
                percent_encoding::utf8_percent_encode(next, percent_encoding::NON_ALPHANUMERIC);
            query = format!("?nextToken={next}&stateFilter=SET");
        }
        alerts.sort();
        Ok(alerts)
    }

    /// The names of the actions in its schedule.
    pub async fn actions(&self) -> Result<Vec<String>, AwsError> {
        let asked = self.ask("GET", "/schedule", None, "medialive:DescribeSchedule");
        let answer = asked.await?;
        let all = answer.get("scheduleActions").and_then(Json::as_array);
        let names = all.into_iter().flatten();
        let names = names.filter_map(|action| action.get("actionName")?.as_str());
        Ok(names.map(str::to_owned).collect())
    }

    /// Changes its schedule: what is deleted and what is created.
    pub async fn schedule(&self, body: &Json) -> Result<(), AwsError> {
        let body = Some(body.clone());
        let asked = self.ask("PUT", "/schedule", body, "medialive:BatchUpdateSchedule");
        asked.await.map(drop)
    }
}
