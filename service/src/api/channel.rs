//! A body that is written while it is sent: what is put into a channel goes out, as fast as the client takes it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http_body::Frame;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Pieces that wait for a slow client.
const WAITING: usize = 4;

struct Piped(Receiver<Bytes>);

impl http_body::Body for Piped {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let polled = self.0.poll_recv(context);
        polled.map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// A body, and the way into it. When the client is gone, sending fails.
pub fn body() -> (Sender<Bytes>, Body) {
    let (sender, receiver) = channel(WAITING);
    (sender, Body::new(Piped(receiver)))
}
