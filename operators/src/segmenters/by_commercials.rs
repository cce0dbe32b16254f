//! `segment_by_commercials`: the parts of a programme and the breaks between them. Where the stream
//! marks its breaks, the marks count; elsewhere a break is a row of spots, each of the length that
//! spots have, with a black and silent moment on both sides, or what is shown without the channel's logo.

use std::collections::BTreeSet;

use matchcut_model::observation::{Class, Observation};
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::value::{Attributes, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::line::{Line, longest};
use crate::sdk::{
    AttributeKind, AttributeSpec, Description, EdgeKind, Emission, Fold, FoldBox, InputRule,
    Operator, OperatorType, OptionError, Options, Step, options_of, parse_options, text_duration,
};
use crate::values::has;

/// Decisions about a moment wait for what is observed so much later: a silence around a black moment
/// is told when it is over.
const LOOK: MediaTime = MediaTime::from_seconds(5);

/// Silences are remembered for so long.
const REMEMBERED: MediaTime = MediaTime::from_seconds(60);

/// Of so many pictures one must show the channel's logo, and what is shown is no spot.
const LOGO_IN: u32 = 3;

/// What lies between two spots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Separator {
    /// A black moment with silence in it.
    BlackAndSilence,
    /// A black moment.
    Black,
    /// Nothing: a break is from where the channel's logo goes to where it comes back.
    Logo,
}

/// Which segments are marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Wanted {
    /// The parts of the programme.
    Programme,
    /// The breaks.
    Breaks,
    /// Both, in turn.
    Both,
}

/// Options of `segment_by_commercials`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct CommercialsOptions {
    /// Which segments are marked: `programme`, `breaks` or `both`.
    segments: Wanted,
    /// What lies between two spots: `black_and_silence` or `black`; or `logo`: a break is what is shown
    /// without the channel's logo, from cut to cut where cuts are observed.
    separator: Separator,
    /// The attribute of ranges in which the picture is black.
    #[schemars(extend("x-names" = "attributes"))]
    black: String,
    /// The attribute of ranges in which nothing is heard. They must not be much longer than a black
    /// moment, so give `audio_silence` a `min_duration` of a tenth of a second.
    #[schemars(extend("x-names" = "attributes"))]
    silence: String,
    /// The attribute of hard cuts, for `min_cuts_per_minute`.
    #[schemars(extend("x-names" = "attributes"))]
    cut: String,
    /// The attribute that says whether the channel's logo is seen. What shows it in a third of the pictures is no
    /// spot.
    #[schemars(extend("x-names" = "attributes"))]
    logo: String,
    /// The attribute that says `out` where the stream marks that the programme is left, and `in` where
    /// it goes on.
    #[schemars(extend("x-names" = "attributes"))]
    cue: String,
    /// The shortest spot. Black moments closer together are one.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    min_spot: MediaTime,
    /// The longest spot. After this without a black moment a break is over.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    max_spot: MediaTime,
    /// So many spots in a row are a break.
    min_spots: u32,
    /// What has fewer cuts a minute is no spot; 0 does not ask. Spots have about 20 to 40.
    min_cuts_per_minute: f64,
    /// What is shown without the channel's logo for less than this is no break, with `separator = "logo"`.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    min_break: MediaTime,
    /// A break that the stream marks without its end or length ends after this. What is shown without the
    /// channel's logo for longer is no break.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    max_break: MediaTime,
    /// Shorter parts of the programme are left out.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    min_programme: MediaTime,
    /// A part or a break is closed when it gets longer than this, and the next one begins there. The
    /// pipeline's `max_segment` when left out, so set that to hours for whole parts.
    #[serde(with = "text_duration::optional")]
    #[schemars(with = "Option<text_duration::Schema>")]
    max_segment: Option<MediaTime>,
}

