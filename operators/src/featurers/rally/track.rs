//! Which of the balls that were seen is the one that is played: one that could have come from where it was
//! before, and none that has lain in one place for a while.

use matchcut_model::time::MediaTime;

use super::look::{Area, Look, Place, Player, UNIT};

/// A ball that was not seen for longer may be anywhere.
pub(super) const LOST: MediaTime = MediaTime::from_millis(500);

/// What stays in one place for so long rests.
const RESTS: MediaTime = MediaTime::from_seconds(1);

/// What rests moves less than this.
const STILL: f64 = 0.004 * UNIT as f64;

/// Places that are remembered.
const MOST_PLACES: usize = 128;

/// Players that were seen so long ago may stand elsewhere.
const PLAYERS: MediaTime = MediaTime::from_millis(500);

/// Looks that follow each other more closely are one.
const LEAST: MediaTime = MediaTime::from_millis(4);

pub(super) struct Tracking {
    /// In units a second.
    pub(super) max_speed: f64,
    /// How far from a player a ball may be that he hits.
    pub(super) reach: i64,
    pub(super) net: Option<Area>,
}

/// The ball at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) time: MediaTime,
    pub(super) place: Place,
    /// Whether it is another one than before, or was not seen for too long to tell how it came here.
    pub(super) fresh: bool,
    /// The closest player; `None` where none was seen.
    pub(super) player: Option<Closest>,
}

/// The closest player to the ball.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Closest {
    /// Whether he can reach it.
    pub(super) close: bool,
    /// Whether the ball is as low as his feet.
    pub(super) at_feet: bool,
    /// Whether he stands at the net.
    pub(super) at_net: bool,
}

/// Somewhere a ball was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Spot {
    place: Place,
    since: MediaTime,
    last: MediaTime,
}

/// What is known of ball and players.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tracker {
    /// The last look of all.
    looked: Option<MediaTime>,
    ball: Option<(MediaTime, Place)>,
    spots: Vec<Spot>,
    players: Vec<Player>,
    players_at: MediaTime,
}

/// What a look tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) ball: Option<Sample>,
    /// Whether a player is at the net; `None` where no player was seen.
    pub(super) at_net: Option<bool>,
}

impl Tracker {
    /// Takes a look. One that is not later than the one before it tells nothing.
    pub(super) fn look(&mut self, look: &Look, tracking: &Tracking) -> Seen {
        let at = look.time;
        if self.looked.is_some_and(|looked| at < looked + LEAST) {
            return Seen::default();
        }
        self.looked = Some(at);
        let stands = |player: &Player| tracking.net.is_some_and(|net| player.stands_in(net));
        let at_net = match look.players.is_empty() {
            true => None,
            false => Some(look.players.iter().any(stands)),
        };
        if !look.players.is_empty() {
            self.players.clone_from(&look.players);
            self.players_at = at;
        } else if at - self.players_at > PLAYERS {
            self.players.clear();
        }
        let ball = self.choose(look, tracking).map(|place| {
            let fresh = self.ball.is_none();
            self.ball = Some((at, place));
            let mut closest: Option<(f64, &Player)> = None;
            for player in &self.players {
                let distance = player.distance(place);
                if closest.is_none_or(|(least, _)| distance < least) {
                    closest = Some((distance, player));
                }
            }
            Sample {
                time: at,
                place,
                fresh,
                player: closest.map(|(distance, player)| Closest {
                    close: distance <= tracking.reach as f64,
                    at_feet: player.at_feet(place),
                    at_net: stands(player),
                }),
            }
        });
        Seen { ball, at_net }
    }

    fn choose(&mut self, look: &Look, tracking: &Tracking) -> Option<Place> {
        let at = look.time;
        self.spots.retain(|spot| at - spot.last <= RESTS);
        let mut moving = Vec::new();
        for ball in &look.balls {
            let spot = self.spots.iter_mut();
            let spot = spot
                .into_iter()
                .find(|spot| spot.place.distance(*ball) <= STILL);
            match spot {
                Some(spot) => {
                    spot.last = at;
                    if at - spot.since < RESTS {
                        moving.push(*ball);
                    } else if self
                        .ball
                        .is_some_and(|(_, last)| last.distance(*ball) <= STILL)
                    {
                        // It was taken for the ball.
                        self.ball = None;
                    }
                }
                None => {
                    moving.push(*ball);
                    self.spots.push(Spot {
                        place: *ball,
                        since: at,
                        last: at,
                    });
                }
            }
        }
        let too_many = self.spots.len().saturating_sub(MOST_PLACES);
        self.spots.drain(..too_many);
        self.ball = self.ball.filter(|(seen, _)| at - *seen <= LOST);
        match self.ball {
            Some((seen, last)) => {
                let reach = (at - seen).as_seconds_f64() * tracking.max_speed + STILL;
                moving.into_iter().find(|ball| ball.distance(last) <= reach)
            }
            None => moving.into_iter().next(),
        }
    }
}
