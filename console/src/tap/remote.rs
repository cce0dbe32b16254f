//! Follows an event of a service: as it comes over server-sent events, and of an event that is over, or where nothing is
//! to be waited for, out of its files. A connection that breaks is made anew from where it was.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::line::Line;
use super::names::{Names, Part};
use super::{CHANGES, How, LOG, TapError, Told};
use crate::client::{ClientError, Service};

/// For how long a service that is away is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// The longest pause between tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// States in which nothing more comes by itself.
const OVER: [&str; 3] = ["complete", "failed", "stopped"];

/// Tells of the wanted edges of an event.
pub fn of_service(
    service: &Service,
    event: &str,
    written: &[String],
    how: How,
    told: &mut dyn Told,
) -> Result<(), TapError> {
    let mut names = Names::new(written)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if event.is_empty() || !event.bytes().all(plain) {
        return Err(TapError::Name {
            message: format!("\"{event}\" cannot be the id of an event"),
            hint: None,
        });
    }
    let items = service.items(&format!("events/{event}/graph"))?;
    let parts: Vec<Part> = items.iter().filter_map(Part::read).collect();
    if let Some(error) = names.unknown(&parts).into_iter().next() {
        return Err(error);
    }
    names.resolve(&parts);
    let state = service.json(&format!("events/{event}"))?;
    let epoch = state.get("epoch").and_then(Value::as_u64);
    let is_over = state.get("state").and_then(Value::as_str);
    let is_over = is_over.is_some_and(|state| OVER.contains(&state));
    let files = names.files(&parts);
    if is_over || !how.follow {
        return now(service, event, &names, files, epoch, told);
    }
    let after = epoch.filter(|_| !how.from_start);
    follow(service, event, &names, files, after, told)
}

/// What there is until now, in the order in which it came.
fn now(
    service: &Service,
    event: &str,
    names: &Names,
    (changes, log): (bool, bool),
    epoch: Option<u64>,
    told: &mut dyn Told,
) -> Result<(), TapError> {
    let Some(until) = epoch else {
        return Ok(());
    };
    // What it follows from stands before what becomes of it, within an epoch.
    let mut epochs: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for file in [(LOG, log), (CHANGES, changes)] {
        let (name, true) = file else {
            continue;
        };
        let path = format!("{name}.jsonl");
        let Some(mut lines) = service.file(event, &path)? else {
            continue;
        };
        let mut text = String::new();
        let broken = |source| TapError::Read {
            path: path.clone().into(),
            source,
        };
        while lines.read_line(&mut text).map_err(broken)? > 0 && text.ends_with('\n') {
            let line = read(&path, text.trim_end())?;
            if line.epoch <= until && names.take(&line) {
                let epoch = epochs.entry(line.epoch).or_default();
                epoch.push(text.trim_end().to_owned());
            }
            text.clear();
        }
    }
    for line in epochs.values().flatten() {
        told.line(line)?;
    }
    told.pause()?;
    Ok(())
}

fn read(place: &str, text: &str) -> Result<Line, TapError> {
    Line::read(text).map_err(|reason| TapError::Line {
        place: place.to_owned(),
        reason,
    })
}

/// What comes over a stream: an epoch of lines, or why there is no more.
type Came = Result<Vec<String>, TapError>;

fn follow(
    service: &Service,
    event: &str,
    names: &Names,
    (changes, log): (bool, bool),
    after: Option<u64>,
    told: &mut dyn Told,
) -> Result<(), TapError> {
    let (sender, came) = channel::<Came>();
    for file in [(LOG, log), (CHANGES, changes)] {
        if let (name, true) = file {
            let path = format!("events/{event}/{name}");
            let (service, sender) = (service.clone(), sender.clone());
            // It ends with the process, or when nobody hears it any more.
            thread::spawn(move || {
                if let Err(error) = stream(&service, &path, after, &sender) {
                    let _ = sender.send(Err(error));
                }
            });
        }
    }
    drop(sender);
    for lines in came {
        for text in lines? {
            if names.take(&read(event, &text)?) {
                told.line(&text)?;
            }
        }
        told.pause()?;
    }
    Ok(())
}

/// Sends on what comes, over as many connections as it takes.
fn stream(
    service: &Service,
    path: &str,
    mut after: Option<u64>,
    sender: &Sender<Came>,
) -> Result<(), TapError> {
    let mut well = Instant::now();
    let mut pause = Duration::ZERO;
    loop {
        let mut failed: Option<ClientError> = None;
        match service.follow(path, after) {
            Ok(None) => return Ok(()),
            Ok(Some(mut stream)) => {
                well = Instant::now();
                // A connection that breaks is one that has hung up.
                while let Ok(Some(message)) = stream.next() {
                    pause = Duration::ZERO;
                    well = Instant::now();
                    if message.event == "end" {
                        return Ok(());
                    }
                    after = message.id.or(after);
                    if sender.send(Ok(message.data)).is_err() {
                        return Ok(());
                    }
                }
            }
            Err(error) if error.may_pass() => failed = Some(error),
            Err(error) => return Err(error.into()),
        }
        if well.elapsed() + pause > PATIENCE {
            let away = TapError::Away(PATIENCE.as_secs());
            return Err(failed.map_or(away, TapError::Client));
        }
        thread::sleep(pause);
        pause = (pause * 2 + Duration::from_millis(100)).min(LONGEST_PAUSE);
    }
}