impl Default for CommercialsOptions {
    fn default() -> Self {
        CommercialsOptions {
            segments: Wanted::Programme,
            separator: Separator::BlackAndSilence,
            black: "black".to_owned(),
            silence: "silence".to_owned(),
            cut: "hard_cut".to_owned(),
            logo: "logo".to_owned(),
            cue: "kind".to_owned(),
            min_spot: MediaTime::from_seconds(4),
            max_spot: MediaTime::from_seconds(65),
            min_spots: 2,
            min_cuts_per_minute: 0.0,
            min_break: MediaTime::from_seconds(20),
            max_break: MediaTime::from_seconds(600),
            min_programme: MediaTime::from_seconds(10),
            max_segment: None,
        }
    }
}

/// The operator type `segment_by_commercials`.
pub(crate) struct SegmentByCommercials;

impl OperatorType for SegmentByCommercials {
    fn describe(&self) -> Description {
        Description {
            name: "segment_by_commercials",
            class: Class::Segmenter,
            summary: "The parts of a programme, and the breaks between them.",
            inputs: vec![InputRule::some(EdgeKind::Observations)],
            attributes: vec![
                AttributeSpec {
                    name: "part",
                    kind: AttributeKind::Text,
                    description: "programme or break",
                },
                AttributeSpec {
                    name: "by",
                    kind: AttributeKind::Text,
                    description: "of a break: marks (of the stream), spots (that were seen) or logo (that was gone)",
                },
                AttributeSpec {
                    name: "spots",
                    kind: AttributeKind::Number,
                    description: "of a break that was seen: how many spots",
                },
            ],
            options: options_of::<CommercialsOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: CommercialsOptions = parse_options(options)?;
        let mut errors = Vec::new();
        if options.min_spot < MediaTime::from_millis(100) {
            errors.push(OptionError::new("min_spot", "less than 0.1 s"));
        }
        if options.max_spot <= options.min_spot {
            errors.push(OptionError::new("max_spot", "not longer than `min_spot`"));
        }
        if options.max_break <= options.min_spot {
            errors.push(OptionError::new("max_break", "not longer than `min_spot`"));
        }
        if options.max_break <= options.min_break {
            errors.push(OptionError::new("max_break", "not longer than `min_break`"));
        }
        if options.min_spots == 0 {
            errors.push(OptionError::new("min_spots", "at least 1 spot"));
        }
        if !(0.0..=600.0).contains(&options.min_cuts_per_minute) {
            let message = "not between 0 and 600";
            errors.push(OptionError::new("min_cuts_per_minute", message));
        }
        let longest = longest(options.max_segment).map_err(|error| errors.push(error));
        match longest {
            Ok(longest) if options.min_programme > longest => {
                let message = format!("longer than the longest segment ({longest} s)");
                errors.push(OptionError::new("min_programme", message));
                Err(errors)
            }
            Ok(longest) if errors.is_empty() => {
                let fold = CommercialsFold { options, longest };
                Ok(Operator::Fold(FoldBox::new(fold)))
            }
            _ => Err(errors),
        }
    }
}

struct CommercialsFold {
    options: CommercialsOptions,
    longest: MediaTime,
}

/// Something that is observed, in the order in which it counts at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    /// The programme goes on.
    In,
    /// The programme is left, for so long if that is known.
    Out(Option<MediaTime>),
    /// A shot begins.
    Cut,
    /// A picture shows the channel's logo, or not.
    Logo(bool),
    /// The end of a black range that began then.
    Black(MediaTime),
}

/// Spots in a row, while they last.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    /// The first and the last black moment.
    first: MediaTime,
    last: MediaTime,
    spots: u32,
    /// Shots that began after the last one.
    cuts: u32,
    /// Pictures after the last one that were looked at for the channel's logo, and those that show it.
    looks: u32,
    logos: u32,
}

impl Row {
    /// One that begins.
    fn from(at: MediaTime) -> Row {
        Row {
            first: at,
            last: at,
            spots: 0,
            cuts: 0,
            looks: 0,
            logos: 0,
        }
    }
}

/// Who says that there was a break.
#[derive(Clone, Copy)]
enum By {
    Marks,
    /// So many spots in a row.
    Spots(u32),
    Logo,
}

/// A break that the stream marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Marked {
    start: MediaTime,
    /// When it ends unless a mark says so before.
    end: MediaTime,
}

