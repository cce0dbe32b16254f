//! What an HLS source tells of what it has read: chunks with everything that belongs to them, what
//! is missing, and what the user should know.

use matchcut_model::chunk::{ChunkRef, Position, Rendition, Resource};
use matchcut_model::cue::{Cue, CueKind};
use matchcut_model::failure::{Domain, Failure, Retry};
use matchcut_model::time::MediaTime;
use tokio::time::Instant;
use url::Url;

use super::cursor::{Behind, Recent};
use super::follow::{Role, Slot};
use super::resource::{self, container_of};
use super::window::{Mark, News};
use super::{HlsSource, Waiting};
use crate::hash::hash;
use crate::item::{Missing, SourceItem};
use crate::playlist::cues::CONTINUED;
use crate::playlist::{MediaPlaylist, Part, Segment};

/// Chunks wait for other renditions for so many target durations.
const PATIENCE: i64 = 3;

impl HlsSource {
    pub(super) fn push(&mut self, item: SourceItem, behind: Behind) {
        self.head.pass(behind.clone(), self.options.late_window);
        self.queue.push_back(Box::new((item, behind)));
    }

    /// Tells something, once.
    fn notice_once(&mut self, url: &Url, key: u64, message: String) {
        if self.head.has_told(key) {
            return;
        }
        let told = Behind {
            told: Some(key),
            ..Behind::default()
        };
        self.push(SourceItem::Notice(notice(url, message)), told);
    }

    /// Tells something, once.
    pub(super) fn notice(&mut self, url: &Url, message: String) {
        self.notice_once(url, hash(&[message.as_bytes()]), message);
    }

    /// Tells of lines that cannot be used.
    pub(super) fn problems(&mut self, url: &Url, playlist: &MediaPlaylist) {
        for problem in &playlist.problems {
            // The same line comes again with every load, at another place.
            let key = hash(&[problem.message.as_bytes(), problem.text.as_bytes()]);
            self.notice_once(url, key, problem.to_string());
        }
    }

    /// Tells what was taken, as far as other renditions are there, or all of it. Gives the time of
    /// what still waits.
    pub(super) fn tell_waiting(
        &mut self,
        now: Instant,
        target: MediaTime,
        all: bool,
    ) -> Option<Instant> {
        let patience = self.patience(target);
        while let Some(waiting) = self.waiting.pop_front() {
            let ready = match &waiting.slot {
                Some(slot) => self.followers.iter().all(|f| f.covers(slot, &self.axis)),
                None => true,
            };
            let waited = now.saturating_duration_since(waiting.since);
            if !ready && !all && waited < patience {
                let since = waiting.since;
                self.waiting.push_front(waiting);
                return Some(since);
            }
            if !ready && !all {
                self.lagging(&waiting);
            }
            self.tell(waiting);
        }
        self.waiting.shrink_to_fit();
        None
    }

    fn patience(&self, target: MediaTime) -> std::time::Duration {
        let target = target.times(PATIENCE).as_seconds_f64().clamp(0.5, 60.0);
        match self.options.reload {
            // Who reloads faster wants to see more soon.
            Some(reload) => reload
                .std()
                .mul_f64(10.0)
                .min(std::time::Duration::from_secs_f64(target)),
            None => std::time::Duration::from_secs_f64(target),
        }
    }

    fn lagging(&mut self, waiting: &Waiting) {
        let lagging: Vec<String> = self
            .followers
            .iter()
            .filter(|f| {
                waiting
                    .slot
                    .as_ref()
                    .is_some_and(|slot| !f.covers(slot, &self.axis))
            })
            .map(|f| f.role.words())
            .collect();
        for words in lagging {
            let message = format!("{words} lags behind: chunks are told without it");
            self.notice(&waiting.base, message);
        }
    }

