//! `scoreboard_text`: finds the score box that broadcasters lay over the picture, reads it, and tells
//! the score of tennis and soccer. Reading is done by Tesseract, and only where a box has changed.

mod find;
mod fold;
mod image;
mod ocr;
mod page;
mod scan;
mod soccer;
mod tennis;
mod tokens;

use std::sync::Arc;

use matchcut_model::observation::Class;
use matchcut_model::time::{FrameRate, MediaTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::fold::BoardFold;
use self::image::Area;
use self::ocr::Tesseract;
use self::scan::{BoardScanner, HEIGHT, WIDTH};
use crate::sdk::{
    AttributeKind, AttributeSpec, Description, EdgeKind, FoldBox, InputRule, Operator,
    OperatorType, OptionError, Options, SETTLE, options_of, parse_options, text_duration,
};

/// How a box is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Sport {
    /// Two lines: name, games of each set, points.
    Tennis,
    /// Names, goals, clock.
    Soccer,
    /// The text as it was read.
    Text,
}

/// Options of `scoreboard_text`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ScoreboardOptions {
    /// How the box is understood: `tennis`, `soccer`, or `text` for its text as it was read (give its
    /// `region` then).
    sport: Sport,
    /// Where the box is, as shares of the picture: left, top, width, height, for example
    /// [0.09, 0.82, 0.25, 0.12]. Looked for when left out: what stays put while the picture moves.
    region: Option<[f64; 4]>,
    /// How many pictures a second are looked at. Only what has changed is read again.
    rate: u32,
    /// A score counts when it was read so often in a row; once is enough when it was read surely and
    /// one point or goal leads to it.
    votes: u32,
    /// While the score stays, it is told again this often.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    every: MediaTime,
    /// Tennis: the match is the best of so many sets, 3 or 5. Says when a point is a match point.
    best_of: u8,
    /// The program that reads: Tesseract 4 or later.
    program: String,
    /// The language that Tesseract reads, such as `eng` or `eng+fra`. Each needs a package of its own.
    language: String,
    /// Reading one box may take this long.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    timeout: MediaTime,
}

impl Default for ScoreboardOptions {
    fn default() -> Self {
        ScoreboardOptions {
            sport: Sport::Tennis,
            region: None,
            rate: 2,
            votes: 2,
            every: MediaTime::from_seconds(1),
            best_of: 3,
            program: "tesseract".to_owned(),
            language: "eng".to_owned(),
            timeout: MediaTime::from_seconds(5),
        }
    }
}

/// The operator type `scoreboard_text`.
pub(crate) struct ScoreboardText;