/// What is known of the channel's logo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Logo {
    /// The picture that was looked at last.
    looked: MediaTime,
    /// Since when it is gone.
    gone: Option<MediaTime>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct CommercialsState {
    line: Line,
    /// What is not settled yet, by time.
    ahead: BTreeSet<(MediaTime, Mark)>,
    /// Silences of late.
    silent: Vec<TimeRange>,
    row: Option<Row>,
    marked: Option<Marked>,
    /// The logo, once it was seen.
    logo: Option<Logo>,
    /// When the last shot began.
    cut: Option<MediaTime>,
    /// Where the part of the programme that goes on begins, once there was a break.
    since: Option<MediaTime>,
}

impl Fold for CommercialsFold {
    type State = CommercialsState;

    fn step(&self, step: &Step<'_>, state: &mut CommercialsState, emit: &mut Vec<Emission>) {
        state.line.see(step);
        for observation in step.observations {
            self.note(observation, state);
        }
        let reach = state.line.reach();
        let settled = if step.end_of_event {
            reach
        } else {
            reach - LOOK
        };
        while let Some((at, mark)) = state.ahead.first().copied()
            && (at <= settled || step.end_of_event)
        {
            state.ahead.pop_first();
            if at > reach {
                continue;
            }
            self.pass(at, state, emit);
            self.handle(at, mark, state, emit);
        }
        self.pass(settled, state, emit);
        state
            .silent
            .retain(|silent| silent.end + REMEMBERED > settled);
        if step.end_of_event && state.line.begin().is_some() {
            self.close_row(state, emit);
            if let Some(marked) = state.marked.take() {
                self.tell_break(marked.start, marked.end.min(reach), By::Marks, state, emit);
            }
            self.logo_is_back(reach, state, emit);
            let since = state.line.clamp(state.since.unwrap_or_default());
            self.tell_programme(since, reach, emit);
        }
    }