    fn tell(&mut self, waiting: Waiting) {
        let Waiting {
            news,
            mark,
            base,
            slot,
            each,
            ..
        } = waiting;
        match news {
            News::Notice(message) => {
                let behind = Behind {
                    mark: Some(mark),
                    ..Behind::default()
                };
                self.push(SourceItem::Notice(notice(&base, message)), behind);
            }
            News::SlidOut { sequence, count } => {
                let last = sequence.saturating_add(count - 1);
                let which = match count {
                    1 => format!("chunk number {sequence}"),
                    _ => format!("chunks number {sequence} to {last}"),
                };
                let message =
                    format!("{which} left the live playlist before it was loaded ({count})");
                let position = self.head.next_position;
                let item = missing(position, count, Some(each), base.to_string(), message);
                let item = SourceItem::Missing(item);
                let behind = Behind {
                    next_position: Some(position + count),
                    mark: Some(mark),
                    parts: Some(None),
                    ..self.pass(slot)
                };
                self.push(item, behind);
            }
            News::Chunk(segment) => {
                if self.options.parts && self.tell_parts_of(&base, &segment, &mark, &slot) {
                    return;
                }
                self.tell_chunk(&base, segment, mark, slot);
            }
            News::Again(segment) => self.tell_again(&base, segment, mark),
        }
    }

    /// What lies behind a chunk that is missing, for other renditions.
    fn pass(&mut self, slot: Option<Slot>) -> Behind {
        if let Some(slot) = &slot {
            for follower in &mut self.followers {
                follower.pass(slot, &self.axis);
            }
        }
        Behind {
            followed: self.followed(),
            slot,
            ..Behind::default()
        }
    }

    fn followed(&self) -> Option<Vec<super::follow::FollowMark>> {
        let marks = self.followers.iter().map(|follower| follower.mark());
        (!self.followers.is_empty()).then(|| marks.collect())
    }

    /// The next chunk.
    fn tell_chunk(&mut self, base: &Url, segment: Segment, mark: Mark, slot: Option<Slot>) {
        let position = self.head.next_position;
        let (cues, mut behind) = self.cues(&segment);
        let made = resource::resources(base, &segment);
        let item = match made {
            Ok((media, init)) => {
                let (audio, cut_from) = self.renditions(base, slot.as_ref());
                self.remember(
                    &segment,
                    Some(position),
                    (&audio, &cut_from, &cues),
                    &mut behind,
                );
                behind.followed = self.followed();
                behind.slot = slot;
                let chunk = self.chunk(&segment, position, (media, init));
                SourceItem::Chunk(ChunkRef {
                    audio,
                    cut_from,
                    cues,
                    ..chunk
                })
            }
            Err(reason) => {
                self.remember(&segment, Some(position), (&[], &None, &cues), &mut behind);
                let passed = self.pass(slot);
                (behind.slot, behind.followed) = (passed.slot, passed.followed);
                unread(base, &segment, position, &reason, cues)
            }
        };
        behind.next_position = Some(position + 1);
        behind.mark = Some(mark);
        self.push(item, behind);
    }

    /// What other renditions have for a chunk.
    fn renditions(
        &mut self,
        base: &Url,
        slot: Option<&Slot>,
    ) -> (Vec<Rendition>, Option<Box<Rendition>>) {
        let (mut audio, mut cut_from) = (Vec::new(), None);
        let mut notices = Vec::new();
        for follower in &mut self.followers {
            let Some(slot) = slot else { continue };
            let (rendition, told) = follower.attach(slot, &self.axis);
            notices.extend(told);
            match follower.role {
                Role::Audio { .. } => audio.extend(rendition),
                Role::Cut => cut_from = rendition.map(Box::new),
            }
        }
        for message in notices {
            self.notice(base, message);
        }
        (audio, cut_from)
    }

    fn remember(
        &self,
        segment: &Segment,
        position: Option<u64>,
        (audio, cut_from, cues): (&[Rendition], &Option<Box<Rendition>>, &[Cue]),
        behind: &mut Behind,
    ) {
        let sequence = segment.sequence;
        behind.recent = self.window.identity(sequence).map(|identity| Recent {
            sequence,
            position,
            identity: identity.clone(),
            audio: audio.to_vec(),
            cut_from: cut_from.clone(),
            cues: cues.to_vec(),
        });
    }

