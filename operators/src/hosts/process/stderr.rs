//! What a program writes to stderr: each line goes to the log under its name, and the last ones are kept
//! for the message of a failure. A program that writes without end fills neither log nor memory.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::process::ChildStderr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of a line that are kept.
const LINE: u64 = 1000;
/// Lines that are kept for a failure.
const LAST: usize = 3;
/// Lines that are logged in a second.
const LOGGED: u32 = 100;

/// The last lines of a program.
#[derive(Clone, Default)]
pub(super) struct LastWords(Arc<(Mutex<Words>, Condvar)>);

#[derive(Default)]
struct Words {
    lines: VecDeque<String>,
    ended: bool,
}

impl LastWords {
    /// Reads `stderr` to its end on a thread of its own.
    pub(super) fn read(stderr: ChildStderr, name: String) -> std::io::Result<Self> {
        let words = LastWords::default();
        let ours = words.clone();
        thread::Builder::new()
            .name("operator-stderr".to_owned())
            .spawn(move || {
                ours.listen(BufReader::new(stderr), &name);
                ours.lock().ended = true;
                ours.0.1.notify_all();
            })?;
        Ok(words)
    }

    fn lock(&self) -> MutexGuard<'_, Words> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(&self, mut stderr: impl BufRead, name: &str) {
        let mut line = Vec::new();
        let mut second = (Instant::now(), 0_u32);
        loop {
            line.clear();
            match (&mut stderr).take(LINE).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end();
            if text.trim_start().is_empty() {
                continue;
            }
            if second.0.elapsed() >= Duration::from_secs(1) {
                if second.1 > LOGGED {
                    tracing::info!(
                        operator = name,
                        "{} further lines left out",
                        second.1 - LOGGED
                    );
                }
                second = (Instant::now(), 0);
            }
            second.1 = second.1.saturating_add(1);
            if second.1 <= LOGGED {
                tracing::info!(operator = name, "{text}");
            }
            let mut words = self.lock();
            words.lines.push_back(text.trim_start().to_owned());
            if words.lines.len() > LAST {
                words.lines.pop_front();
            }
        }
    }

    /// What was said so far does not belong to what comes now.
    pub(super) fn forget(&self) {
        self.lock().lines.clear();
    }

    /// The last lines of a program that has ended or was ended; a moment is given to read them.
    pub(super) fn last(&self) -> Option<String> {
        let wait = Duration::from_millis(200);
        let words = self
            .0
            .1
            .wait_timeout_while(self.lock(), wait, |words| !words.ended);
        let (words, _) = words.unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<&str> = words.lines.iter().map(String::as_str).collect();
        (!lines.is_empty()).then(|| lines.join(" / "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_no_line_is_too_long() {
        let words = LastWords::default();
        let long = "x".repeat(5000);
        words.listen(
            format!("one\n\ntwo\n  three\nfour\n{long}").as_bytes(),
            "test",
        );
        words.lock().ended = true;
        let kept = words.last().unwrap();
        assert!(kept.len() < 3100 && kept.starts_with("xxx"), "{kept}");
        let words = LastWords::default();
        words.listen("one\n\ntwo\n  three\nfour\n".as_bytes(), "test");
        words.lock().ended = true;
        assert_eq!(words.last().unwrap(), "two / three / four");
        words.forget();
        assert_eq!(words.last(), None);
    }
}
