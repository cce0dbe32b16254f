//! Who is listened to while an event runs: feedback files, and feeds of the spec. What they say becomes entries of
//! the log, together with how far each was read, so that everything is heard once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use matchcut_kafka::{FeedOptions, KafkaFeed, Listen};
use matchcut_model::chunk::Position;
use matchcut_model::observation::Class;
use matchcut_model::value::Name;
use matchcut_operators::sdk::parse_options;
use serde::{Deserialize, Serialize};

use super::asks::Asks;
use super::feedback::{FeedbackFiles, FilesCursor, FromFile};
use super::remarks::{Entries, Remarks, RemarksCursor, Subjects, failure};
use crate::plan::Plan;

/// How far everything was read, and what stands of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ListenCursor {
    files: FilesCursor,
    /// The next message, by feed and partition.
    #[serde(default)]
    feeds: BTreeMap<Name, BTreeMap<i32, i64>>,
    remarks: RemarksCursor,
}

impl ListenCursor {
    /// How many bytes of each feedback file were read.
    pub fn bytes(&self) -> Vec<u64> {
        self.files.bytes()
    }
}

/// What to listen to.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Feedback files.
    pub files: Vec<PathBuf>,
    /// Feeds: their names and options.
    pub feeds: Vec<(Name, FeedOptions)>,
    /// The event, by which messages on feeds are told from those of others.
    pub event: String,
    /// Of what may be spoken.
    pub subjects: Subjects,
}

impl Sources {
    /// What a plan and the command line name.
    pub fn of(plan: &Plan, files: &[PathBuf], asks: Option<Arc<Asks>>) -> Self {
        // A plugin outside may also say something late.
        let outside = plan
            .operators
            .iter()
            .filter(|o| o.kind == "external" || o.kind == "plugin" && o.class == Class::Featurer);
        Sources {
            files: files.to_vec(),
            feeds: plan
                .feeds
                .iter()
                // What is wrong in them was said when the spec was read.
                .map(|feed| {
                    let options = parse_options(&feed.options).unwrap_or_default();
                    (feed.name.clone(), options)
                })
                .collect(),
            event: plan.pipeline.event().to_owned(),
            subjects: Subjects {
                outside: outside.map(|operator| operator.name.clone()).collect(),
                replays: super::convert::definitions(plan),
                asks,
            },
        }
    }
}

/// Listens.
pub struct Listening {
    files: FeedbackFiles,
    feeds: Vec<(Name, KafkaFeed)>,
    remarks: Remarks,
    cursor: ListenCursor,
    /// Feeds that could not be begun.
    deaf: Entries,
}

impl Listening {
    /// Goes on where `cursor` is; `log` is what the log has of observations from outside.
    pub fn new(sources: &Sources, cursor: ListenCursor, log: BTreeMap<u64, Position>) -> Self {
        let mut deaf = Entries::new();
        let mut feeds = Vec::new();
        for (name, options) in &sources.feeds {
            let listen = Listen {
                options: options.connection(),
                topic: options.topic.clone(),
                key: sources.event.clone(),
                from: options.from,
                next: cursor.feeds.get(name).cloned().unwrap_or_default(),
            };
            match KafkaFeed::start(listen) {
                Ok(feed) => feeds.push((name.clone(), feed)),
                Err(error) => deaf.push((failure(name.to_string(), error.to_string()), 1)),
            }
        }
        Listening {
            files: FeedbackFiles::new(&sources.files, cursor.files.clone()),
            feeds,
            remarks: Remarks::new(sources.subjects.clone(), cursor.remarks.clone(), log),
            cursor,
            deaf,
        }
    }

    /// Whether there is nobody to listen to.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.feeds.is_empty() && self.deaf.is_empty()
    }

    /// How far everything was read.
    pub fn cursor(&self) -> &ListenCursor {
        &self.cursor
    }

    /// What was said since the last call, told at `position`. When the event has `ended`, what is still on
    /// its way is waited for, for a few seconds.
    pub fn poll(&mut self, position: Position, ended: bool) -> Entries {
        let mut entries = std::mem::take(&mut self.deaf);
        for said in self.files.poll(ended) {
            match said {
                FromFile::Line(place, line) => {
                    self.remarks.line(&place, &line, position, &mut entries);
                }
                FromFile::Trouble(place, message) => entries.push((failure(place, message), 1)),
            }
        }
        for (name, feed) in &self.feeds {
            let heard = match ended {
                true => feed.take_rest(),
                false => feed.take(),
            };
            for heard in heard {
                let place = format!("{}/{}:{}", feed.topic(), heard.partition, heard.offset);
                let next = self.cursor.feeds.entry(name.clone()).or_default();
                next.insert(heard.partition, heard.offset + 1);
                self.remarks
                    .line(&place, &heard.value, position, &mut entries);
            }
            if let Some(trouble) = feed.trouble() {
                let message = format!("{trouble}; it is tried again until the event ends");
                entries.push((failure(format!("feed {name}"), message), 1));
            }
        }
        self.cursor.files.clone_from(self.files.cursor());
        self.cursor.remarks.clone_from(self.remarks.cursor());
        entries
    }
}