    /// A chunk that was replaced, or that is there at last, at its old position.
    fn tell_again(&mut self, base: &Url, segment: Segment, mark: Mark) {
        let sequence = segment.sequence;
        let mut recent = self.head.recent.iter();
        let told = recent.find(|told| told.sequence == sequence).cloned();
        let near = |position: u64| {
            position.saturating_add(self.options.late_window) >= self.head.next_position
        };
        let position = told.as_ref().and_then(|told| told.position);
        let (Some(told), Some(position)) = (told, position.filter(|position| near(*position)))
        else {
            let message = format!(
                "number {sequence} changed too late: more than {} chunks were read after it",
                self.options.late_window
            );
            return self.notice(base, message);
        };
        let mut behind = Behind {
            mark: Some(mark),
            ..Behind::default()
        };
        let (audio, cut_from) = (told.audio, told.cut_from);
        let cues = told.cues;
        self.remember(
            &segment,
            Some(position),
            (&audio, &cut_from, &cues),
            &mut behind,
        );
        let item = match resource::resources(base, &segment) {
            Ok(resources) => SourceItem::Chunk(ChunkRef {
                audio,
                cut_from,
                cues,
                ..self.chunk(&segment, position, resources)
            }),
            Err(reason) => unread(base, &segment, position, &reason, cues),
        };
        self.push(item, behind);
    }

    fn chunk(
        &self,
        segment: &Segment,
        position: u64,
        (media, init): (Resource, Option<Resource>),
    ) -> ChunkRef {
        let container = container_of(&media, init.is_some(), false);
        ChunkRef {
            init,
            declared_duration: segment.duration,
            discontinuity: segment.discontinuity,
            program_date_time: segment.program_date_time,
            ..ChunkRef::new(self.name.clone(), Position(position), media, container)
        }
    }

    /// The cues that are told with a chunk: its own, and ranges of dates that it is in or after.
    fn cues(&self, segment: &Segment) -> (Vec<Cue>, Behind) {
        let mut behind = Behind::default();
        let mut cues = Vec::new();
        let mut in_break = self.head.in_break;
        for cue in &segment.cues {
            let continued = cue.attributes.contains_key(CONTINUED);
            // That a break goes on is news only to who was not there when it began.
            if !(continued && in_break) {
                cues.push(cue.clone());
            }
            match cue.kind {
                CueKind::Out => in_break = true,
                CueKind::In => in_break = false,
                CueKind::DateRange | CueKind::Scte35 => {}
            }
        }
        behind.in_break = (in_break != self.head.in_break).then_some(in_break);
        let date = segment.program_date_time;
        let length = segment.duration.map_or(0, |d| d.to_ticks(1_000_000));
        let end = date.map(|date| date.saturating_add(length));
        for (before, range) in &self.ranges {
            let matchcut_model::cue::CueTime::Utc(start) = range.cue.at else {
                continue;
            };
            let due = match end {
                Some(end) => start < end,
                None => *before <= segment.sequence,
            };
            let told = (hash(&[range.id.as_bytes()]), range.fingerprint);
            if due && !self.head.has_told_range(told, start, date) {
                behind.ranges.push(told);
                cues.push(range.cue.clone());
            }
        }
        (cues, behind)
    }

    /// Tells a chunk by its parts, where it has some. False: it is told as a whole.
    fn tell_parts_of(
        &mut self,
        base: &Url,
        segment: &Segment,
        mark: &Mark,
        slot: &Option<Slot>,
    ) -> bool {
        let begun = self
            .head
            .parts
            .filter(|(sequence, ..)| *sequence == segment.sequence);
        let (told, length) = begun.map_or((0, MediaTime::ZERO), |(_, told, length)| (told, length));
        if !self.followers.is_empty() || (segment.parts.is_empty() && told == 0) {
            return false;
        }
        if segment.key.is_some() && told == 0 {
            return false;
        }
        let mut closed = Behind {
            mark: Some(mark.clone()),
            slot: slot.clone(),
            parts: Some(None),
            ..Behind::default()
        };
        self.remember(segment, None, (&[], &None, &[]), &mut closed);
        if segment.parts.len() as u64 <= told {
            let whole = segment.parts.len() as u64 == told;
            let rest = segment.duration.map(|d| d - length);
            if !whole && rest.is_none_or(|rest| rest > MediaTime::ZERO) {
                let position = self.head.next_position;
                let message = format!(
                    "the last parts of chunk number {} left the playlist before they were loaded",
                    segment.sequence
                );
                let item = missing(position, 1, rest, base.to_string(), message);
                let item = SourceItem::Missing(item);
                let next_position = Some(position + 1);
                self.push(
                    item,
                    Behind {
                        next_position,
                        ..closed
                    },
                );
            } else {
                // Nothing to tell; the next item moves on.
                self.head.pass(closed, self.options.late_window);
            }
            return true;
        }
        self.tell_parts(base, segment, told, Some(closed));
        true
    }

