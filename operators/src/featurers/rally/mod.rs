//! `rally`: what the ball does, from its places in the pictures and those of the players: when it is in
//! play, hits, bounces, and volleys. It looks at no picture itself; a model that finds balls and players
//! does.

mod fold;
mod look;
mod play;
#[cfg(test)]
mod real;
#[cfg(test)]
mod tests;
mod track;
mod turn;

use matchcut_model::observation::Class;
use matchcut_model::time::MediaTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::fold::RallyFold;
use self::look::{Area, Reading, UNIT};
use self::play::Playing;
use self::track::Tracking;
use self::turn::Turning;
use crate::sdk::{
    AttributeKind, AttributeSpec, Description, EdgeKind, FoldBox, InputRule, Operator,
    OperatorType, OptionError, Options, options_of, parse_options, text_duration,
};

/// Options of `rally`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct RallyOptions {
    /// Labels of boxes that are the ball.
    ball: Vec<String>,
    /// Labels of boxes that are players.
    players: Vec<String>,
    /// Boxes of which the model is less sure are passed over.
    min_confidence: f64,
    /// The shape of the picture, so that distances across and down are measured alike.
    aspect: String,
    /// Nothing is the ball that would have moved faster, in widths of the picture a second.
    max_speed: f64,
    /// A slower ball does not move, in widths of the picture a second.
    min_speed: f64,
    /// The least sudden change of its speed and direction that is a hit or a bounce, in widths of the
    /// picture a second.
    min_change: f64,
    /// How far from a player's box a ball may be that he hits, in widths of the picture.
    reach: f64,
    /// The ball stays in play for so long after it was last seen moving.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    hold: MediaTime,
    /// Shorter rallies are left out, without `hold`.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    min_duration: MediaTime,
    /// Rallies with fewer hits are left out.
    min_hits: u32,
    /// Where a player's feet are when he is at the net, as shares of the picture: left, top, right,
    /// bottom, for example [0.25, 0.4, 0.75, 0.7]. Volleys and players at the net are told when it is
    /// given.
    net: Option<[f64; 4]>,
}

impl Default for RallyOptions {
    fn default() -> Self {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        RallyOptions {
            ball: texts(&["ball", "sports ball"]),
            players: texts(&["player", "person"]),
            min_confidence: 0.3,
            aspect: "16:9".to_owned(),
            max_speed: 3.0,
            min_speed: 0.1,
            min_change: 0.2,
            reach: 0.05,
            hold: MediaTime::from_seconds(1),
            min_duration: MediaTime::from_seconds(1),
            min_hits: 0,
            net: None,
        }
    }
}

/// The operator type `rally`.
pub(crate) struct Rally;

impl OperatorType for Rally {
    fn describe(&self) -> Description {
        let attribute = |name, kind, description| AttributeSpec {
            name,
            kind,
            description,
        };
        let number = |name, description| attribute(name, AttributeKind::Number, description);
        let flag = |name, description| attribute(name, AttributeKind::Boolean, description);
        Description {
            name: "rally",
            class: Class::Featurer,
            summary: "What the ball does, from boxes of ball and players: ranges in which it is in play, \
                points at hits and bounces, volleys.",
            inputs: vec![InputRule::some(EdgeKind::Observations)],
            attributes: vec![
                flag("rally", "true: the ball is in play in this range"),
                number("hits", "how often it was hit in the rally"),
                number("bounces", "how often it bounced"),
                number(
                    "volleys",
                    "how many of the hits were volleys, where `net` is given",
                ),
                flag("hit", "true: the ball is hit at this moment"),
                flag("bounce", "true: it bounces at this moment"),
                flag(
                    "volley",
                    "true on a hit: by a player at the net, and the ball has not bounced since the hit \
                     before; where `net` is given",
                ),
                flag("at_net", "true: a player is at the net in this range"),
                number(
                    "turn",
                    "of a hit or bounce: by how many degrees the ball changes its direction",
                ),
                number(
                    "speed",
                    "of the ball, in widths of the picture a second: after a hit or bounce, and the \
                     greatest of a rally",
                ),
                number(
                    "x",
                    "of a hit or bounce: where, as a share of the picture's width",
                ),
                number("y", "as a share of its height"),
            ],
            options: options_of::<RallyOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: RallyOptions = parse_options(options)?;
        let mut errors = Vec::new();
        let mut wrong =
            |option: &str, message: &str| errors.push(OptionError::new(option, message));
        if options.ball.is_empty() {
            wrong("ball", "at least one label");
        }
        if let Some(both) = options
            .ball
            .iter()
            .find(|one| options.players.contains(one))
        {
            wrong(
                "players",
                &format!("\"{both}\" is a label of the ball, too"),
            );
        }
        if !(0.0..=1.0).contains(&options.min_confidence) {
            wrong("min_confidence", "a number from 0 to 1");
        }
        if !(0.0..=20.0).contains(&options.max_speed) {
            wrong(
                "max_speed",
                "not between 0 and 20 widths of the picture a second",
            );
        }
        if !(0.001..=options.max_speed.max(0.001)).contains(&options.min_speed) {
            wrong("min_speed", "not between 0.001 and `max_speed`");
        }
        if !(0.001..=20.0).contains(&options.min_change) {
            wrong(
                "min_change",
                "not between 0.001 and 20 widths of the picture a second",
            );
        }
        if !(0.0..=1.0).contains(&options.reach) {
            wrong("reach", "a share of the picture's width, from 0 to 1");
        }
        let times = MediaTime::ZERO..=MediaTime::from_seconds(60);
        if !times.contains(&options.hold) || options.hold < MediaTime::from_millis(100) {
            wrong("hold", "not between 0.1 and 60 s");
        }
        if !times.contains(&options.min_duration) {
            wrong("min_duration", "not between 0 and 60 s");
        }
        let side = |text: &str| {
            text.trim()
                .parse()
                .ok()
                .filter(|n| (1..=10_000).contains(n))
        };
        let sides = options.aspect.split_once(':');
        let aspect: Option<(i64, i64)> = sides.and_then(|(a, b)| Some((side(a)?, side(b)?)));
        if aspect.is_none() {
            wrong("aspect", "two numbers expected, such as 16:9");
        }
        let net = options.net.map(|net| {
            let [left, top, right, bottom] = net;
            let inside = net.iter().all(|share| (0.0..=1.0).contains(share));
            if !inside || left >= right || top >= bottom {
                wrong(
                    "net",
                    "left, top, right and bottom are shares of the picture, such as \
                     [0.25, 0.4, 0.75, 0.7]",
                );
            }
            Area(net.map(|share| (share * UNIT as f64) as i64))
        });
        let Some(aspect) = aspect.filter(|_| errors.is_empty()) else {
            return Err(errors);
        };
        let units = |widths: f64| widths * UNIT as f64;
        Ok(Operator::Fold(FoldBox::new(RallyFold {
            reading: Reading {
                ball: options.ball,
                players: options.players,
                min_confidence: options.min_confidence,
                aspect,
            },
            tracking: Tracking {
                max_speed: units(options.max_speed),
                reach: units(options.reach) as i64,
                net,
            },
            turning: Turning {
                min_speed: units(options.min_speed),
                min_change: units(options.min_change),
            },
            playing: Playing {
                hold: options.hold,
                min_duration: options.min_duration,
                min_hits: options.min_hits,
                net: net.is_some(),
            },
        })))
    }
}
