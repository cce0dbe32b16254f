//! Other renditions of the same programme, followed beside the variant that is analysed: separate
//! audio, and the variant that clips are cut from. Pure; the source loads their playlists.
//!
//! Segments of two renditions need not begin and end together. Each audio segment goes to the first
//! chunk that it overlaps, in order and once, so that no sound is lost or comes twice, and none comes
//! after the chunk that it belongs to (but for the tolerance below).

use std::collections::VecDeque;

use matchcut_model::chunk::{Container, Rendition};
use matchcut_model::time::MediaTime;
use serde::{Deserialize, Serialize};
use url::Url;

use super::resource;
use super::window::{Identity, Mark, News, Window};
use crate::playlist::{MediaPlaylist, Segment};

/// Segments that begin so much before the end of a chunk belong to the next one: audio frames do not
/// end where video frames do, and durations are rounded.
const TOLERANCE: MediaTime = MediaTime::from_millis(250);

/// Chunks of the main playlist that are remembered to find their counterparts.
const AXIS: usize = 24;

/// A chunk of the main playlist on the time that its durations add up to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Slot {
    pub sequence: u64,
    pub discontinuity_sequence: u64,
    pub discontinuity: bool,
    pub start: MediaTime,
    pub end: MediaTime,
    pub date: Option<i64>,
}

/// What a rendition is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It is heard.
    Audio {
        name: String,
        language: Option<String>,
    },
    /// Clips are cut from it.
    Cut,
}

impl Role {
    /// What it is called in a cursor.
    fn key(&self) -> &str {
        match self {
            Role::Audio { name, .. } => name,
            Role::Cut => "",
        }
    }

    /// What it is called in messages.
    pub(crate) fn words(&self) -> String {
        match self {
            Role::Audio { name, .. } => format!("the audio \"{name}\""),
            Role::Cut => "the variant that clips are cut from".to_owned(),
        }
    }
}

/// How far a rendition was used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FollowMark {
    key: String,
    window: Mark,
    last: Option<(u64, Identity)>,
    /// The end of what was used last, on the time of the main playlist.
    end: Option<MediaTime>,
    /// Whether anything was used.
    begun: bool,
}

#[derive(Clone, Debug)]
struct Ahead {
    segment: Segment,
    base: Url,
    mark: Mark,
    /// What came before it was not seen.
    broken: bool,
}

/// A rendition that is followed.
#[derive(Debug)]
pub(crate) struct Follower {
    pub role: Role,
    pub url: Url,
    pub complete: bool,
    window: Window,
    ahead: VecDeque<Ahead>,
    mark: FollowMark,
}

impl Follower {
    /// Begins to follow, or goes on where one of `marks` says.
    pub(crate) fn new(role: Role, url: Url, marks: &[FollowMark]) -> Self {
        let mark = marks.iter().find(|mark| mark.key == role.key()).cloned();
        let mark = mark.unwrap_or(FollowMark {
            key: role.key().to_owned(),
            ..FollowMark::default()
        });
        Follower {
            role,
            url,
            complete: false,
            window: Window::resume(mark.window.clone(), mark.last.clone()),
            ahead: VecDeque::new(),
            mark,
        }
    }

    /// How far it was used.
    pub(crate) fn mark(&self) -> FollowMark {
        self.mark.clone()
    }

    /// Takes a load of its playlist; gives what there is to tell.
    pub(crate) fn take(&mut self, base: &Url, playlist: &MediaPlaylist) -> Vec<String> {
        let mut notices = Vec::new();
        let mut broken = false;
        for (news, mark) in self.window.advance(playlist) {
            match news {
                News::Chunk(segment) => self.ahead.push_back(Ahead {
                    segment,
                    base: base.clone(),
                    mark,
                    broken: std::mem::take(&mut broken),
                }),
                // What was used is used.
                News::Again(segment) => {
                    let mut ahead = self.ahead.iter_mut();
                    if let Some(place) = ahead.find(|a| a.segment.sequence == segment.sequence) {
                        place.segment = segment;
                    }
                }
                News::SlidOut { count, .. } => {
                    broken = true;
                    let words = self.role.words();
                    notices.push(format!(
                        "{count} chunks of {words} left its playlist before they were loaded"
                    ));
                }
                News::Notice(message) => {
                    broken = true;
                    notices.push(format!("{}: {message}", self.role.words()));
                }
            }
        }
        self.complete = playlist.complete;
        notices
    }