    /// Tells the parts of a chunk that is not whole yet; says whether there were new ones.
    pub(super) fn tell_open(&mut self, base: &Url, playlist: &MediaPlaylist) -> bool {
        let Some(open) = &playlist.open else {
            return false;
        };
        // After a restart or in an old copy, it is not the next one.
        if self.window.next() != Some(open.sequence) || open.key.is_some() {
            return false;
        }
        let begun = self
            .head
            .parts
            .filter(|(sequence, ..)| *sequence == open.sequence);
        let told = begun.map_or(0, |(_, told, _)| told);
        if open.parts.len() as u64 <= told {
            return false;
        }
        let mut open = open.clone();
        open.program_date_time = open.program_date_time.or(match open.discontinuity {
            true => None,
            false => self.head.mark.date,
        });
        self.tell_parts(base, &open, told, None);
        true
    }

    /// Tells the parts after the first `told`; `closed` is what the last one leaves behind.
    fn tell_parts(&mut self, base: &Url, segment: &Segment, told: u64, closed: Option<Behind>) {
        let mut length: MediaTime = MediaTime::ZERO;
        let count = segment.parts.len();
        for (index, part) in segment.parts.iter().enumerate() {
            let before = length;
            length += part.duration.unwrap_or_default();
            if (index as u64) < told {
                continue;
            }
            let (cues, mut behind) = match index {
                0 => self.cues(segment),
                _ => Default::default(),
            };
            let position = self.head.next_position;
            behind.next_position = Some(position + 1);
            behind.parts = Some(Some((segment.sequence, index as u64 + 1, length)));
            if let (Some(closed), true) = (&closed, index + 1 == count) {
                behind.mark.clone_from(&closed.mark);
                behind.recent.clone_from(&closed.recent);
                behind.slot.clone_from(&closed.slot);
                behind.parts = Some(None);
            }
            let item = self.part(base, segment, part, position, (index == 0, before), cues);
            self.push(item, behind);
        }
    }

    fn part(
        &self,
        base: &Url,
        segment: &Segment,
        part: &Part,
        position: u64,
        (first, before): (bool, MediaTime),
        cues: Vec<Cue>,
    ) -> SourceItem {
        let after = before.to_ticks(1_000_000);
        let segment = Segment {
            line: part.line,
            uri: part.uri.clone(),
            duration: part.duration,
            discontinuity: segment.discontinuity && first,
            program_date_time: segment
                .program_date_time
                .map(|date| date.saturating_add(after)),
            ..segment.clone()
        };
        match resource::part(base, &segment, part) {
            Ok(resources) => SourceItem::Chunk(ChunkRef {
                cues,
                ..self.chunk(&segment, position, resources)
            }),
            Err(reason) => unread(base, &segment, position, &reason, cues),
        }
    }
}

fn unread(
    base: &Url,
    segment: &Segment,
    position: u64,
    reason: &str,
    cues: Vec<Cue>,
) -> SourceItem {
    let input = crate::uri::resolve(base, &segment.uri);
    let input = input.map_or(segment.uri.clone(), Url::into);
    let message = format!("not read: {reason} (line {} of {base})", segment.line);
    SourceItem::Missing(Missing {
        cues,
        program_date_time: segment.program_date_time,
        ..missing(position, 1, segment.duration, input, message)
    })
}

fn missing(
    position: u64,
    count: u64,
    each: Option<MediaTime>,
    input: String,
    message: String,
) -> Missing {
    let position = Position(position);
    let failure = Failure {
        position: Some(position),
        input,
        operator: None,
        message,
        domain: Domain::External,
        retry: Retry::No,
    };
    Missing::new(position, count, each, failure)
}

/// What a notice says of a playlist.
fn notice(url: &Url, message: String) -> Failure {
    Failure {
        position: None,
        input: url.to_string(),
        operator: None,
        message,
        domain: Domain::External,
        retry: Retry::No,
    }
}