impl OperatorType for ScoreboardText {
    fn describe(&self) -> Description {
        let attribute = |name, kind, description| AttributeSpec {
            name,
            kind,
            description,
        };
        let text = |name, description| attribute(name, AttributeKind::Text, description);
        let number = |name, description| attribute(name, AttributeKind::Number, description);
        let flag = |name, description| attribute(name, AttributeKind::Boolean, description);
        Description {
            name: "scoreboard_text",
            class: Class::Featurer,
            summary: "The score that a box in the picture says: a point where it changes, and again \
                and again while it stays. Needs Tesseract.",
            inputs: vec![InputRule::one(EdgeKind::Video)],
            attributes: vec![
                text(
                    "score",
                    "tennis: sets, games and points, as 6-3 1-0 40-AD; soccer: goals, as 2-1; else \
                     the text of the box, lines parted by |",
                ),
                text("name_1", "who stands first in the box"),
                text("name_2", "who stands second"),
                text(
                    "points_1",
                    "points of the first: 0, 15, 30, 40, AD, of a tie-break, or goals",
                ),
                text("points_2", "points of the second"),
                number(
                    "games_1",
                    "tennis: games of the first in the set that is played",
                ),
                number("games_2", "tennis: games of the second"),
                number("sets_1", "tennis: sets that the first has won"),
                number("sets_2", "tennis: sets that the second has won"),
                number(
                    "server",
                    "tennis: who serves, 1 or 2, where the box marks it",
                ),
                text("clock", "soccer: the clock, as 04:56 or 45+2"),
                number(
                    "clock_s",
                    "soccer: the clock in seconds, added time included",
                ),
                number("confidence", "how surely the numbers were read, 0 to 100"),
                flag("score_change", "true where the score has changed"),
                number(
                    "won_by",
                    "where the score has changed by one point, game or goal: whose, 1 or 2",
                ),
                flag("game", "tennis: true where a game was won"),
                flag("set", "tennis: true where a set was won"),
                flag(
                    "game_point",
                    "tennis: whether the next point may win the game for who serves (for either \
                     side where the server is not known)",
                ),
                flag(
                    "break_point",
                    "tennis: whether the next point may win the game against the serve",
                ),
                flag(
                    "set_point",
                    "tennis: whether the next point may win the set",
                ),
                flag(
                    "match_point",
                    "tennis: whether the next point may win the match",
                ),
            ],
            options: options_of::<ScoreboardOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: ScoreboardOptions = parse_options(options)?;
        let mut errors = Vec::new();
        let mut wrong =
            |option: &str, message: String| errors.push(OptionError::new(option, message));
        let region = options.region.map(|region| (region, area(region)));
        if let Some((region, None)) = region {
            wrong(
                "region",
                format!(
                    "{region:?} is no part of a picture: left, top, width and height are shares of \
                     it, for example [0.09, 0.82, 0.25, 0.12]"
                ),
            );
        }
        if !(1..=10).contains(&options.rate) {
            wrong("rate", "not between 1 and 10 pictures a second".to_owned());
        } else if options.votes == 0
            || MediaTime::from_ticks(i64::from(options.votes) - 1, options.rate) > SETTLE
        {
            let most = options.rate + 1;
            wrong(
                "votes",
                format!("not between 1 and {most}: they must come within a second"),
            );
        }
        if options.every < MediaTime::from_millis(100) {
            wrong("every", "less than 0.1 s".to_owned());
        }
        if !matches!(options.best_of, 1 | 3 | 5) {
            wrong(
                "best_of",
                format!("{} is not 1, 3 or 5 sets", options.best_of),
            );
        }
        for (name, value) in [
            ("program", &options.program),
            ("language", &options.language),
        ] {
            if value.trim().is_empty() || value.starts_with('-') {
                wrong(name, format!("\"{value}\" is no {name}"));
            }
        }
        let limit = MediaTime::from_millis(100)..=MediaTime::from_seconds(60);
        if !limit.contains(&options.timeout) {
            wrong("timeout", "not between 0.1 s and 60 s".to_owned());
        }
        let Some(rate) = FrameRate::new(options.rate, 1).filter(|_| errors.is_empty()) else {
            return Err(errors);
        };
        let reader = Tesseract {
            program: options.program,
            language: options.language,
            timeout: std::time::Duration::from_millis(options.timeout.to_millis().unsigned_abs()),
        };
        Ok(Operator::Video {
            scanner: Arc::new(BoardScanner {
                rate,
                region: region.and_then(|(_, area)| area),
                reader: Arc::new(reader),
            }),
            fold: FoldBox::new(BoardFold {
                sport: options.sport,
                votes: options.votes,
                every: options.every,
                sets_to_win: options.best_of / 2 + 1,
            }),
        })
    }
}

/// A region of shares in pixels, where it is a part of the picture that holds a line of text.
fn area([left, top, width, height]: [f64; 4]) -> Option<Area> {
    let share = |value: f64| (0.0..=1.0).contains(&value);
    if ![left, top, width, height, left + width, top + height]
        .into_iter()
        .all(share)
    {
        return None;
    }
    let across = |share: f64| (share * f64::from(WIDTH)).round() as usize;
    let down = |share: f64| (share * f64::from(HEIGHT)).round() as usize;
    let area = Area {
        left: across(left),
        top: down(top),
        right: across(left + width),
        bottom: down(top + height),
    };
    (area.width() >= 16 && area.height() >= 12).then_some(area)
}

#[cfg(test)]
mod tests;
