//! What was said or seen, in lines by time: how a model is shown a piece of an event. Times are seconds
//! with one decimal there, and are led back to the exact times of the lines.

use matchcut_model::observation::Observation;
use matchcut_model::time::MediaTime;
use matchcut_model::value::Value;
use serde::{Deserialize, Serialize};

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Line {
    pub start: MediaTime,
    pub end: MediaTime,
    pub text: String,
}

impl Line {
    /// What an observation says in its attribute `attribute`, if anything.
    pub(super) fn of(observation: &Observation, attribute: &str) -> Option<Line> {
        let text = observation.attributes.get(attribute)?.as_str()?.trim();
        (!text.is_empty()).then(|| Line {
            start: observation.start,
            end: observation.end,
            text: text.to_owned(),
        })
    }

    /// An observation with all that it says.
    pub(super) fn of_everything(observation: &Observation) -> Line {
        let said = |(name, value): (_, &Value)| format!("{name}={}", value.plain_text());
        let said: Vec<String> = observation.attributes.iter().map(said).collect();
        Line {
            start: observation.start,
            end: observation.end,
            text: format!("{}: {}", observation.operator, said.join(", ")),
        }
    }
}

/// Seconds as a model sees them.
pub(super) fn shown(time: MediaTime) -> String {
    let tenths = (time.to_millis() + 50).div_euclid(100);
    format!("{}.{}", tenths.div_euclid(10), tenths.rem_euclid(10))
}

/// The lines as text, at most `most` bytes of them: what is oldest is left out first.
pub(super) fn text_of<'a>(lines: impl DoubleEndedIterator<Item = &'a Line>, most: usize) -> String {
    let mut shown_lines = Vec::new();
    let mut bytes = 0;
    for line in lines.rev() {
        let text = match line.end > line.start {
            true => format!(
                "[{} - {}] {}\n",
                shown(line.start),
                shown(line.end),
                line.text
            ),
            false => format!("[{}] {}\n", shown(line.start), line.text),
        };
        bytes += text.len();
        if bytes > most {
            break;
        }
        shown_lines.push(text);
    }
    shown_lines.reverse();
    shown_lines.concat()
}

/// The time that a model means: that of the line whose edge it was shown as, else what it says.
pub(super) fn meant(seconds: f64, edges: impl Iterator<Item = MediaTime>) -> Option<MediaTime> {
    let said = MediaTime::from_seconds_f64(seconds)?;
    let tolerance = MediaTime::from_millis(60);
    let near = edges.filter(|edge| (*edge - said).abs() <= tolerance);
    Some(near.min_by_key(|edge| (*edge - said).abs()).unwrap_or(said))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(start: i64, end: i64, text: &str) -> Line {
        Line {
            start: MediaTime::from_millis(start),
            end: MediaTime::from_millis(end),
            text: text.to_owned(),
        }
    }

    #[test]
    fn lines_are_shown_and_the_oldest_go_first() {
        let lines = [line(0, 1_240, "one"), line(61_980, 61_980, "two")];
        let text = text_of(lines.iter(), 1000);
        assert_eq!(text, "[0.0 - 1.2] one\n[62.0] two\n");
        assert_eq!(text_of(lines.iter(), 16), "[62.0] two\n");
    }

    #[test]
    fn times_are_led_back_to_the_lines() {
        let edges = [1_240, 1_270, 9_000].map(MediaTime::from_millis);
        let at = |seconds| meant(seconds, edges.into_iter());
        assert_eq!(at(1.2), Some(edges[0]));
        assert_eq!(at(1.3), Some(edges[1]));
        assert_eq!(at(5.0), Some(MediaTime::from_seconds(5)));
        assert_eq!(at(f64::NAN), None);
    }
}
