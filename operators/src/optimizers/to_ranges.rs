//! `optimize_to_ranges`: moves marks outward to the edge of a range where it is safe to cut, such
//! as a silence, or out of a range where it is not, such as a sentence or a shot.

use std::collections::{BTreeMap, BTreeSet};

use matchcut_model::chunk::TrackNumber;
use matchcut_model::observation::Class;
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::value::Name;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tracks::Tracks;
use super::{code_specs, codes};
use crate::sdk::{
    Description, EdgeKind, Emission, Fold, FoldBox, InputRule, MAX_SEGMENT, Mark, Operator,
    OperatorType, OptionError, Options, SETTLE, Step, options_of, parse_options, text_duration,
};

/// What the ranges of an input say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Bias {
    /// Cut inside them.
    #[default]
    Safe,
    /// Cut outside of them.
    Unsafe,
}

/// One bias for all inputs or one for each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum BiasOption {
    /// For all inputs.
    All(Bias),
    /// By input operator; those not named are safe.
    Each(BTreeMap<String, Bias>),
}

/// Options of `optimize_to_ranges`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct RangesOptions {
    /// A mark moves by at most this.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    search_window: MediaTime,
    /// Ranges that began longer than this before a mark are passed over. Does not concern ranges
    /// between points.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    lookback: MediaTime,
    /// `safe`: ranges are where to cut, a mark outside of them moves to the far edge of the next
    /// one. `unsafe`: a mark inside a range moves to its edge. Mark-ins move back and mark-outs
    /// forward. One word for all inputs, or a table: { cuts = "unsafe", quiet = "safe" }. The
    /// ranges of an input that gives points are those between successive points, with start and
    /// end of the event.
    #[schemars(extend("x-names" = "inputs"))]
    bias: BiasOption,
    /// How much longer than the search window to wait before deciding. Most featurers report a
    /// range only when it has ended; wait longer where ranges that are still open matter.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    settle: MediaTime,
    /// Segments can be this long. The pipeline's `max_segment` when left out.
    #[serde(with = "text_duration::optional")]
    #[schemars(with = "Option<text_duration::Schema>")]
    max_segment: Option<MediaTime>,
}

impl Default for RangesOptions {
    fn default() -> Self {
        RangesOptions {
            search_window: MediaTime::from_seconds(5),
            lookback: MediaTime::from_seconds(60),
            bias: BiasOption::All(Bias::Safe),
            settle: SETTLE,
            max_segment: None,
        }
    }
}

/// The operator type `optimize_to_ranges`.
pub(crate) struct OptimizeToRanges;

impl OperatorType for OptimizeToRanges {
    fn describe(&self) -> Description {
        Description {
            name: "optimize_to_ranges",
            class: Class::Optimizer,
            summary: "Moves marks outward to where it is safe to cut, on every audio track.",
            inputs: vec![
                InputRule::one(EdgeKind::Segments),
                InputRule::some(EdgeKind::Observations),
            ],
            attributes: code_specs(),
            options: options_of::<RangesOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: RangesOptions = parse_options(options)?;
        let mut errors = Vec::new();
        if options.search_window <= MediaTime::ZERO {
            errors.push(OptionError::new("search_window", "must be more than 0"));
        }
        if options.search_window > MediaTime::from_seconds(600) {
            errors.push(OptionError::new("search_window", "more than 10 minutes"));
        }
        if options.lookback > MediaTime::from_seconds(3600) {
            errors.push(OptionError::new("lookback", "more than one hour"));
        }
        if options.settle > MediaTime::from_seconds(3600) {
            errors.push(OptionError::new("settle", "more than one hour"));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Operator::Fold(FoldBox::new(RangesFold { options })))
    }
}

struct RangesFold {
    options: RangesOptions,
}

/// What one input said on one track.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Known {
    ranges: BTreeSet<TimeRange>,
    points: BTreeSet<MediaTime>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct RangesState {
    tracks: Tracks,
    inputs: BTreeMap<(Name, Option<TrackNumber>), Known>,
    /// Segments that wait for the watermark.
    waiting: BTreeSet<TimeRange>,
}

impl Fold for RangesFold {
    type State = RangesState;