    /// Where a segment stands on the time of the main playlist, after one that ended at `end`.
    fn place(&self, ahead: &Ahead, end: Option<MediaTime>, axis: &VecDeque<Slot>) -> MediaTime {
        let segment = &ahead.segment;
        let by_date = segment.program_date_time.and_then(|date| {
            let dated = |slot: &&Slot| slot.date.is_some_and(|at| at <= date);
            let slot = axis.iter().rev().find(dated);
            let slot = slot.or(axis.iter().find(|slot| slot.date.is_some()))?;
            let apart = i128::from(date) - i128::from(slot.date?);
            let apart = MediaTime::from_ticks(i64::try_from(apart).ok()?, 1_000_000);
            // Beyond the chunks that are known, durations go on from what is known.
            let inside = slot.start + apart < slot.end + TOLERANCE;
            (inside || end.is_none()).then_some(slot.start + apart)
        });
        let by_break = || {
            let same = |slot: &&Slot| {
                slot.discontinuity && slot.discontinuity_sequence == segment.discontinuity_sequence
            };
            let slot = axis.iter().find(same).filter(|_| segment.discontinuity)?;
            // Only near to where it would be anyway: numbers of breaks may not be kept.
            let near = |end: MediaTime| (slot.start - end).abs() <= MediaTime::from_seconds(10);
            end.is_none_or(near).then_some(slot.start)
        };
        // Recordings begin together, whatever their numbers. Of live ones the windows may begin
        // apart: the first number that both have says how far.
        let by_number = || {
            if self.complete && !self.mark.begun {
                return axis.front().map(|slot| slot.start);
            }
            let mut before = MediaTime::ZERO;
            let later = self.ahead.iter().map(|ahead| &ahead.segment);
            for later in later.filter(|later| later.sequence >= segment.sequence) {
                if let Some(slot) = axis.iter().find(|slot| slot.sequence == later.sequence) {
                    return Some(slot.start - before);
                }
                before += later.duration.unwrap_or_default();
            }
            None
        };
        by_date
            .or_else(by_break)
            .or(end.filter(|_| !ahead.broken))
            .or_else(by_number)
            .or(end)
            .or(axis.front().map(|slot| slot.start))
            .unwrap_or_default()
    }

    fn range(
        &self,
        ahead: &Ahead,
        end: Option<MediaTime>,
        axis: &VecDeque<Slot>,
    ) -> (MediaTime, MediaTime) {
        let start = self.place(ahead, end, axis);
        (start, start + ahead.segment.duration.unwrap_or_default())
    }

    /// Whether everything that belongs to a chunk is known.
    pub(crate) fn covers(&self, chunk: &Slot, axis: &VecDeque<Slot>) -> bool {
        if self.complete {
            return true;
        }
        let mut end = self.mark.end;
        self.ahead.iter().any(|ahead| {
            let (_, after) = self.range(ahead, end, axis);
            end = Some(after);
            let numbered = self.role == Role::Cut && ahead.segment.sequence >= chunk.sequence;
            numbered || after >= chunk.end - TOLERANCE
        })
    }

    fn pop(&mut self, end: MediaTime) -> Option<Ahead> {
        let ahead = self.ahead.pop_front()?;
        let sequence = ahead.segment.sequence;
        self.mark.window = ahead.mark.clone();
        self.mark.end = Some(end);
        let identity = self.window.identity(sequence).cloned();
        self.mark.last = identity.map(|identity| (sequence, identity));
        Some(ahead)
    }

    /// Passes over what lies before the end of a chunk that is missing.
    pub(crate) fn pass(&mut self, chunk: &Slot, axis: &VecDeque<Slot>) {
        while let Some(front) = self.ahead.front() {
            let (_, end) = self.range(front, self.mark.end, axis);
            if end > chunk.end + TOLERANCE {
                return;
            }
            self.pop(end);
        }
    }

