//! The two pipes to a program. Whoever speaks with it waits in `poll` for as long as it has patience, and
//! takes in what the program says while it cannot be written to, so that neither side waits for ever.

use std::io::{self, IoSlice, Read, Write};
use std::os::fd::AsFd;
use std::process::{ChildStdin, ChildStdout};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use serde::Deserialize;

use super::patience::Patience;

/// The longest line, and the most bytes behind one, that are taken from a program.
pub(super) const LARGEST: usize = 16 << 20;

/// What a pipe should hold: a few small frames, so that both sides work at the same time.
const PIPE_SIZE: usize = 1 << 20;

/// Why nothing came through.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PipeError {
    /// The patience is over.
    #[error("it did not answer in time")]
    Timeout,
    /// The program closed its end.
    #[error("it ended")]
    Ended,
    /// More than [`LARGEST`].
    #[error("its message is larger than {} MiB", LARGEST >> 20)]
    TooLarge,
    /// Not a message of the protocol.
    #[error("what it wrote to stdout is no message: {0}")]
    Nonsense(String),
    /// Something of the system.
    #[error("the pipe to it broke: {0}")]
    System(String),
}

impl From<io::Error> for PipeError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => PipeError::Ended,
            _ => PipeError::System(error.to_string()),
        }
    }
}

/// A message as it came: its line, and the bytes behind it.
pub(super) struct Received {
    pub(super) line: Vec<u8>,
    pub(super) body: Vec<u8>,
}

pub(super) struct Pipe {
    to: ChildStdin,
    from: ChildStdout,
    inbox: Vec<u8>,
    /// Bytes of the inbox in which there is no end of a line.
    searched: usize,
}

impl Pipe {
    pub(super) fn new(to: ChildStdin, from: ChildStdout) -> io::Result<Self> {
        for pipe in [to.as_fd(), from.as_fd()] {
            fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?;
        }
        // A system that allows no larger pipe is only slower.
        #[cfg(target_os = "linux")]
        let _ = rustix::pipe::fcntl_setpipe_size(&to, PIPE_SIZE);
        Ok(Pipe {
            to,
            from,
            inbox: Vec::new(),
            searched: 0,
        })
    }

    /// Writes a line and the bytes behind it.
    pub(super) fn send(
        &mut self,
        line: &[u8],
        body: &[u8],
        patience: &mut Patience,
    ) -> Result<(), PipeError> {
        let (mut line, mut body) = (line, body);
        while !line.is_empty() || !body.is_empty() {
            match self
                .to
                .write_vectored(&[IoSlice::new(line), IoSlice::new(body)])
            {
                Ok(0) => return Err(PipeError::Ended),
                Ok(written) => {
                    let of_line = written.min(line.len());
                    line = &line[of_line..];
                    body = &body[(written - of_line).min(body.len())..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.wait(true, patience)? {
                        self.take_in()?;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The next message.
    pub(super) fn receive(&mut self, patience: &mut Patience) -> Result<Received, PipeError> {
        let mut line = loop {
            let new = self.inbox.get(self.searched..).unwrap_or_default();
            if let Some(at) = new.iter().position(|byte| *byte == b'\n') {
                let rest = self.inbox.split_off(self.searched + at + 1);
                self.searched = 0;
                break std::mem::replace(&mut self.inbox, rest);
            }
            self.searched = self.inbox.len();
            if self.searched > LARGEST {
                return Err(PipeError::TooLarge);
            }
            self.wait(false, patience)?;
            self.take_in()?;
        };
        line.pop();
        if line.len() > LARGEST {
            return Err(PipeError::TooLarge);
        }
        let bytes = match serde_json::from_slice::<Header>(&line) {
            Ok(header) if header.bytes <= LARGEST as u64 => header.bytes as usize,
            Ok(_) => return Err(PipeError::TooLarge),
            Err(_) => return Err(PipeError::Nonsense(shown(&line))),
        };
        while self.inbox.len() < bytes {
            self.wait(false, patience)?;
            self.take_in()?;
        }
        let rest = self.inbox.split_off(bytes);
        let body = std::mem::replace(&mut self.inbox, rest);
        Ok(Received { line, body })
    }

    /// What the program said that nobody took, for people.
    pub(super) fn rest(mut self) -> Option<String> {
        // It ended: this is the end of what it said.
        let _ = self.take_in();
        (!self.inbox.is_empty()).then(|| shown(&self.inbox))
    }

    /// Waits until the program has something to say, or can be written to. Whether it has something to say.
    fn wait(&mut self, writable: bool, patience: &mut Patience) -> Result<bool, PipeError> {
        let mut ends = vec![PollFd::new(&self.from, PollFlags::IN)];
        if writable {
            ends.push(PollFd::new(&self.to, PollFlags::OUT));
        }
        let ready = patience.wait(|left| {
            if left.is_zero() {
                return Ok(0);
            }
            match poll(&mut ends, Some(&timespec(left))) {
                // Whoever waits looks again.
                Err(rustix::io::Errno::INTR) => Ok(1),
                result => result,
            }
        });
        match ready {
            Ok(0) => Err(PipeError::Timeout),
            Ok(_) => Ok(ends.first().is_some_and(|end| !end.revents().is_empty())),
            Err(error) => Err(PipeError::System(error.to_string())),
        }
    }

    /// Takes in what the program has said so far.
    fn take_in(&mut self) -> Result<(), PipeError> {
        let mut piece = [0; 1 << 16];
        let before = self.inbox.len();
        loop {
            match self.from.read(&mut piece) {
                // What it said before it ended counts; its end is found the next time.
                Ok(0) if self.inbox.len() > before => return Ok(()),
                Ok(0) => return Err(PipeError::Ended),
                Ok(read) => {
                    self.inbox
                        .extend_from_slice(piece.get(..read).unwrap_or_default());
                    // A message and the beginning of the next one.
                    if self.inbox.len() > 2 * LARGEST {
                        return Err(PipeError::TooLarge);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What every message has.
#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    bytes: u64,
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

/// The beginning of what a program wrote, for people.
pub(super) fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..400.min(bytes.len())).unwrap_or_default());
    let mut short: String = text.chars().take(100).collect();
    if text.chars().count() > 100 {
        short.push('…');
    }
    format!("{short:?}")
}
