//! One stream from two pipelines: which chunk comes next, and from which of them. Pure; the playlists are
//! loaded elsewhere. Chunks are the same when they begin at the same time: pipelines of a channel encode the
//! same input, and their numbers part when one of them starts again.

use std::time::Duration;

use matchcut_model::time::MediaTime;

use crate::compose::{Block, Ledger};
use crate::hls::HlsCursor;

/// Chunks of a pipeline that are remembered.
const LATEST: usize = 256;

/// What a pipeline offers.
#[derive(Clone, Debug, Default)]
pub(super) struct Offer {
    /// Its chunks, with absolute addresses.
    pub blocks: Vec<Block>,
    /// The longest chunk, as its playlist says.
    pub target: MediaTime,
    /// It says that nothing more comes.
    pub complete: bool,
}

/// The stream that is made of them.
#[derive(Debug)]
pub(super) struct Merge {
    ledger: Ledger,
    /// The one that chunks come from.
    current: usize,
    /// Whether there are two.
    both: bool,
    take_over: Duration,
    /// Since when something has been waited for.
    since: Option<Duration>,
    /// Since when there has been nothing new at all.
    silent: Option<Duration>,
    /// The last chunks of each pipeline.
    latest: [Vec<Block>; 2],
}

/// What to do next.
enum Next {
    Take(usize, Block),
    Wait,
    Nothing,
}

impl Merge {
    /// Goes on where `cursor` stands. `read` says which pipelines are read.
    pub(super) fn new(cursor: &HlsCursor, read: [bool; 2], take_over: Duration) -> Self {
        Merge {
            ledger: Ledger::resume(cursor),
            current: usize::from(!read[0]),
            both: read == [true, true],
            take_over,
            since: None,
            silent: None,
            latest: Default::default(),
        }
    }

    /// The address of the same chunk of the other pipeline.
    pub(super) fn instead_of(&self, uri: &str) -> Option<String> {
        let [first, second] = &self.latest;
        let (own, others) = match first.iter().find(|block| block.uri == uri) {
            Some(own) => (own, second),
            None => (second.iter().find(|block| block.uri == uri)?, first),
        };
        let same = |twin: &&Block| {
            let apart = twin.start.zip(own.start).map(|(a, b)| a.abs_diff(b));
            apart.is_some_and(|apart| i64::try_from(apart).is_ok_and(|apart| apart < own.half()))
        };
        others.iter().find(same).map(|twin| twin.uri.clone())
    }

    /// The playlist of the stream.
    pub(super) fn text(&mut self) -> String {
        self.ledger.text()
    }