    fn step(&self, step: &Step<'_>, state: &mut RangesState, emit: &mut Vec<Emission>) {
        state.tracks.see(step);
        for observation in step.observations {
            let key = (observation.operator.clone(), observation.track);
            let known = state.inputs.entry(key).or_default();
            if observation.is_point() {
                known.points.insert(observation.start);
            } else {
                let range = TimeRange {
                    start: observation.start,
                    end: observation.end,
                };
                known.ranges.insert(range);
            }
        }
        state
            .waiting
            .extend(step.segments.iter().filter_map(|segment| segment.range()));

        let needed = self.options.search_window + self.options.settle;
        let ready =
            |segment: &TimeRange| step.end_of_event || step.watermark >= segment.end + needed;
        let (ready, waiting) = std::mem::take(&mut state.waiting)
            .into_iter()
            .partition(ready);
        state.waiting = waiting;
        let ready: BTreeSet<TimeRange> = ready;
        for segment in ready {
            for track in state.tracks.all() {
                emit.push(self.optimize(segment, track, step, state));
            }
        }
        self.forget(step.watermark, state);
    }
}

impl RangesFold {
    fn optimize(
        &self,
        segment: TimeRange,
        track: TrackNumber,
        step: &Step<'_>,
        state: &RangesState,
    ) -> Emission {
        let limits = TimeRange {
            start: MediaTime::ZERO,
            end: if step.end_of_event {
                step.watermark
            } else {
                MediaTime::MAX
            },
        };
        let inputs: Vec<(Bias, &Known)> = state
            .inputs
            .iter()
            .filter(|((_, own), _)| own.is_none_or(|own| own == track))
            .map(|((name, _), known)| (self.bias(name), known))
            .collect();
        let (start, start_found) = self.place(Mark::In, segment.start, &inputs, limits);
        let (end, end_found) = self.place(Mark::Out, segment.end, &inputs, limits);
        let moved = TimeRange { start, end };
        // A segment outside of the event, or one turned over, stays as it is.
        let good = limits.start <= start && start < end && end <= limits.end;
        Emission::Optimized {
            segment: segment.start,
            track,
            marks: if good { moved } else { segment },
            attributes: codes(track, good && start_found, good && end_found),
        }
    }

    fn bias(&self, input: &Name) -> Bias {
        match &self.options.bias {
            BiasOption::All(bias) => *bias,
            BiasOption::Each(each) => each.get(input.as_str()).copied().unwrap_or_default(),
        }
    }

    /// Where a mark goes, and whether any range had something to say of it.
    fn place(
        &self,
        mark: Mark,
        at: MediaTime,
        inputs: &[(Bias, &Known)],
        limits: TimeRange,
    ) -> (MediaTime, bool) {
        let mut found = false;
        let mut safe = false;
        // The edge to move to: outermost of the unsafe ranges around the mark, else the far edge
        // of the next safe range.
        let mut escape: Option<MediaTime> = None;
        let mut shelter: Option<(MediaTime, MediaTime)> = None;
        for (bias, known) in inputs {
            for range in self.ranges_near(mark, at, known, limits) {
                found = true;
                let edge = match mark {
                    Mark::In => range.start,
                    Mark::Out => range.end,
                };
                match bias {
                    Bias::Unsafe if range.start < at && at < range.end => {
                        escape = Some(escape.map_or(edge, |other| outer(mark, edge, other)));
                    }
                    Bias::Unsafe => {}
                    Bias::Safe if range.start <= at && at <= range.end => safe = true,
                    Bias::Safe => {
                        let distance = match mark {
                            Mark::In => at - range.end,
                            Mark::Out => range.start - at,
                        };
                        if shelter.is_none_or(|(nearest, _)| distance < nearest) {
                            shelter = Some((distance, edge));
                        }
                    }
                }
            }
        }
        let target = match (escape, shelter) {
            (Some(edge), _) => edge,
            (None, Some((_, edge))) if !safe => edge,
            _ => at,
        };
        let window = self.options.search_window;
        let placed = match mark {
            Mark::In => target.max(at - window).max(limits.start),
            Mark::Out => target.min(at + window).min(limits.end),
        };
        (placed, found)
    }

    /// The ranges around a mark, or else those that the window reaches on its outer side.
    fn ranges_near(
        &self,
        mark: Mark,
        at: MediaTime,
        known: &Known,
        limits: TimeRange,
    ) -> Vec<TimeRange> {
        let window = self.options.search_window;
        let mut near: Vec<TimeRange> = known
            .ranges
            .iter()
            .filter(|range| range.start >= at - self.options.lookback)
            .filter(|range| match mark {
                Mark::In => range.start <= at && range.end >= at - window,
                Mark::Out => range.end >= at && range.start <= at + window,
            })
            .copied()
            .collect();
        if !known.points.is_empty() {
            let before = known.points.range(..=at).next_back().copied();
            let after = known.points.range(at..).next().copied();
            // On a point the mark lies between two ranges; either says that it may stay.
            let start = before.unwrap_or(limits.start.min(at));
            let end = after.unwrap_or(limits.end.max(at));
            near.push(TimeRange { start, end });
        }
        near
    }

