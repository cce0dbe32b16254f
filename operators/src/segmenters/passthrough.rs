//! `segment_passthrough`: a clip for every chunk, or for every range that an input gives, such as
//! plays from an external data feed.

use matchcut_model::observation::Class;
use matchcut_model::time::MediaTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::line::{Line, longest};
use crate::sdk::{
    Description, EdgeKind, Emission, Fold, FoldBox, InputRule, Operator, OperatorType, OptionError,
    Options, Step, options_of, parse_options, text_duration,
};
use crate::values::has;

/// What clips are made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum From {
    /// Each chunk gives one.
    Chunks,
    /// Each range that an input observes gives one.
    Ranges,
}

/// Options of `segment_passthrough`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct PassthroughOptions {
    /// `chunks`: a clip for each chunk. `ranges`: a clip for each range that the inputs observe.
    from: From,
    /// The part of a chunk that its clip covers, in the middle of it (more than 0, at most 1).
    chunk_to_segment_ratio: f64,
    /// With `ranges`: only those where this attribute is true.
    #[schemars(extend("x-names" = "attributes"))]
    attribute: Option<String>,
    /// Longer clips end here. The pipeline's `max_segment` when left out.
    #[serde(with = "text_duration::optional")]
    #[schemars(with = "Option<text_duration::Schema>")]
    max_segment: Option<MediaTime>,
}

impl Default for PassthroughOptions {
    fn default() -> Self {
        PassthroughOptions {
            from: From::Chunks,
            chunk_to_segment_ratio: 0.5,
            attribute: None,
            max_segment: None,
        }
    }
}

/// The operator type `segment_passthrough`.
pub(crate) struct SegmentPassthrough;

impl OperatorType for SegmentPassthrough {
    fn describe(&self) -> Description {
        Description {
            name: "segment_passthrough",
            class: Class::Segmenter,
            summary: "A clip for every chunk, or for every range that an input gives.",
            inputs: vec![
                InputRule::any(EdgeKind::Observations),
                InputRule::maybe(EdgeKind::Video),
                InputRule::maybe(EdgeKind::Audio),
            ],
            attributes: Vec::new(),
            options: options_of::<PassthroughOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: PassthroughOptions = parse_options(options)?;
        let mut errors = Vec::new();
        let ratio = options.chunk_to_segment_ratio;
        if !(ratio > 0.0 && ratio <= 1.0) {
            let message = format!("{ratio} is not more than 0 and at most 1");
            errors.push(OptionError::new("chunk_to_segment_ratio", message));
        }
        match longest(options.max_segment) {
            Ok(longest) if errors.is_empty() => Ok(Operator::Fold(FoldBox::new(PassthroughFold {
                options,
                longest,
            }))),
            Ok(_) => Err(errors),
            Err(error) => {
                errors.push(error);
                Err(errors)
            }
        }
    }
}

struct PassthroughFold {
    options: PassthroughOptions,
    longest: MediaTime,
}

impl Fold for PassthroughFold {
    type State = Line;

    fn step(&self, step: &Step<'_>, line: &mut Line, emit: &mut Vec<Emission>) {
        line.see(step);
        match (self.options.from, step.extent) {
            (From::Chunks, Some(extent)) => {
                let length = extent.span.duration().flicks();
                let part = (length as f64 * self.options.chunk_to_segment_ratio).round() as i64;
                let start = extent.span.start + MediaTime::from_flicks((length - part) / 2);
                self.mark(start, start + MediaTime::from_flicks(part), line);
            }
            (From::Chunks, None) => {}
            (From::Ranges, _) => {
                for range in step.observations.iter().filter(|range| !range.is_point()) {
                    let wanted = self.options.attribute.as_deref();
                    if wanted.is_none_or(|name| has(&range.attributes, name)) {
                        self.mark(range.start, range.end, line);
                    }
                }
            }
        }
        line.flush(step, emit);
    }

    fn tail(&self, line: &Line, emit: &mut Vec<Emission>) {
        line.tail(None, emit);
    }
}

impl PassthroughFold {
    fn mark(&self, start: MediaTime, end: MediaTime, line: &mut Line) {
        let start = line.clamp(start);
        line.mark(start, end.min(start + self.longest));
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Script, fold_of, segments};
    use serde_json::json;

    #[test]
    fn the_clip_lies_in_the_middle_of_its_chunk() {
        // MRE gives {12.5, 20.0} for ratio 0.5 and the chunk 10..20: it takes away only the first
        // half of what is left out.
        let fold = fold_of("segment_passthrough", json!({}));
        let clips = segments(&Script::new(10_000, 2).run(&fold));
        assert_eq!(clips, [(2500, Some(7500)), (12_500, Some(17_500))]);
        // Chunks of 10.01 s: starts at 2.502, 12.512, 22.523 as recorded from MRE.
        let clips = segments(&Script::new(10_010, 3).run(&fold));
        let starts: Vec<_> = clips.iter().map(|clip| clip.0).collect();
        assert_eq!(starts, [2503, 12_513, 22_523]);
        let whole = fold_of("segment_passthrough", json!({"chunk_to_segment_ratio": 1}));
        let clips = segments(&Script::new(10_000, 2).run(&whole));
        assert_eq!(clips, [(0, Some(10_000)), (10_000, Some(20_000))]);
    }

    #[test]
    fn ranges_become_clips() {
        let mut script = Script::new(10_000, 3);
        script.range("plays", 2000, 8000, &[("play", json!(true))]);
        script.range("plays", 7000, 12_000, &[("play", json!("True"))]);
        script.range("plays", 13_000, 14_000, &[("break", json!(true))]);
        script.point("plays", 15_000, &[("play", json!(true))]);
        script.range("plays", 25_000, 99_000, &[("play", json!(true))]);
        let fold = fold_of(
            "segment_passthrough",
            json!({"from": "ranges", "attribute": "play"}),
        );
        let clips = segments(&script.run(&fold));
        let expected = [
            (2000, Some(8000)),
            (8000, Some(12_000)),
            (25_000, Some(30_000)),
        ];
        assert_eq!(clips, expected);
    }
}
