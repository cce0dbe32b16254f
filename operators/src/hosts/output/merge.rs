//! Ranges of pictures with one label. A range begins with its first picture and ends with the first that
//! shows something else, wherever chunks are cut; where pictures are missing it ends soon after the last.

use matchcut_model::time::MediaTime;
use matchcut_model::value::{Attributes, Value};

use crate::sdk::{Emission, Fold, FoldBox, Said, Step};

/// The ordered part that makes ranges of points with the attribute `label`; points without attributes
/// are pictures in which nothing is seen. A picture stands for what follows it, up to `interval`.
pub(in super::super) fn merged(interval: MediaTime) -> FoldBox {
    FoldBox::new(Merge { interval })
}

struct Merge {
    interval: MediaTime,
}

/// A range that may go on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Open {
    label: Value,
    start: MediaTime,
    last: MediaTime,
    /// Sum of the confidences, in thousandths.
    sum: i64,
    pictures: i64,
}

impl Fold for Merge {
    type State = Option<Open>;

    fn step(&self, step: &Step<'_>, state: &mut Option<Open>, emit: &mut Vec<Emission>) {
        let said = match step.signature.map(serde_json::from_slice::<Vec<Said>>) {
            Some(Ok(said)) => said,
            Some(Err(error)) => {
                let message = format!("what was said of the chunk cannot be read: {error}");
                emit.push(Emission::Failure { message });
                Vec::new()
            }
            None => Vec::new(),
        };
        for point in said {
            let label = point.attributes.get("label").cloned();
            if let Some(open) = state.as_mut() {
                if point.start < open.last {
                    // Timestamps that go back.
                    continue;
                }
                let follows = point.start <= self.lasts(open);
                if follows && label.as_ref() == Some(&open.label) {
                    open.last = point.start;
                    open.sum += thousandths(&point.attributes);
                    open.pictures += 1;
                    continue;
                }
                let end = if follows {
                    point.start
                } else {
                    self.ends(open)
                };
                emit.extend(range(open, end));
            }
            *state = label.map(|label| Open {
                label,
                start: point.start,
                last: point.start,
                sum: thousandths(&point.attributes),
                pictures: 1,
            });
        }
        if step.end_of_event
            && let Some(open) = state.take()
        {
            let end = self.ends(&open).min(step.watermark.max(open.last));
            emit.extend(range(&open, end));
        }
    }

    fn tail(&self, state: &Option<Open>, emit: &mut Vec<Emission>) {
        if let Some(open) = state {
            emit.extend(range(open, self.ends(open)));
        }
    }
}

impl Merge {
    /// A picture that comes later than this does not follow: some are missing between.
    fn lasts(&self, open: &Open) -> MediaTime {
        open.last + self.interval.times(2)
    }

    fn ends(&self, open: &Open) -> MediaTime {
        open.last + self.interval
    }
}

fn thousandths(attributes: &Attributes) -> i64 {
    let confidence = attributes.get("confidence").and_then(Value::as_f64);
    (confidence.unwrap_or_default() * 1000.0).round() as i64
}

fn range(open: &Open, end: MediaTime) -> Option<Emission> {
    let mean = open.sum as f64 / open.pictures.max(1) as f64 / 1000.0;
    (open.start < end).then(|| Emission::Observation {
        start: open.start,
        end,
        attributes: Attributes::from([
            ("label".into(), open.label.clone()),
            ("confidence".into(), Value::rounded(mean, 3)),
        ]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdk::{ChunkContext, signature_of};
    use crate::testing::{Script, observations};

    /// A picture every 200 ms: 0.0 to 1.0 "a", to 2.0 nothing, to 3.0 "b", a hole up to 4.0, then "b".
    fn signature(chunk: &ChunkContext) -> Option<Vec<u8>> {
        let pictures = (0..30)
            .map(|n| n * 200)
            .filter(|ms| !(3000..4000).contains(ms));
        let said = pictures
            .map(|millis| {
                let label = match millis {
                    0..1000 => Some("a"),
                    1000..2000 => None,
                    _ => Some("b"),
                };
                let time = MediaTime::from_millis(millis);
                let confidence = if millis == 0 { 0.5 } else { 1.0 };
                let attributes = label.map(|label| {
                    [
                        ("label".into(), label.into()),
                        ("confidence".into(), Value::from(confidence)),
                    ]
                });
                Said {
                    start: time,
                    end: time,
                    attributes: attributes.into_iter().flatten().collect(),
                }
            })
            .filter(|said| chunk.extent.span.contains(said.start))
            .collect();
        signature_of(said).ok()
    }

    #[test]
    fn ranges_do_not_depend_on_chunks() {
        let fold = merged(MediaTime::from_millis(200));
        for chunk in [400, 1000, 1500, 6000] {
            let script = Script::new(6000, 1).chunked(chunk).scanned(signature);
            let rows: Vec<(i64, i64, String)> = observations(&script.run(&fold))
                .into_iter()
                .map(|(start, end, attributes)| {
                    (start, end, serde_json::to_string(&attributes).unwrap())
                })
                .collect();
            let a = r#"{"confidence":0.9,"label":"a"}"#.to_owned();
            let b = r#"{"confidence":1,"label":"b"}"#.to_owned();
            assert_eq!(
                rows,
                [(0, 1000, a), (2000, 3000, b.clone()), (4000, 6000, b)],
                "chunks of {chunk} ms"
            );
        }
    }
}