    /// Drops what no segment can ask for any more.
    fn forget(&self, watermark: MediaTime, state: &mut RangesState) {
        let longest = self.options.max_segment.unwrap_or(MAX_SEGMENT);
        // A segment can be as long as that, and its segmenter may have taken as long to be sure.
        let oldest = watermark - longest.times(2) - SETTLE;
        let oldest = state
            .waiting
            .first()
            .map_or(oldest, |segment| segment.start.min(oldest));
        let oldest = oldest - self.options.search_window;
        for known in state.inputs.values_mut() {
            known.ranges.retain(|range| range.end >= oldest);
            // One point before bounds the range that reaches in.
            if let Some(bound) = known.points.range(..oldest).next_back().copied() {
                known.points = known.points.split_off(&bound);
            }
        }
    }
}

/// The one of two times that lies further outside.
fn outer(mark: Mark, a: MediaTime, b: MediaTime) -> MediaTime {
    match mark {
        Mark::In => a.min(b),
        Mark::Out => a.max(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimizers::{END_CODE, START_CODE, SUCCEEDED};
    use crate::testing::{Script, fold_of, optimized};
    use serde_json::json;

    /// The optimized marks of a segment from 10 s to 20 s, and its codes.
    fn run(options: serde_json::Value, fill: impl Fn(&mut Script)) -> (i64, i64, bool, bool) {
        let mut script = Script::new(1000, 60);
        script.segment(10_000, 20_000);
        fill(&mut script);
        let fold = fold_of("optimize_to_ranges", options);
        let mut results = BTreeSet::new();
        for chunk in [1000, 4000, 6000, 60_000] {
            let emitted = script.clone().chunked(chunk).run(&fold);
            let Some((_, Emission::Optimized { attributes, .. })) = emitted.first() else {
                panic!("nothing emitted");
            };
            let code = |name| attributes[name].as_str() == Some(SUCCEEDED);
            let marks = optimized(&emitted);
            assert_eq!(marks.len(), 1);
            results.insert((marks[0].2, marks[0].3, code(START_CODE), code(END_CODE)));
        }
        assert_eq!(results.len(), 1, "chunks make a difference: {results:?}");
        results.pop_first().unwrap()
    }

    fn start(bias: &str, from: i64, to: i64) -> (i64, bool) {
        let (start, _, found, _) = run(json!({"bias": bias}), |script| {
            script.range("quiet", from * 1000, to * 1000, &[("silence", json!(true))]);
        });
        (start, found)
    }

    fn end(bias: &str, from: i64, to: i64) -> (i64, bool) {
        let (_, end, _, found) = run(json!({"bias": bias}), |script| {
            script.range("quiet", from * 1000, to * 1000, &[("silence", json!(true))]);
        });
        (end, found)
    }

    #[test]
    fn marks_in_move_back_as_in_mre() {
        assert_eq!(start("safe", 8, 12), (10_000, true));
        assert_eq!(start("safe", 7, 8), (7000, true));
        assert_eq!(start("safe", 2, 6), (5000, true));
        assert_eq!(start("unsafe", 8, 12), (8000, true));
        // MRE moves by up to the window; beyond it nothing is found.
        assert_eq!(start("unsafe", 1, 30), (5000, true));
        assert_eq!(start("safe", 1, 4), (10_000, false));
        assert_eq!(start("unsafe", 7, 8), (10_000, true));
    }

    #[test]
    fn marks_out_move_forward_as_in_mre() {
        // The vectors are for a mark-out at 10; here it is at 20.
        assert_eq!(end("unsafe", 18, 40), (25_000, true));
        assert_eq!(end("safe", 40, 50), (20_000, false));
        assert_eq!(end("safe", 22, 23), (23_000, true));
        assert_eq!(end("safe", 24, 40), (25_000, true));
        assert_eq!(end("safe", 18, 30), (20_000, true));
    }

    #[test]
    fn without_ranges_marks_stay() {
        assert_eq!(run(json!({}), |_| ()), (10_000, 20_000, false, false));
    }

    #[test]
    fn points_bound_ranges() {
        let cuts = |times: &'static [i64]| {
            move |script: &mut Script| {
                for time in times {
                    script.point("cuts", *time, &[("hard_cut", json!(true))]);
                }
            }
        };
        // Every instant lies in some shot: safe ones keep the marks.
        assert_eq!(
            run(json!({}), cuts(&[8000, 22_000])),
            (10_000, 20_000, true, true)
        );
        // Unsafe ones move them to the cuts, or as far as the window goes.
        let bias = json!({"bias": {"cuts": "unsafe"}});
        assert_eq!(
            run(bias.clone(), cuts(&[8000, 22_000])),
            (8000, 22_000, true, true)
        );
        assert_eq!(
            run(bias.clone(), cuts(&[3000, 27_000])),
            (5000, 25_000, true, true)
        );
        // On a cut there is nothing to mend.
        assert_eq!(
            run(bias.clone(), cuts(&[10_000, 20_000])),
            (10_000, 20_000, true, true)
        );
        // Start and end of the event bound ranges too.
        assert_eq!(run(bias, cuts(&[15_000])), (5000, 25_000, true, true));
    }

    #[test]
    fn the_next_safe_range_counts() {
        let marks = run(json!({}), |script| {
            script.range("a", 5200, 6000, &[]);
            script.range("b", 8000, 9000, &[]);
            script.range("a", 24_000, 24_500, &[]);
            script.range("b", 21_000, 21_500, &[]);
        });
        assert_eq!(marks, (8000, 21_500, true, true));
    }

    #[test]
    fn unsafe_goes_before_safe() {
        let bias = json!({"bias": {"speech": "unsafe"}});
        let marks = run(bias, |script| {
            script.range("quiet", 9000, 21_000, &[]);
            script.range("speech", 7000, 11_000, &[]);
        });
        assert_eq!(marks, (7000, 20_000, true, true));
    }

    #[test]
    fn tracks_have_marks_of_their_own() {
        let mut script = Script::new(2000, 30).tracks(&[1, 2]);
        script.segment(10_000, 20_000);
        script.range_on(1, "quiet", 8000, 9000);
        script.range_on(2, "quiet", 6000, 7000);
        script.range("dark", 21_000, 22_000, &[]);
        let fold = fold_of("optimize_to_ranges", json!({}));
        let marks = optimized(&script.run(&fold));
        assert_eq!(
            marks,
            [(10_000, 1, 8000, 22_000), (10_000, 2, 6000, 22_000)]
        );
    }

    #[test]
    fn marks_stay_inside_the_event() {
        let mut script = Script::new(1000, 12);
        script.segment(2000, 11_000);
        script.range("quiet", 0, 1000, &[]);
        script.range("speech", 9000, 12_000, &[]);
        let options = json!({"bias": {"speech": "unsafe"}, "search_window": "60s"});
        let fold = fold_of("optimize_to_ranges", options);
        assert_eq!(optimized(&script.run(&fold)), [(2000, 1, 0, 12_000)]);
    }

    #[test]
    fn it_waits_until_everything_near_is_known() {
        let mut script = Script::new(2000, 30);
        script.segment(10_000, 20_000);
        let fold = fold_of("optimize_to_ranges", json!({}));
        let emitted = script.run(&fold);
        // Mark-out, window and settling time are passed with the chunk that ends at 26 s.
        assert_eq!(emitted.iter().map(|(at, _)| at.0).collect::<Vec<_>>(), [12]);
        // A chunk that is missing holds the watermark, and with it the decision.
        let held = script.clone().without(&[8]).run(&fold);
        assert_eq!(held.iter().map(|(at, _)| at.0).collect::<Vec<_>>(), [30]);
    }

    #[test]
    fn the_state_does_not_grow() {
        let mut script = Script::new(1000, 3000);
        for second in 0..3000 {
            script.point("cuts", second * 1000 + 10, &[("hard_cut", json!(true))]);
            script.range("quiet", second * 1000 + 100, second * 1000 + 200, &[]);
        }
        let options = json!({"max_segment": "60s"});
        let (_, state) = script.run_to_state(&fold_of("optimize_to_ranges", options));
        // 60 s and a few windows of two observations a second.
        let size = format!("{state:?}").matches("MediaTime").count();
        assert!((100..500).contains(&size), "{size}");
    }
}
