//! Changes as server-sent events: a message for each epoch, and one for the end.

use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::sync::mpsc::Sender;

use super::lines::Told;
use super::{End, Followed, Next};
use crate::api::channel;

/// Tells a client everything, until there is nothing more or it is gone.
pub fn answer(followed: Followed) -> Response {
    let (sender, body) = channel::body();
    tokio::spawn(tell(followed, sender));
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, body).into_response()
}

async fn tell(mut followed: Followed, sender: Sender<Bytes>) {
    loop {
        let (text, is_last) = match followed.next().await {
            Next::Epochs(told) => (told.iter().map(message).collect(), false),
            Next::Silence => (": \n\n".to_owned(), false),
            Next::End(end) => (last(&end), true),
            Next::Pause | Next::Broken => return,
        };
        if sender.send(Bytes::from(text)).await.is_err() || is_last {
            return;
        }
    }
}

fn message(told: &Told) -> String {
    let mut text = format!("id: {}\nevent: changes\n", told.epoch);
    for line in &told.lines {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
    text
}

fn last(end: &End) -> String {
    let id = end.epoch.map(|epoch| format!("id: {epoch}\n"));
    let id = id.unwrap_or_default();
    format!("{id}event: end\ndata: {}\n\n", json!(end))
}

#[cfg(test)]
mod tests {
    use crate::store::runs::RunState;

    use super::*;

    #[test]
    fn an_epoch_is_a_message_and_so_is_the_end() {
        let lines = vec!["{\"a\":1}".to_owned(), "{\"a\":2}".to_owned()];
        let told = Told { epoch: 7, lines };
        let text = "id: 7\nevent: changes\ndata: {\"a\":1}\ndata: {\"a\":2}\n\n";
        assert_eq!(message(&told), text);
        let mut end = End {
            state: RunState::Complete,
            reason: None,
            epoch: Some(9),
        };
        let data = "{\"state\":\"complete\",\"reason\":null,\"epoch\":9}";
        assert_eq!(last(&end), format!("id: 9\nevent: end\ndata: {data}\n\n"));
        end.epoch = None;
        assert!(last(&end).starts_with("event: end\n"));
    }
}