    /// What of this rendition belongs to a chunk, and what there is to tell.
    pub(crate) fn attach(
        &mut self,
        chunk: &Slot,
        axis: &VecDeque<Slot>,
    ) -> (Option<Rendition>, Vec<String>) {
        match self.role.clone() {
            Role::Audio { name, language } => self.audio(name, language, chunk, axis),
            Role::Cut => self.counterpart(chunk, axis),
        }
    }

    fn audio(
        &mut self,
        name: String,
        language: Option<String>,
        chunk: &Slot,
        axis: &VecDeque<Slot>,
    ) -> (Option<Rendition>, Vec<String>) {
        let mut notices = Vec::new();
        let mut rendition: Option<Rendition> = None;
        while let Some(front) = self.ahead.front() {
            let (start, end) = self.range(front, self.mark.end, axis);
            let tolerance = TOLERANCE.min(MediaTime::from_flicks((end - start).flicks() / 2));
            if start >= chunk.end - tolerance {
                break;
            }
            // Sound from before the first chunk.
            if !self.mark.begun && end <= chunk.start + tolerance {
                self.pop(end);
                continue;
            }
            let made = resource::rendition(&front.base, &front.segment, true);
            match (made, &mut rendition) {
                (Ok(made), None) => {
                    rendition = Some(Rendition {
                        name: name.clone(),
                        language: language.clone(),
                        ..made
                    });
                }
                // One initialization section serves a chunk; the rest comes with the next one.
                (Ok(made), Some(rendition))
                    if made.init != rendition.init || made.container != rendition.container =>
                {
                    break;
                }
                (Ok(made), Some(rendition)) => rendition.media.extend(made.media),
                (Err(reason), _) => {
                    let number = front.segment.sequence;
                    let words = self.role.words();
                    notices.push(format!(
                        "chunk number {number} of {words} is not read: {reason}"
                    ));
                }
            }
            self.mark.begun = true;
            self.pop(end);
        }
        (rendition, notices)
    }

    fn counterpart(
        &mut self,
        chunk: &Slot,
        axis: &VecDeque<Slot>,
    ) -> (Option<Rendition>, Vec<String>) {
        let mut end = self.mark.end;
        let length = chunk.end - chunk.start;
        let near = |a: MediaTime, b: MediaTime| (a - b).abs() <= TOLERANCE + TOLERANCE;
        let found = self.ahead.iter().position(|ahead| {
            let (start, after) = self.range(ahead, end, axis);
            end = Some(after);
            let segment = &ahead.segment;
            let dates = chunk.date.zip(segment.program_date_time);
            let dates = dates.map(|(a, b)| a.abs_diff(b) <= 500_000);
            let as_long = near(after - start, length);
            // By number where the dates do not speak against it, else by time.
            let numbered = segment.sequence == chunk.sequence && dates != Some(false);
            as_long && (numbered || dates == Some(true) || near(start, chunk.start))
        });
        let mut made = Err("it has none".to_owned());
        if let Some(index) = found {
            for left in (0..=index).rev() {
                let Some(front) = self.ahead.front() else {
                    break;
                };
                let (_, after) = self.range(front, self.mark.end, axis);
                let popped = self.pop(after);
                if let (0, Some(ahead)) = (left, popped) {
                    self.mark.begun = true;
                    made = resource::rendition(&ahead.base, &ahead.segment, false);
                }
            }
        }
        match made {
            Ok(rendition) if rendition.container != Container::PackedAudio => {
                (Some(rendition), Vec::new())
            }
            Ok(_) => (
                None,
                vec!["the variant that clips are cut from has no video".into()],
            ),
            Err(reason) => {
                let number = chunk.sequence;
                let text = format!(
                    "the variant that clips are cut from has no counterpart of chunk number \
                     {number} that can be read ({reason}); clips of it are cut from what is analysed"
                );
                (None, vec![text])
            }
        }
    }
}

/// Adds a chunk to the axis.
pub(crate) fn extend(axis: &mut VecDeque<Slot>, slot: Slot, waiting: usize) {
    axis.push_back(slot);
    while axis.len() > AXIS + waiting {
        axis.pop_front();
    }
}
