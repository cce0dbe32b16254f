//! A program under way: the messages to and from it, and what is said when it breaks.

use std::time::Duration;

use super::child::Running;
use super::launch::{DESCRIBE, Launch};
use super::message::{PROTOCOL, Ready, Refused, Reply, Request};
use super::patience::Patience;
use super::pipe::{Pipe, PipeError, shown};
use super::stderr::LastWords;

/// A program that speaks the protocol.
pub(super) struct Program {
    pipe: Option<Pipe>,
    words: LastWords,
    running: Option<Running>,
    next: u64,
}

/// What a program answers to `hello`.
pub(super) enum Greeting {
    Ready(Box<Ready>),
    Refused(Box<Refused>),
}

impl Program {
    /// Starts a program and asks what it is.
    pub(super) fn start(launch: &Launch) -> Result<(Program, Greeting), String> {
        let (running, ends) = Running::start(launch)?;
        let system = |error: std::io::Error| format!("it cannot be spoken to: {error}");
        let words = LastWords::read(ends.stderr, launch.name()).map_err(system)?;
        let mut program = Program {
            pipe: Some(Pipe::new(ends.stdin, ends.stdout).map_err(system)?),
            words,
            running: Some(running),
            next: 0,
        };
        let hello = Request::Hello {
            protocol: PROTOCOL,
            host: concat!("matchcut ", env!("CARGO_PKG_VERSION")),
            options: &launch.options,
            max_segment: launch.max_segment,
        };
        let mut patience = Patience::new(DESCRIBE);
        let asked = program.tell(&hello, &[], &mut patience);
        let answer = asked.and_then(|()| program.hear(&mut patience));
        let greeting = match answer {
            Ok((Reply::Ready(ready), _)) => Greeting::Ready(ready),
            Ok((Reply::Refused(refused), _)) => Greeting::Refused(refused),
            Ok(_) => {
                return Err("it answers \"hello\" with something else than \"ready\"".to_owned());
            }
            Err(error) => return Err(program.broke(error, &patience)),
        };
        Ok((program, greeting))
    }

    /// Lets it load what it needs for work.
    pub(super) fn get_ready(&mut self, limit: Duration) -> Result<(), String> {
        let mut patience = Patience::new(limit);
        let asked = self.tell(&Request::Start, &[], &mut patience);
        match asked.and_then(|()| self.hear(&mut patience)) {
            Ok((Reply::Started, _)) => Ok(()),
            Ok((Reply::Error { message, .. }, _)) => Err(format!("it cannot begin: {message}")),
            Ok(_) => Err("it answers \"start\" with something else than \"started\"".to_owned()),
            Err(error) => Err(self.broke(error, &patience)),
        }
    }

    /// A number for a chunk or step; what was written to stderr before belongs to others.
    pub(super) fn next_id(&mut self) -> u64 {
        self.words.forget();
        self.next += 1;
        self.next
    }

    /// Sends a message.
    pub(super) fn tell(
        &mut self,
        request: &Request<'_>,
        body: &[u8],
        patience: &mut Patience,
    ) -> Result<(), PipeError> {
        let mut line =
            serde_json::to_vec(request).map_err(|error| PipeError::System(error.to_string()))?;
        line.push(b'\n');
        let pipe = self.pipe.as_mut().ok_or(PipeError::Ended)?;
        pipe.send(&line, body, patience)
    }

    /// The next message, with the bytes behind it.
    pub(super) fn hear(&mut self, patience: &mut Patience) -> Result<(Reply, Vec<u8>), PipeError> {
        let pipe = self.pipe.as_mut().ok_or(PipeError::Ended)?;
        let received = pipe.receive(patience)?;
        match serde_json::from_slice(&received.line) {
            Ok(reply) => Ok((reply, received.body)),
            Err(error) => {
                let text = shown(&received.line);
                Err(PipeError::Nonsense(format!("{error}, in {text}")))
            }
        }
    }

    /// What is said of a program that broke. It is ended.
    pub(super) fn broke(&mut self, error: PipeError, patience: &Patience) -> String {
        let rest = self.pipe.take().and_then(Pipe::rest);
        let mut running = self.running.take();
        let status = match error {
            PipeError::Ended => running
                .as_mut()
                .and_then(|running| running.wait(Duration::from_millis(200))),
            _ => None,
        };
        drop(running);
        let mut text = match error {
            PipeError::Timeout => {
                format!("the program did not answer within {:?}", patience.limit())
            }
            PipeError::Ended => {
                let ended = match status {
                    Some(status) => format!("the program ended ({status})"),
                    None => "the program closed its stdin or stdout".to_owned(),
                };
                match rest {
                    Some(rest) => format!("{ended} and wrote to stdout what is no message: {rest}"),
                    None => ended,
                }
            }
            error => format!("the program does not keep to the protocol: {error}"),
        };
        if let Some(last) = self.words.last() {
            text.push_str("; it last wrote: ");
            text.push_str(&last);
        }
        text
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Its stdin closes: it ends by itself, or else is ended.
        self.pipe = None;
        if let Some(running) = self.running.take() {
            running.let_end();
        }
    }
}
