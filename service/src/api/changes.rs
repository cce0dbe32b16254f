//! What changes of an event while it runs, as server-sent events. The file of changes is what is read, from wherever
//! the client was, so what it is told is what stands in the file, an epoch at a time, and each once.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;

use super::{Named, Problem, channel, event};
use crate::context::App;
use crate::runs::Standing;

/// The file of changes, in the directory of an event.
const CHANGES: &str = "changes.jsonl";

/// So much is read at a time, in bytes, and the rest of its epoch.
const PIECE: usize = 64 * 1024;

/// A client that hears nothing for so long hears that there is nothing.
const SILENCE: Duration = Duration::from_secs(15);

/// `GET /events/ID/changes`.
pub async fn follow(
    State(app): State<App>,
    named: Named,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let after = match headers.get("last-event-id").map(|id| id.to_str()) {
        None | Some(Ok("")) => None,
        Some(text) => {
            let number = text.ok().and_then(|text| text.parse::<u64>().ok());
            let wrong = || Problem::bad_request("Last-Event-ID is the number of an epoch");
            Some(number.ok_or_else(wrong)?)
        }
    };
    // First who tells, then how far it is: what happens between the two is told.
    let standing = app.context.runs.live(&named.id).map(|live| live.follow());
    let run = event(&app, named.id.clone()).await?;
    if run.state.is_over() && after.is_some() && after >= run.epoch {
        // So a browser is told not to ask again.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let standing = standing.unwrap_or_else(|| {
        let (_, receiver) = watch::channel(Standing {
            epoch: run.epoch,
            over: true,
        });
        receiver
    });
    let (sender, body) = channel::body();
    let told = Told {
        changes: Changes::new(&app.context.runs.dir(&named.id), after),
        id: named.id,
        standing,
        sender,
    };
    tokio::spawn(told.tell(app));
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, body).into_response())
}

/// A client that follows.
struct Told {
    id: String,
    changes: Changes,
    standing: watch::Receiver<Standing>,
    sender: Sender<Bytes>,
}

impl Told {
    /// Tells it everything, until there is nothing more or it is gone.
    async fn tell(mut self, app: App) {
        let mut stopping = app.context.runs.stopping();
        loop {
            let standing = *self.standing.borrow_and_update();
            if !self.tell_until(standing.epoch).await {
                return;
            }
            if standing.over {
                break;
            }
            let (mut silent, mut gone) = (false, false);
            tokio::select! {
                changed = self.standing.changed() => gone = changed.is_err(),
                _ = stopping.wait_for(|stopping| *stopping) => gone = true,
                () = tokio::time::sleep(SILENCE) => silent = true,
            }
            if gone || silent && !self.send(": \n\n".to_owned()).await {
                return;
            }
        }
        // An event that goes on when the service is there again is not over; the client asks again.
        let Ok(run) = event(&app, self.id.clone()).await else {
            return;
        };
        if run.state.is_over() {
            let id = run.epoch.map(|epoch| format!("id: {epoch}\n"));
            let data = json!({ "state": run.state, "reason": run.reason, "epoch": run.epoch });
            let id = id.unwrap_or_default();
            self.send(format!("{id}event: end\ndata: {data}\n\n")).await;
        }
    }

    /// Tells it what stands up to an epoch; false when it is gone.
    async fn tell_until(&mut self, epoch: Option<u64>) -> bool {
        let Some(epoch) = epoch else {
            return true;
        };
        loop {
            let mut changes = self.changes.clone();
            let read = tokio::task::spawn_blocking(move || {
                let text = changes.read(epoch);
                (changes, text)
            });
            let Ok((changes, text)) = read.await else {
                return false;
            };
            self.changes = changes;
            match text {
                Ok(text) if text.is_empty() => return true,
                Ok(text) => {
                    if !self.send(text).await {
                        return false;
                    }
                }
                Err(error) => {
                    tracing::error!(event = self.id, %error, "changes cannot be read");
                    return false;
                }
            }
        }
    }

