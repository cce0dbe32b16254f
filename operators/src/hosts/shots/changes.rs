//! What probabilities, frame by frame, say: neighbouring frames above the threshold are one change. The model
//! marks frames after which something else is shown, so that a single one is a cut at the next frame.

use matchcut_model::time::MediaTime;
use matchcut_model::value::{Attributes, Value};

use crate::sdk::Emission;

/// A change that goes on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Open {
    /// The first frame that is no longer of the old shot alone, once it is known.
    pub(super) start: Option<MediaTime>,
    /// The highest probability, in millionths.
    pub(super) highest: i64,
}

/// Takes the next frame; a change that ended before it is told.
pub(super) fn take(
    open: &mut Option<Open>,
    time: MediaTime,
    probability: f64,
    threshold: f64,
    emit: &mut Vec<Emission>,
) {
    if let Some(change) = open {
        change.start.get_or_insert(time);
    }
    if probability > threshold {
        let change = open.get_or_insert(Open {
            start: None,
            highest: 0,
        });
        change.highest = change.highest.max((probability * 1e6) as i64);
    } else if let Some(change) = open.take() {
        let start = change.start.unwrap_or(time);
        let kind = match start == time {
            true => "hard_cut",
            false => "gradual",
        };
        emit.push(Emission::Observation {
            start,
            end: time,
            attributes: Attributes::from([
                ("new_shot".into(), Value::from(true)),
                (kind.into(), Value::from(true)),
                (
                    "confidence".into(),
                    Value::rounded(change.highest as f64 / 1e6, 2),
                ),
            ]),
        });
    }
}

#[cfg(test)]
mod tests {
    use matchcut_model::chunk::Position;

    use super::*;
    use crate::testing::observations;

    #[test]
    fn a_change_of_one_frame_is_a_cut_at_the_next() {
        let probabilities = [0.1, 0.9, 0.2, 0.0, 0.6, 0.8, 0.7, 0.1, 0.1, 0.9];
        let (mut open, mut emissions) = (None, Vec::new());
        for (number, probability) in probabilities.into_iter().enumerate() {
            let time = MediaTime::from_millis(number as i64 * 40);
            take(&mut open, time, probability, 0.5, &mut emissions);
        }
        let emitted = emissions.into_iter().map(|e| (Position(0), e)).collect();
        let told: Vec<_> = observations(&emitted)
            .into_iter()
            .map(|(start, end, attributes)| {
                let names: Vec<&str> = attributes.keys().map(|name| &**name).collect();
                (
                    start,
                    end,
                    names.join(" "),
                    attributes.get("confidence").cloned(),
                )
            })
            .collect();
        let confidence = |c| Some(Value::rounded(c, 2));
        assert_eq!(
            told,
            [
                (
                    80,
                    80,
                    "confidence hard_cut new_shot".to_owned(),
                    confidence(0.9)
                ),
                (
                    200,
                    280,
                    "confidence gradual new_shot".to_owned(),
                    confidence(0.8)
                ),
            ]
        );
        // What has not ended is not known yet.
        assert!(open.is_some());
    }
}
