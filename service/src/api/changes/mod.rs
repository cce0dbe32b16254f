//! What changes of an event while it runs, as server-sent events or over a WebSocket. The files of changes are what is
//! read, from wherever the client was, so what it is told is what stands in a file, an epoch at a time, and each once.

mod events;
mod lines;
mod socket;

use std::io;
use std::time::Duration;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{RawQuery, State};
use axum::http::header::UPGRADE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::watch;

use super::{Named, Problem, event};
use crate::context::App;
use crate::endpoint::pairs;
use crate::runs::Standing;
use crate::store::runs::{Run, RunState};
use lines::{Lines, Told};

/// What became of an event: segments, what replays show, clips.
const CHANGES: &str = "changes.jsonl";

/// What that follows from: chunks, gaps, observations, errors.
const LOG: &str = "log.jsonl";

/// A client that hears nothing for so long hears that there is nothing.
const SILENCE: Duration = Duration::from_secs(15);

/// The parts of an event that can be followed, as paths name them.
pub const FOLLOWED: [&str; 2] = ["changes", "log"];

/// How a client asks: for a stream of events where it does not want a socket.
type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

/// `GET /events/ID/changes`.
pub async fn changes(
    State(app): State<App>,
    named: Named,
    query: RawQuery,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    follow(app, named.id, CHANGES, (query, headers), upgrade).await
}

/// `GET /events/ID/log`.
pub async fn log(
    State(app): State<App>,
    named: Named,
    query: RawQuery,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    follow(app, named.id, LOG, (query, headers), upgrade).await
}

async fn follow(
    app: App,
    id: String,
    file: &'static str,
    (RawQuery(query), headers): (RawQuery, HeaderMap),
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    let after = after(&headers, &query.unwrap_or_default())?;
    // First who tells, then how far it is: what happens between the two is told.
    let standing = app.context.runs.live(&id).map(|live| live.follow());
    let run = event(&app, id.clone()).await?;
    let is_told = run.state.is_over() && after.is_some() && after >= run.epoch;
    let standing = standing.unwrap_or_else(|| {
        let (_, receiver) = watch::channel(Standing {
            epoch: run.epoch,
            over: true,
        });
        receiver
    });
    let followed = Followed {
        lines: Lines::new(app.context.runs.dir(&id).join(file), after),
        stopping: app.context.runs.stopping(),
        id,
        standing,
        app,
    };
    match upgrade {
        Ok(upgrade) => Ok(socket::answer(upgrade, followed)),
        Err(rejection) if headers.contains_key(UPGRADE) => {
            Err(Problem::bad_request(rejection.body_text()))
        }
        // So a browser is told not to ask again.
        Err(_) if is_told => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(_) => Ok(events::answer(followed)),
    }
}

/// The epoch that the client has heard. What it says anew when it connects again counts more than the address at which
/// it does.
fn after(headers: &HeaderMap, query: &str) -> Result<Option<u64>, Problem> {
    let number = |text: Option<&str>, what: &str| match text {
        Some("") => Ok(None),
        text => {
            let number = text.and_then(|text| text.parse::<u64>().ok());
            let wrong = || Problem::bad_request(format!("{what} is the number of an epoch"));
            number.map(Some).ok_or_else(wrong)
        }
    };
    if let Some(id) = headers.get("last-event-id") {
        return number(id.to_str().ok(), "Last-Event-ID");
    }
    let asked = pairs(query).into_iter().find(|(name, _)| name == "after");
    asked.map_or(Ok(None), |(_, text)| number(Some(&text), "after"))
}

/// What comes next.
enum Next {
    /// Epochs that stand, each whole.
    Epochs(Vec<Told>),
    /// There was nothing for a while.
    Silence,
    /// There will be nothing more.
    End(End),
    /// There is nothing more here; the event goes on when the service is there again.
    Pause,
    /// It cannot be read.
    Broken,
}

/// How an event was when there was nothing more.
#[derive(Serialize)]
struct End {
    state: RunState,
    reason: Option<String>,
    epoch: Option<u64>,
}

/// An event that a client follows.
struct Followed {
    app: App,
    id: String,
    lines: Lines,
    standing: watch::Receiver<Standing>,
    stopping: watch::Receiver<bool>,
}

impl Followed {
    /// Waits for what comes next. Who stops waiting misses nothing.
    async fn next(&mut self) -> Next {
        loop {
            let standing = *self.standing.borrow_and_update();
            match self.read(standing.epoch).await {
                Ok(told) if told.is_empty() => {}
                Ok(told) => return Next::Epochs(told),
                Err(error) => {
                    tracing::error!(event = self.id, %error, "changes cannot be read");
                    return Next::Broken;
                }
            }
            if standing.over {
                return self.end().await;
            }
            tokio::select! {
                changed = self.standing.changed() => if changed.is_err() {
                    return Next::Pause;
                },
                _ = self.stopping.wait_for(|stopping| *stopping) => return Next::Pause,
                () = tokio::time::sleep(SILENCE) => return Next::Silence,
            }
        }
    }

    async fn read(&mut self, until: Option<u64>) -> io::Result<Vec<Told>> {
        let Some(until) = until else {
            return Ok(Vec::new());
        };
        let mut lines = self.lines.clone();
        let read = tokio::task::spawn_blocking(move || {
            let told = lines.read(until);
            (lines, told)
        });
        let (lines, told) = read.await.map_err(io::Error::other)?;
        self.lines = lines;
        told
    }

    /// An event that goes on when the service is there again is not over; the client asks again.
    async fn end(&self) -> Next {
        match event(&self.app, self.id.clone()).await {
            Ok(run) if run.state.is_over() => {
                let Run {
                    state,
                    reason,
                    epoch,
                    ..
                } = run;
                Next::End(End {
                    state,
                    reason,
                    epoch,
                })
            }
            _ => Next::Pause,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_says_where_it_was() {
        let after = |id: Option<&str>, query: &str| {
            let mut headers = HeaderMap::new();
            if let Some(id) = id {
                headers.insert("last-event-id", id.parse().unwrap());
            }
            after(&headers, query).map_err(|problem| format!("{problem:?}"))
        };
        assert_eq!(after(None, ""), Ok(None));
        assert_eq!(after(None, "expires=1&after=7"), Ok(Some(7)));
        assert_eq!(after(Some("9"), "after=7"), Ok(Some(9)));
        assert_eq!(after(Some(""), "after=7"), Ok(None));
        assert_eq!(after(None, "after="), Ok(None));
        let wrong = after(None, "after=x").unwrap_err();
        assert!(wrong.contains("after is the number of an epoch"), "{wrong}");
        let wrong = after(Some("-1"), "").unwrap_err();
        assert!(wrong.contains("Last-Event-ID"), "{wrong}");
    }
}