    fn tail(&self, state: &CommercialsState, emit: &mut Vec<Emission>) {
        if state.line.begin().is_none() {
            return;
        }
        let since = state.line.clamp(state.since.unwrap_or_default());
        let gone = self.gone(state.line.reach(), state);
        let (start, part) = match (state.marked, gone) {
            (Some(marked), _) => (marked.start, Part::Break),
            (None, Some(start)) => (start.max(since), Part::Break),
            (None, None) => (since, Part::Programme),
        };
        if self.wants(part) && start < state.line.reach() {
            emit.push(Emission::Segment {
                start,
                end: None,
                attributes: part.attributes(),
            });
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Programme,
    Break,
}

impl Part {
    fn attributes(self) -> Attributes {
        let name = match self {
            Part::Programme => "programme",
            Part::Break => "break",
        };
        Attributes::from([("part".into(), Value::from(name))])
    }
}

impl CommercialsFold {
    fn wants(&self, part: Part) -> bool {
        match self.options.segments {
            Wanted::Both => true,
            Wanted::Programme => part == Part::Programme,
            Wanted::Breaks => part == Part::Break,
        }
    }

    fn note(&self, observation: &Observation, state: &mut CommercialsState) {
        let (options, said) = (&self.options, &observation.attributes);
        let (start, end) = (observation.start, observation.end);
        if has(said, &options.black) {
            state.ahead.insert((end, Mark::Black(start)));
        }
        if has(said, &options.silence) {
            state.silent.push(TimeRange { start, end });
        }
        if has(said, &options.cut) {
            state.ahead.insert((start, Mark::Cut));
        }
        if let Some(Value::Bool(seen)) = said.get(options.logo.as_str()) {
            state.ahead.insert((start, Mark::Logo(*seen)));
        }
        match said
            .get(options.cue.as_str())
            .map(Value::plain_text)
            .as_deref()
        {
            Some("out") => {
                let length = Some(end - start).filter(|length| *length > MediaTime::ZERO);
                state.ahead.insert((start, Mark::Out(length)));
            }
            Some("in") => {
                state.ahead.insert((start, Mark::In));
            }
            _ => {}
        }
    }

    /// What happens only because time goes by until `now`.
    fn pass(&self, now: MediaTime, state: &mut CommercialsState, emit: &mut Vec<Emission>) {
        if let Some(marked) = state.marked.filter(|marked| marked.end < now) {
            state.marked = None;
            self.tell_break(marked.start, marked.end, By::Marks, state, emit);
        }
        let over = |row: &Row| now > row.last + self.options.max_spot;
        if state.row.as_ref().is_some_and(over) {
            self.close_row(state, emit);
        }
        // What may still become a break waits.
        let row = state.row.as_ref().map(|row| row.first);
        let gone = state.logo.and_then(|logo| logo.gone);
        let gone = gone.filter(|gone| now <= *gone + self.options.max_break);
        let certain = row.into_iter().chain(gone).fold(now, MediaTime::min);
        while state.marked.is_none() && state.line.begin().is_some() {
            let since = state.line.clamp(state.since.unwrap_or_default());
            let end = since + self.longest;
            if certain <= end {
                break;
            }
            self.tell_programme(since, end, emit);
            state.since = Some(end);
        }
    }

    fn handle(
        &self,
        at: MediaTime,
        mark: Mark,
        state: &mut CommercialsState,
        emit: &mut Vec<Emission>,
    ) {
        match (mark, state.marked) {
            (Mark::Out(length), None) => {
                self.close_row(state, emit);
                // What is marked is one break, with or without the logo.
                state.logo = None;
                let since = state.line.clamp(state.since.unwrap_or_default());
                let start = at.max(since);
                self.tell_programme(since, start, emit);
                state.since = Some(start);
                let end = start + length.unwrap_or(self.options.max_break);
                state.marked = Some(Marked { start, end });
            }
            (Mark::In, Some(marked)) => {
                state.marked = None;
                self.tell_break(marked.start, at, By::Marks, state, emit);
            }
            (Mark::Cut, None) => {
                state.cut = Some(at);
                if let Some(row) = &mut state.row {
                    row.cuts = row.cuts.saturating_add(1);
                }
            }
            (Mark::Logo(seen), None) => self.look(at, seen, state, emit),
            (Mark::Black(start), None) => {
                if let Some(moment) = self.separator(TimeRange { start, end: at }, state) {
                    self.separate(moment, state, emit);
                }
            }
            _ => {}
        }
    }

    /// A picture was looked at for the logo.
    fn look(
        &self,
        at: MediaTime,
        seen: bool,
        state: &mut CommercialsState,
        emit: &mut Vec<Emission>,
    ) {
        if let Some(row) = &mut state.row {
            row.looks = row.looks.saturating_add(1);
            row.logos = row.logos.saturating_add(u32::from(seen));
        }
        if self.options.separator != Separator::Logo {
            return;
        }
        // Where it goes and comes is where a shot begins, if one does between two looks.
        let since = |looked: MediaTime, cut: Option<MediaTime>| cut.filter(|cut| *cut > looked);
        match (state.logo, seen) {
            (None, false) => {}
            (None, true) => {
                state.logo = Some(Logo {
                    looked: at,
                    gone: None,
                });
            }
            (Some(logo), true) => {
                let back = since(logo.looked, state.cut).unwrap_or(at);
                self.logo_is_back(back, state, emit);
                state.logo = Some(Logo {
                    looked: at,
                    gone: None,
                });
            }
            (Some(logo), false) => {
                let gone = || since(logo.looked, state.cut).unwrap_or(at);
                state.logo = Some(Logo {
                    looked: at,
                    gone: Some(logo.gone.unwrap_or_else(gone)),
                });
            }
        }
    }

    /// Since when the logo is gone, if that makes a break that goes on at `now`.
    fn gone(&self, now: MediaTime, state: &CommercialsState) -> Option<MediaTime> {
        let gone = state.logo.and_then(|logo| logo.gone)?;
        let length = now - gone;
        (length >= self.options.min_break && length <= self.options.max_break).then_some(gone)
    }

    /// What was shown without the logo is over.
    fn logo_is_back(&self, at: MediaTime, state: &mut CommercialsState, emit: &mut Vec<Emission>) {
        if let Some(start) = self.gone(at, state) {
            self.tell_break(start, at, By::Logo, state, emit);
        }
        state.logo = None;
    }

    /// The moment between two spots that a black range stands for, if it does.
    fn separator(&self, black: TimeRange, state: &CommercialsState) -> Option<MediaTime> {
        let middle = |range: TimeRange| {
            MediaTime::from_flicks((range.start.flicks() + range.end.flicks()) / 2)
        };
        match self.options.separator {
            Separator::Logo => return None,
            Separator::Black => return Some(middle(black)),
            Separator::BlackAndSilence => {}
        }
        let both = state.silent.iter().map(|silent| TimeRange {
            start: silent.start.max(black.start),
            end: silent.end.min(black.end),
        });
        let both = both.filter(|both| both.start < both.end);
        // Several tracks may be silent at once: the longest time in common, the first among equals.
        both.min_by_key(|both| (both.start - both.end, both.start))
            .map(middle)
    }

    fn separate(&self, at: MediaTime, state: &mut CommercialsState, emit: &mut Vec<Emission>) {
        if let Some(row) = &mut state.row {
            let length = at - row.last;
            if length < self.options.min_spot {
                return;
            }
            let cuts = f64::from(row.cuts) * 60.0;
            let seconds = length.to_millis() as f64 / 1000.0;
            let busy = cuts >= self.options.min_cuts_per_minute * seconds;
            let programme = row.logos > 0 && row.logos >= row.looks / LOGO_IN;
            if length <= self.options.max_spot && busy && !programme {
                *row = Row {
                    last: at,
                    spots: row.spots + 1,
                    ..Row::from(row.first)
                };
                return;
            }
        }
        self.close_row(state, emit);
        if state.since.is_none_or(|since| at > since) {
            state.row = Some(Row::from(at));
        }
    }

    /// Ends the row of spots; it is a break if it is long enough.
    fn close_row(&self, state: &mut CommercialsState, emit: &mut Vec<Emission>) {
        if let Some(row) = state.row.take()
            && row.spots >= self.options.min_spots
        {
            self.tell_break(row.first, row.last, By::Spots(row.spots), state, emit);
        }
    }

    /// A break, and the part of the programme before it.
    fn tell_break(
        &self,
        start: MediaTime,
        end: MediaTime,
        by: By,
        state: &mut CommercialsState,
        emit: &mut Vec<Emission>,
    ) {
        let since = state.line.clamp(state.since.unwrap_or_default());
        let start = start.max(since);
        self.tell_programme(since, start, emit);
        state.since = Some(end.max(start));
        let mut attributes = Part::Break.attributes();
        let name = match by {
            By::Marks => "marks",
            By::Spots(_) => "spots",
            By::Logo => "logo",
        };
        attributes.insert("by".into(), Value::from(name));
        if let By::Spots(spots) = by {
            attributes.insert("spots".into(), Value::from(i64::from(spots)));
        }
        if self.wants(Part::Break) {
            self.tell(TimeRange { start, end }, MediaTime::ZERO, attributes, emit);
        }
    }

    fn tell_programme(&self, start: MediaTime, end: MediaTime, emit: &mut Vec<Emission>) {
        if self.wants(Part::Programme) {
            let (range, least) = (TimeRange { start, end }, self.options.min_programme);
            self.tell(range, least, Part::Programme.attributes(), emit);
        }
    }

    /// A segment, in parts that are not too long; a part of less than `least` is left out.
    fn tell(
        &self,
        range: TimeRange,
        least: MediaTime,
        attributes: Attributes,
        emit: &mut Vec<Emission>,
    ) {
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start + self.longest);
            if end - start >= least {
                emit.push(Emission::Segment {
                    start,
                    end: Some(end),
                    attributes: attributes.clone(),
                });
            }
            start = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Script, fold_of, segments};
    use serde_json::json;

    /// Ten minutes with black and silent moments at these seconds.
    fn event(blacks: &[i64]) -> Script {
        let mut script = Script::new(600_000, 1);
        for at in blacks {
            let at = at * 1000;
            script.range("black", at - 200, at + 200, &[("black", json!(true))]);
            script.range("quiet", at - 400, at + 600, &[("silence", json!(true))]);
        }
        script
    }

    fn run(mut options: serde_json::Value, script: &Script) -> Vec<(i64, i64)> {
        let longest = options.as_object_mut().unwrap().entry("max_segment");
        longest.or_insert(json!("1h"));
        let fold = fold_of("segment_by_commercials", options);
        let whole = segments(&script.run(&fold));
        for chunk in [700, 2000, 6000, 45_000] {
            let cut = script.clone().chunked(chunk);
            assert_eq!(segments(&cut.run(&fold)), whole, "chunks of {chunk} ms");
        }
        let seconds = |(start, end): (i64, Option<i64>)| (start / 1000, end.unwrap() / 1000);
        whole.into_iter().map(seconds).collect()
    }

    #[test]
    fn a_row_of_spots_is_a_break() {
        // Black moments in the programme at 50 and 400 stand alone.
        let script = event(&[50, 200, 230, 250, 280, 400]);
        assert_eq!(run(json!({}), &script), [(0, 200), (280, 600)]);
        assert_eq!(run(json!({"segments": "breaks"}), &script), [(200, 280)]);
        let both = run(json!({"segments": "both"}), &script);
        assert_eq!(both, [(0, 200), (200, 280), (280, 600)]);
        assert_eq!(run(json!({"min_spots": 4}), &script), [(0, 600)]);
        assert_eq!(run(json!({"max_spot": "25s"}), &script), [(0, 600)]);
    }

    /// The same with a look for the logo each second, which is gone in these ranges of seconds.
    fn with_logo(mut script: Script, gone: &[(i64, i64)]) -> Script {
        for second in 0..600 {
            let seen = !gone.iter().any(|(from, to)| (*from..*to).contains(&second));
            script.point("logo", second * 1000, &[("logo", json!(seen))]);
        }
        script
    }

    #[test]
    fn what_shows_the_logo_is_no_spot() {
        // Three moments that would be two spots; the logo stays in the first two, and goes from 500 on.
        let moments = event(&[200, 230, 250, 500, 530, 550]);
        let breaks = json!({"segments": "breaks"});
        assert_eq!(run(breaks.clone(), &moments), [(200, 250), (500, 550)]);
        let script = with_logo(moments, &[(500, 550)]);
        assert_eq!(run(breaks, &script), [(500, 550)]);
    }

    #[test]
    fn a_break_is_from_where_the_logo_goes_to_where_it_comes_back() {
        let options = json!({"separator": "logo", "segments": "both", "max_break": "100s"});
        // Gone for too short, for a break, for too long; a missing look in the break changes nothing.
        let script = with_logo(event(&[310]), &[(20, 30), (100, 180), (300, 450)]);
        let both = [(0, 100), (100, 180), (180, 600)];
        assert_eq!(run(options.clone(), &script), both);
        // Cuts between two looks are where it goes and comes.
        let mut cut = script.clone();
        for at in [99_400, 150_000, 179_200] {
            cut.point("cuts", at, &[("hard_cut", json!(true))]);
        }
        let fold = fold_of("segment_by_commercials", {
            let mut options = options.clone();
            options["max_segment"] = json!("1h");
            options["segments"] = json!("breaks");
            options
        });
        assert_eq!(segments(&cut.run(&fold)), [(99_400, Some(179_200))]);
        // What the stream marks counts, and the logo makes no second break of it.
        let mut marked = with_logo(Script::new(600_000, 1), &[(100, 168)]);
        marked.range("marks", 103_000, 163_000, &[("kind", json!("out"))]);
        let breaks = segments(&marked.run(&fold));
        assert_eq!(breaks, [(103_000, Some(163_000))]);
        // While it is gone the break is open, and it may end with the event.
        let open = Script::new(150_000, 1);
        let mut open = (0..150).fold(open, |mut open, second| {
            open.point("logo", second * 1000, &[("logo", json!(second < 100))]);
            open
        });
        assert_eq!(segments(&open.tail(&fold)), [(100_000, None)]);
        assert_eq!(segments(&open.run(&fold)), [(100_000, Some(150_000))]);
        open = Script::new(20_000, 1);
        assert_eq!(segments(&open.run(&fold)), []);
    }

    #[test]
    fn a_break_may_be_at_either_end() {
        let script = event(&[0, 30, 60, 540, 570, 599]);
        assert_eq!(run(json!({}), &script), [(60, 540)]);
        let breaks = run(json!({"segments": "breaks", "min_spots": 1}), &script);
        assert_eq!(breaks, [(0, 60), (540, 599)]);
    }

    #[test]
    fn black_that_is_heard_is_no_separator_unless_asked() {
        let mut script = Script::new(600_000, 1);
        for at in [200_000, 230_000, 260_000] {
            script.range("black", at, at + 400, &[("black", json!(true))]);
        }
        assert_eq!(run(json!({}), &script), [(0, 600)]);
        let black = run(json!({"separator": "black"}), &script);
        assert_eq!(black, [(0, 200), (260, 600)]);
    }

    #[test]
    fn double_black_is_one_and_slow_pictures_are_no_spots() {
        let mut script = event(&[200, 202, 230, 260]);
        assert_eq!(run(json!({}), &script), [(0, 200), (260, 600)]);
        let options = json!({"min_cuts_per_minute": 10});
        assert_eq!(run(options.clone(), &script), [(0, 600)]);
        for at in 201..260 {
            script.point("cuts", at * 1000, &[("hard_cut", json!(true))]);
        }
        assert_eq!(run(options, &script), [(0, 200), (260, 600)]);
    }

    #[test]
    fn marks_of_the_stream_count_first() {
        let mut script = event(&[110, 140, 170, 400, 430, 460]);
        script.range("cues", 100_000, 180_000, &[("kind", json!("out"))]);
        let both = json!({"segments": "both"});
        let parts = [(0, 100), (100, 180), (180, 400), (400, 460), (460, 600)];
        assert_eq!(run(both.clone(), &script), parts);
        // It comes back earlier than was announced.
        script.point("cues", 150_000, &[("kind", json!("in"))]);
        let parts = [(0, 100), (100, 150), (150, 400), (400, 460), (460, 600)];
        assert_eq!(run(both, &script), parts);
    }

    #[test]
    fn a_break_without_end_is_limited() {
        let mut script = event(&[]);
        script.point("cues", 100_000, &[("kind", json!("out"))]);
        assert_eq!(
            run(json!({"max_break": "2m"}), &script),
            [(0, 100), (220, 600)]
        );
        assert_eq!(run(json!({}), &script), [(0, 100)]);
    }

    #[test]
    fn long_parts_are_divided() {
        let script = event(&[200, 230, 260]);
        let parts = [(0, 90), (90, 180), (180, 200), (200, 260), (260, 350)];
        let all = run(json!({"segments": "both", "max_segment": "90s"}), &script);
        assert_eq!(all[..5], parts);
        assert_eq!(all[5..], [(350, 440), (440, 530), (530, 600)]);
        // The last second of the part before the break is too short.
        let options = json!({"max_segment": "199s"});
        assert_eq!(run(options, &script), [(0, 199), (260, 459), (459, 600)]);
    }

    #[test]
    fn what_goes_on_is_partial() {
        let fold = fold_of(
            "segment_by_commercials",
            json!({"segments": "both", "max_segment": "1h"}),
        );
        let mut script = event(&[200, 230, 260]);
        let parts = segments(&script.tail(&fold));
        assert_eq!(
            parts,
            [
                (0, Some(200_000)),
                (200_000, Some(260_000)),
                (260_000, None)
            ]
        );
        script.point("cues", 500_000, &[("kind", json!("out"))]);
        let parts = segments(&script.tail(&fold));
        assert_eq!(parts[3], (500_000, None));
        assert_eq!(parts[2], (260_000, Some(500_000)));
    }

    #[test]
    fn wrong_options_are_named() {
        let options = json!({"max_spot": "1s", "min_spots": 0, "min_cuts_per_minute": -1});
        let kind = crate::registry::find("segment_by_commercials").unwrap();
        let errors = kind.build(options.as_object().unwrap()).err().unwrap();
        let named: Vec<_> = errors.iter().filter_map(|e| e.option.as_deref()).collect();
        assert_eq!(named, ["max_spot", "min_spots", "min_cuts_per_minute"]);
    }
}