    async fn send(&self, text: String) -> bool {
        self.sender.send(Bytes::from(text)).await.is_ok()
    }
}

/// Which epoch a line is of.
#[derive(Deserialize)]
struct Line {
    epoch: u64,
}

/// The file of changes, from behind the epochs that were told.
#[derive(Clone, Debug)]
struct Changes {
    path: PathBuf,
    offset: u64,
    after: Option<u64>,
}

impl Changes {
    fn new(dir: &Path, after: Option<u64>) -> Changes {
        Changes {
            path: dir.join(CHANGES),
            offset: 0,
            after,
        }
    }

    /// The next epochs up to `until`, all of which are in the file, as messages; empty where there are none.
    fn read(&mut self, until: u64) -> io::Result<String> {
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
            file => file?,
        };
        file.seek(SeekFrom::Start(self.offset))?;
        let mut lines = BufReader::new(file);
        let mut text = String::new();
        let mut open: Option<u64> = None;
        let mut line = String::new();
        loop {
            line.clear();
            lines.read_line(&mut line)?;
            if !line.ends_with('\n') {
                break;
            }
            let Line { epoch } = serde_json::from_str(&line)?;
            if epoch > until {
                break;
            }
            if open.is_some_and(|open| open != epoch) {
                text.push('\n');
                open = None;
                if text.len() > PIECE {
                    return Ok(text);
                }
            }
            self.offset += line.len() as u64;
            if self.after.is_some_and(|after| epoch <= after) {
                continue;
            }
            if open.is_none() {
                text.push_str(&format!("id: {epoch}\nevent: changes\n"));
                open = Some(epoch);
            }
            text.push_str("data: ");
            text.push_str(&line);
        }
        if open.is_some() {
            text.push('\n');
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_epochs_are_told_once_and_none_that_does_not_stand() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(CHANGES);
        let line = |epoch: u64, value: u64| format!("{{\"epoch\":{epoch},\"value\":{value}}}\n");
        let message = |epoch: u64, values: &[u64]| {
            let data: String = values
                .iter()
                .map(|value| format!("data: {}", line(epoch, *value)))
                .collect();
            format!("id: {epoch}\nevent: changes\n{data}\n")
        };
        let mut changes = Changes::new(dir.path(), None);
        assert_eq!(changes.read(9).unwrap(), "");
        let all = line(1, 1) + &line(1, 2) + &line(3, 3) + &line(4, 4);
        std::fs::write(&path, &all).unwrap();
        assert_eq!(changes.read(0).unwrap(), "");
        assert_eq!(changes.read(1).unwrap(), message(1, &[1, 2]));
        assert_eq!(changes.read(2).unwrap(), "");
        let told = changes.read(3).unwrap();
        assert_eq!(told, message(3, &[3]));
        // What did not stand is replaced.
        let other = line(1, 1) + &line(1, 2) + &line(3, 3) + &line(4, 5) + "{\"epo";
        std::fs::write(&path, other).unwrap();
        assert_eq!(changes.read(4).unwrap(), message(4, &[5]));
        assert_eq!(changes.read(9).unwrap(), "");
        let mut later = Changes::new(dir.path(), Some(1));
        let rest = message(3, &[3]) + &message(4, &[5]);
        assert_eq!(later.read(9).unwrap(), rest);
    }

    #[test]
    fn much_comes_in_pieces() {
        let dir = tempfile::tempdir().unwrap();
        let line = |epoch: u64| format!("{{\"epoch\":{epoch},\"v\":\"{}\"}}\n", "x".repeat(40_000));
        let all: String = (0..5).map(line).collect();
        std::fs::write(dir.path().join(CHANGES), all).unwrap();
        let mut changes = Changes::new(dir.path(), None);
        let mut seen = Vec::new();
        loop {
            let text = changes.read(4).unwrap();
            if text.is_empty() {
                break;
            }
            assert!(text.ends_with("\n\n"));
            seen.push(text.matches("id: ").count());
        }
        assert_eq!(seen, [2, 2, 1]);
    }
}