    /// The next chunk of a pipeline.
    fn next_of<'a>(&self, offer: Option<&'a Offer>, index: usize) -> Option<&'a Block> {
        let edge = self.ledger.edge();
        let mut blocks = offer?.blocks.iter();
        blocks.find(|block| match (block.start, edge) {
            (Some(start), Some(edge)) => start >= edge.saturating_sub(block.half()),
            (Some(_), None) => !self.ledger.knows(&block.uri),
            // Without dates there is nothing to compare two pipelines by.
            (None, _) => index == self.current && !self.ledger.knows(&block.uri),
        })
    }

    fn next(&self, offers: &[Option<Offer>; 2], waited: bool) -> Next {
        let (here, there) = (self.current, 1 - self.current);
        let of = |index: usize| self.next_of(offers[index].as_ref(), index);
        let (own, other) = (of(here), of(there).filter(|_| self.both));
        let follows = |block: &Block| match (block.start, self.ledger.edge()) {
            (Some(start), Some(edge)) => start <= edge.saturating_add(block.half()),
            _ => true,
        };
        // Who may still come with what is missing.
        let alive = |index: usize| {
            let complete = offers[index].as_ref().is_some_and(|offer| offer.complete);
            self.both && !complete
        };
        match (own, other) {
            (Some(own), _) if follows(own) && !self.ledger.is_empty() => {
                Next::Take(here, own.clone())
            }
            // The one that has been there longer begins.
            (Some(own), Some(other)) => match (own.start, other.start) {
                (Some(a), Some(b)) if b < a.saturating_sub(own.half()) => {
                    Next::Take(there, other.clone())
                }
                _ => Next::Take(here, own.clone()),
            },
            (Some(own), None) if follows(own) => Next::Take(here, own.clone()),
            (Some(_), None) if alive(there) && !waited => Next::Wait,
            (Some(own), None) => Next::Take(here, own.clone()),
            (None, Some(_)) if alive(here) && !waited => Next::Wait,
            (None, Some(other)) => Next::Take(there, other.clone()),
            (None, None) => Next::Nothing,
        }
    }

    /// Takes what there is at `now`; gives what there is to tell. `stopped` says that the channel does not
    /// run any more.
    pub(super) fn take(
        &mut self,
        offers: &[Option<Offer>; 2],
        now: Duration,
        stopped: bool,
    ) -> Vec<String> {
        let mut told = Vec::new();
        for offer in offers.iter().flatten() {
            self.ledger.target(offer.target);
        }
        for (latest, offer) in self.latest.iter_mut().zip(offers) {
            let blocks = offer.as_ref().map_or(&[][..], |offer| &offer.blocks);
            *latest = blocks.iter().rev().take(LATEST).cloned().collect();
        }
        if self.ledger.is_complete() {
            return told;
        }
        let over = |since: Option<Duration>| {
            since.is_some_and(|since| now.saturating_sub(since) >= self.take_over)
        };
        let mut waited = over(self.since);
        let silent = over(self.silent);
        let mut grew = false;
        loop {
            match self.next(offers, waited) {
                Next::Take(index, mut block) => {
                    let gap = self.ledger.edge().zip(block.start);
                    let gap =
                        gap.filter(|(edge, start)| *start > edge.saturating_add(block.half()));
                    if index != self.current {
                        told.push(self.taken_over(offers, index, gap.is_some()));
                        self.current = index;
                        waited = false;
                    }
                    if let Some((edge, start)) = gap {
                        let seconds = MediaTime::from_ticks(start - edge, 1_000_000);
                        told.push(format!("{seconds} s are missing before {}", block.uri));
                        block.discontinuity = true;
                        waited = false;
                    }
                    let key = block.uri.clone();
                    self.ledger.push(key, block);
                    self.since = None;
                    grew = true;
                }
                Next::Wait => {
                    self.since = self.since.or(Some(now));
                    break;
                }
                Next::Nothing => {
                    self.since = None;
                    break;
                }
            }
        }
        self.silent = match grew {
            true => None,
            false => self.silent.or(Some(now)),
        };
        let done = |index: usize| offers[index].as_ref().is_some_and(|offer| offer.complete);
        let all = done(self.current) && (!self.both || done(1 - self.current));
        let rest = (done(self.current) || stopped) && silent && !grew;
        if self.since.is_none() && (all || rest) {
            self.ledger.end();
        }
        told
    }

    fn taken_over(&self, offers: &[Option<Offer>; 2], index: usize, gap: bool) -> String {
        let left = 1 - index;
        let why = match &offers[left] {
            None => "has no playlist",
            Some(offer) if offer.complete => "has ended",
            Some(_) if gap => "has a gap",
            Some(offer) if offer.blocks.is_empty() => "has no chunk",
            Some(_) => "does not go on",
        };
        format!("pipeline {left} {why}: pipeline {index} takes over")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playlist::{self, Playlist, variables::Variables};
    use proptest::prelude::*;

    const SECOND: i64 = 1_000_000;

    /// A chunk of two seconds, the nth of its stream.
    fn block(pipeline: usize, n: i64) -> Block {
        Block {
            uri: format!("s3://b/{pipeline}/c_{n}.ts"),
            start: Some(1_700_000_000 * SECOND + n * 2 * SECOND),
            duration: MediaTime::from_seconds(2),
            ..Block::default()
        }
    }

    fn offer(pipeline: usize, numbers: impl IntoIterator<Item = i64>) -> Option<Offer> {
        Some(Offer {
            blocks: numbers.into_iter().map(|n| block(pipeline, n)).collect(),
            target: MediaTime::from_seconds(2),
            complete: false,
        })
    }

    fn ended(offer: Option<Offer>) -> Option<Offer> {
        offer.map(|offer| Offer {
            complete: true,
            ..offer
        })
    }

    fn merge() -> Merge {
        Merge::new(&HlsCursor::default(), [true, true], Duration::from_secs(20))
    }

    fn read(merge: &mut Merge) -> (Vec<String>, bool) {
        let text = merge.text();
        let parsed = playlist::parse_with("x", text.as_bytes(), true, &Variables::new());
        let Playlist::Media(playlist) = parsed.unwrap() else {
            panic!("{text}")
        };
        assert_eq!(playlist.problems, [], "{text}");
        let name = |uri: &str| {
            uri.trim_start_matches("s3://b/")
                .replace("/c_", ":")
                .replace(".ts", "")
        };
        let names = playlist.segments.iter().map(|segment| name(&segment.uri));
        (names.collect(), playlist.complete)
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_pipeline_that_stops_is_left_after_a_while() {
        let mut merge = merge();
        let told = merge.take(&[offer(0, 0..3), offer(1, 0..3)], at(0), false);
        assert_eq!(told, [""; 0]);
        // The second one is ahead of it for a while, which is usual.
        let both = [offer(0, 0..3), offer(1, 0..5)];
        assert_eq!(merge.take(&both, at(4), false), [""; 0]);
        assert_eq!(merge.take(&both, at(23), false), [""; 0]);
        assert_eq!(read(&mut merge).0, ["0:0", "0:1", "0:2"]);
        let told = merge.take(&both, at(24), false);
        assert_eq!(told, ["pipeline 0 does not go on: pipeline 1 takes over"]);
        assert_eq!(read(&mut merge).0, ["0:0", "0:1", "0:2", "1:3", "1:4"]);
        // A chunk that is listed and not there may be there twice.
        let other = merge.instead_of("s3://b/0/c_1.ts");
        assert_eq!(other.as_deref(), Some("s3://b/1/c_1.ts"));
        let other = merge.instead_of("s3://b/1/c_2.ts");
        assert_eq!(other.as_deref(), Some("s3://b/0/c_2.ts"));
        assert_eq!(merge.instead_of("s3://b/1/c_3.ts"), None);
        // It comes back: nobody goes back to it, and nothing comes twice.
        let both = [offer(0, (0..3).chain(4..9)), offer(1, 0..8)];
        assert_eq!(merge.take(&both, at(26), false), [""; 0]);
        assert_eq!(read(&mut merge).0[3..], ["1:3", "1:4", "1:5", "1:6", "1:7"]);
    }

    #[test]
    fn a_gap_of_one_is_filled_by_the_other_at_once() {
        let mut merge = merge();
        let told = merge.take(&[offer(0, [0, 1, 4, 5]), offer(1, 0..6)], at(0), false);
        assert_eq!(told, ["pipeline 0 does not go on: pipeline 1 takes over"]);
        let expected = ["0:0", "0:1", "1:2", "1:3", "1:4", "1:5"];
        assert_eq!(read(&mut merge).0, expected);
        // What both have lost is told when it is certain.
        let both = [offer(0, [6, 9]), offer(1, [9])];
        let told = merge.take(&both, at(1), false);
        assert_eq!(
            told,
            [
                "pipeline 1 does not go on: pipeline 0 takes over",
                "4.000 s are missing before s3://b/0/c_9.ts"
            ]
        );
    }

    #[test]
    fn one_that_has_ended_is_not_waited_for() {
        let mut merge = merge();
        merge.take(&[ended(offer(0, 0..2)), offer(1, 0..4)], at(0), false);
        assert_eq!(
            read(&mut merge),
            (
                ["0:0", "0:1", "1:2", "1:3"].map(str::to_owned).into(),
                false
            )
        );
        merge.take(
            &[ended(offer(0, 0..2)), ended(offer(1, 0..5))],
            at(2),
            false,
        );
        assert!(read(&mut merge).1);
    }

    #[test]
    fn a_channel_that_was_stopped_ends_it() {
        let mut merge = merge();
        merge.take(&[offer(0, 0..2), None], at(0), false);
        merge.take(&[offer(0, 0..2), None], at(30), false);
        assert!(!read(&mut merge).1);
        merge.take(&[offer(0, 0..3), None], at(31), true);
        merge.take(&[offer(0, 0..3), None], at(32), true);
        assert!(!read(&mut merge).1);
        merge.take(&[offer(0, 0..3), None], at(52), true);
        assert_eq!(
            read(&mut merge),
            (["0:0", "0:1", "0:2"].map(str::to_owned).into(), true)
        );
    }

    #[test]
    fn one_alone_waits_for_nobody() {
        let mut merge = Merge::new(&HlsCursor::default(), [false, true], at(20));
        let told = merge.take(&[None, offer(1, [0, 1, 3])], at(0), false);
        assert_eq!(told, ["2.000 s are missing before s3://b/1/c_3.ts"]);
        assert_eq!(read(&mut merge).0, ["1:0", "1:1", "1:3"]);
        merge.take(&[None, ended(offer(1, [0, 1, 3]))], at(1), false);
        assert!(read(&mut merge).1);
    }

    proptest! {
        /// Whatever each pipeline loses and however their playlists arrive: every chunk that one of them has
        /// comes once, in order, and keeps its number.
        #[test]
        fn what_one_of_them_has_comes_once(
            lost in prop::collection::vec((any::<bool>(), any::<bool>()), 12),
            steps in prop::collection::vec((0i64..4, 0i64..4), 1..10),
        ) {
            let mut merge = merge();
            let of = |pipeline: usize, until: i64| {
                let kept = (0..until.min(12)).filter(|n| {
                    let (a, b) = lost[*n as usize];
                    ![a, b][pipeline]
                });
                offer(pipeline, kept)
            };
            let (mut ends, mut seconds) = ([0, 0], 0);
            let mut before: Vec<String> = Vec::new();
            for (a, b) in steps {
                ends = [ends[0] + a, ends[1] + b];
                seconds += 3;
                merge.take(&[of(0, ends[0]), of(1, ends[1])], at(seconds), false);
                let now = read(&mut merge).0;
                prop_assert!(now.starts_with(&before), "{:?} {:?}", before, now);
                before = now;
            }
            merge.take(&[ended(of(0, 12)), ended(of(1, 12))], at(seconds + 1), false);
            let (names, complete) = read(&mut merge);
            prop_assert!(complete);
            prop_assert!(names.starts_with(&before));
            let numbers: Vec<i64> = names.iter().map(|n| n[2..].parse().unwrap()).collect();
            // A chunk that was passed over because the other one did not come in time stays out.
            let sorted = numbers.windows(2).all(|pair| pair[0] < pair[1]);
            prop_assert!(sorted, "{:?}", numbers);
            let there: Vec<i64> = (0..12).filter(|n| lost[*n as usize] != (true, true)).collect();
            if before.is_empty() {
                prop_assert_eq!(numbers, there);
            } else {
                prop_assert!(numbers.iter().all(|n| there.contains(n)));
            }
        }
    }
}
