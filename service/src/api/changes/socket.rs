//! Changes over a WebSocket: a text message for each change, and one for the end, behind which the connection is closed
//! with a reason. Nothing is kept for a client that reads slowly: what it has not taken is read from the file when it
//! has, and one that takes nothing is let go.

use std::fmt::Write;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use serde_json::json;
use tokio::time::timeout;

use super::lines::Told;
use super::{End, Followed, Next, SILENCE};

/// How often a client is asked whether it is there that says nothing.
const ASKED: u32 = 2;

/// How long a client may take to take a message.
const PATIENCE: Duration = SILENCE.saturating_mul(ASKED + 1);

/// How long is waited for a client to have heard the last.
const GOODBYE: Duration = Duration::from_secs(1);

/// Clients have nothing to say but that they are there, or go.
const LONGEST: usize = 4096;

/// The last message, and why the connection is closed behind it.
struct Goodbye {
    text: Option<String>,
    code: u16,
    reason: &'static str,
}

/// Tells a client everything, until there is nothing more or it is gone.
pub fn answer(upgrade: WebSocketUpgrade, followed: Followed) -> Response {
    let upgrade = upgrade
        .max_message_size(LONGEST)
        .max_frame_size(LONGEST)
        .write_buffer_size(0);
    upgrade.on_upgrade(|socket| async {
        let mut socket = socket;
        if let Some(goodbye) = tell(&mut socket, followed).await {
            close(socket, goodbye).await;
        }
    })
}

/// None when the client is gone.
async fn tell(socket: &mut WebSocket, mut followed: Followed) -> Option<Goodbye> {
    let mut unanswered = 0;
    loop {
        let next = tokio::select! {
            next = followed.next() => next,
            said = socket.recv() => match said {
                // Pings are answered where they are read, and a close where it is read on.
                Some(Ok(Message::Close(_))) => {
                    let _ = timeout(GOODBYE, socket.recv()).await;
                    return None;
                }
                Some(Err(_)) | None => return None,
                Some(Ok(_)) => {
                    unanswered = 0;
                    continue;
                }
            },
        };
        match next {
            Next::Epochs(told) => {
                for told in &told {
                    for text in messages(told) {
                        send(socket, Message::text(text)).await?;
                    }
                }
            }
            Next::Silence if unanswered == ASKED => return None,
            Next::Silence => {
                unanswered += 1;
                send(socket, Message::Ping(Vec::new().into())).await?;
            }
            Next::End(end) => {
                return Some(Goodbye {
                    text: Some(last(&end)),
                    code: close_code::NORMAL,
                    reason: "the event is over",
                });
            }
            Next::Pause => {
                return Some(Goodbye {
                    text: None,
                    code: close_code::AWAY,
                    reason: "the service is stopping: ask again",
                });
            }
            Next::Broken => {
                return Some(Goodbye {
                    text: None,
                    code: close_code::ERROR,
                    reason: "changes cannot be read: the log of the service says why",
                });
            }
        }
    }
}

/// Sends a message; none when the client is gone, or takes nothing.
async fn send(socket: &mut WebSocket, message: Message) -> Option<()> {
    timeout(PATIENCE, socket.send(message)).await.ok()?.ok()
}

/// Says the last, and waits a moment for the client to have it.
async fn close(mut socket: WebSocket, goodbye: Goodbye) -> Option<()> {
    if let Some(text) = goodbye.text {
        send(&mut socket, Message::text(text)).await?;
    }
    let frame = CloseFrame {
        code: goodbye.code,
        reason: goodbye.reason.into(),
    };
    send(&mut socket, Message::Close(Some(frame))).await?;
    let answered = async { while let Some(Ok(_)) = socket.recv().await {} };
    timeout(GOODBYE, answered).await.ok()
}

/// The messages of an epoch, a change each. `last` says that the epoch is whole with it: from there a client goes on.
fn messages(told: &Told) -> impl Iterator<Item = String> {
    let number = told.lines.len();
    let lines = told.lines.iter().enumerate();
    lines.map(move |(at, line)| {
        let (epoch, last) = (told.epoch, at + 1 == number);
        let mut text = String::with_capacity(line.len() + 64);
        // Writing into a text does not fail.
        let _ = write!(
            text,
            "{{\"id\":{epoch},\"event\":\"change\",\"last\":{last},\"data\":{line}}}"
        );
        text
    })
}

fn last(end: &End) -> String {
    json!({ "id": end.epoch, "event": "end", "data": end }).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::store::runs::RunState;

    use super::*;

    #[test]
    fn a_change_is_a_message_and_so_is_the_end() {
        let lines = vec!["{\"a\":1}".to_owned(), "{\"a\":2}".to_owned()];
        let told = Told { epoch: 7, lines };
        let read = |text: String| -> Value { serde_json::from_str(&text).unwrap() };
        let all: Vec<Value> = messages(&told).map(read).collect();
        let expected = [
            json!({ "id": 7, "event": "change", "last": false, "data": { "a": 1 } }),
            json!({ "id": 7, "event": "change", "last": true, "data": { "a": 2 } }),
        ];
        assert_eq!(all, expected);
        let end = End {
            state: RunState::Failed,
            reason: Some("404".to_owned()),
            epoch: None,
        };
        let data = json!({ "state": "failed", "reason": "404", "epoch": null });
        let expected = json!({ "id": null, "event": "end", "data": data });
        assert_eq!(read(last(&end)), expected);
    }
}
