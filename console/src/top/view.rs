//! What was seen of a service at one moment, as texts: a row for each event, and more of one of them. What is counted as
//! a whole is told of the time between two looks where there were two.

use serde_json::Value;

use super::page::Page;

/// The columns of the table.
pub const COLUMNS: [&str; 13] = [
    "EVENT",
    "STATE",
    "EPOCH",
    "TIME",
    "LAG",
    "CHUNKS",
    "MISSING",
    "SEGMENTS",
    "OBSERVED",
    "DECODE",
    "IN FLIGHT",
    "OUTBOX",
    "ERRORS",
];

/// What stands where nothing is known.
const NONE: &str = "-";

/// A row of the table.
pub type Row = [String; COLUMNS.len()];

/// States of events that are under way; they stand first.
const LIVE: [&str; 4] = ["running", "draining", "revising", "queued"];

/// An event, as it is listed.
#[derive(Debug)]
struct Event {
    id: String,
    state: String,
    reason: Option<String>,
    epoch: Option<u64>,
    segments: u64,
    observations: u64,
    failures: u64,
}

/// What was seen.
#[derive(Debug)]
pub struct View {
    events: Vec<Event>,
    page: Page,
}

impl View {
    /// Out of a list of events, and a page of metrics.
    pub(super) fn new(items: &[Value], page: Page) -> View {
        let mut events: Vec<Event> = items.iter().filter_map(event).collect();
        // Stable: the newest of each stay first.
        events.sort_by_key(|event| {
            let place = LIVE.iter().position(|state| *state == event.state);
            place.unwrap_or(LIVE.len())
        });
        View { events, page }
    }

    /// The service in a line.
    pub fn summary(&self) -> String {
        let version = self.page.values("matchcut_build_info", &[], "version");
        let version = version.first().map_or(NONE, String::as_str);
        let mut states: Vec<(&str, usize)> = Vec::new();
        for event in &self.events {
            match states.iter_mut().find(|(state, _)| *state == event.state) {
                Some((_, number)) => *number += 1,
                None => states.push((&event.state, 1)),
            }
        }
        let states: Vec<String> = states
            .iter()
            .map(|(state, number)| format!("{number} {state}"))
            .collect();
        let states = match states.is_empty() {
            true => "no events".to_owned(),
            false => states.join(", "),
        };
        let memory = self.page.sum("process_resident_memory_bytes", &[]);
        let cpu = self.page.sum("process_cpu_seconds_total", &[]);
        let asked = self.page.sum("matchcut_http_requests_total", &[]);
        format!(
            "matchcut {version}: {states}; memory {}, processor {}, {} requests",
            memory.map_or(NONE.to_owned(), bytes),
            cpu.map_or(NONE.to_owned(), seconds),
            whole(asked),
        )
    }

    /// The ids of events, in the order of rows.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.events.iter().map(|event| event.id.as_str())
    }

    /// A row for each event.
    pub fn rows(&self, before: Option<&View>) -> Vec<Row> {
        let rows = self.events.iter();
        rows.map(|event| self.row(event, before)).collect()
    }

    fn row(&self, event: &Event, before: Option<&View>) -> Row {
        let mine = [("event", event.id.as_str())];
        let sum = |name: &str| self.page.sum(name, &mine);
        let missing = [mine[0], ("outcome", "missing")];
        let placed = [mine[0], ("outcome", "placed")];
        let chunks = |labels: &[(&str, &str)]| self.page.sum("matchcut_chunks_total", labels);
        let in_flight = match (
            sum("matchcut_epochs_in_flight"),
            sum("matchcut_bytes_in_flight"),
        ) {
            (Some(epochs), Some(size)) => format!("{epochs}/{}", bytes(size)),
            _ => NONE.to_owned(),
        };
        [
            event.id.clone(),
            event.state.clone(),
            event
                .epoch
                .map_or(NONE.to_owned(), |epoch| epoch.to_string()),
            sum("matchcut_event_seconds").map_or(NONE.to_owned(), clock),
            self.lag(&event.id, before).map_or(NONE.to_owned(), seconds),
            whole(chunks(&placed)),
            // A run that has any chunk would have told of one that is missing.
            whole(chunks(&missing).or(chunks(&placed).map(|_| 0.0))),
            event.segments.to_string(),
            event.observations.to_string(),
            sum("matchcut_decode_seconds_sum").map_or(NONE.to_owned(), seconds),
            in_flight,
            whole(sum("matchcut_outbox_rows")),
            event.failures.to_string(),
        ]
    }

    /// How long after a chunk was seen it was committed, on average; since another look, where there was any since.
    fn lag(&self, id: &str, before: Option<&View>) -> Option<f64> {
        let labels = [("event", id), ("stage", "committed")];
        let of = |view: &View, name: &str| view.page.sum(name, &labels);
        let (sum, count) = ("matchcut_stage_seconds_sum", "matchcut_stage_seconds_count");
        let (all, number) = (of(self, sum)?, of(self, count)?);
        let earlier = before.and_then(|view| Some((of(view, sum)?, of(view, count)?)));
        let (all, number) = match earlier {
            Some((sum, count)) if number > count => (all - sum, number - count),
            _ => (all, number),
        };
        (number > 0.0).then(|| all / number)
    }

    /// What else is known of an event, a line each.
    pub fn more(&self, id: &str) -> Vec<String> {
        let Some(event) = self.events.iter().find(|event| event.id == id) else {
            return Vec::new();
        };
        let mut lines = Vec::new();
        if let Some(reason) = &event.reason {
            lines.push(format!("reason: {reason}"));
        }
        let event = ("event", id);
        let operators = self
            .page
            .values("matchcut_operator_seconds_count", &[event], "operator");
        for operator in operators {
            let name = ("operator", operator.as_str());
            let part = |part: &str| {
                let labels = [event, name, ("part", part)];
                let spent = self.page.sum("matchcut_operator_seconds_sum", &labels)?;
                Some(format!(" {part} {}", seconds(spent)))
            };
            let parts: String = ["scan", "step"]
                .iter()
                .filter_map(|text| part(text))
                .collect();
            let observed = self.page.sum("matchcut_observations_total", &[event, name]);
            let observed = observed.map_or(String::new(), |n| format!(", {n} observations"));
            lines.push(format!("operator {operator}:{parts}{observed}"));
        }
        for replay in self
            .page
            .values("matchcut_replay_segments", &[event], "replay")
        {
            let labels = [event, ("replay", replay.as_str())];
            let plays = whole(self.page.sum("matchcut_replay_segments", &labels));
            lines.push(format!("replay {replay}: {plays} segments"));
        }
        for sink in self.page.values("matchcut_outbox_rows", &[event], "sink") {
            let labels = [event, ("sink", sink.as_str())];
            let value = |name: &str| self.page.sum(name, &labels);
            let away = match value("matchcut_sink_up") {
                Some(0.0) => ", away",
                _ => "",
            };
            lines.push(format!(
                "sink {sink}: {} waiting, {} carried, {} errors{away}",
                whole(value("matchcut_outbox_rows")),
                whole(value("matchcut_sink_rows_total").or(Some(0.0))),
                whole(value("matchcut_sink_errors_total").or(Some(0.0))),
            ));
        }
        lines
    }
}

fn event(item: &Value) -> Option<Event> {
    let text = |key: &str| item.get(key).and_then(Value::as_str).map(str::to_owned);
    let count = |key: &str| {
        let counts = item.get("counts")?;
        counts.get(key).and_then(Value::as_u64)
    };
    Some(Event {
        id: text("id")?,
        state: text("state")?,
        reason: text("reason"),
        epoch: item.get("epoch").and_then(Value::as_u64),
        segments: count("segments").unwrap_or_default(),
        observations: count("observations").unwrap_or_default(),
        failures: count("failures").unwrap_or_default(),
    })
}

fn whole(number: Option<f64>) -> String {
    number.map_or(NONE.to_owned(), |number| format!("{number:.0}"))
}

/// `0.21s`, `12.3s`, `4810s`.
fn seconds(value: f64) -> String {
    match value {
        value if value < 10.0 => format!("{value:.2}s"),
        value if value < 1000.0 => format!("{value:.1}s"),
        value => format!("{value:.0}s"),
    }
}

/// `1:02:03.4`
fn clock(value: f64) -> String {
    let tenths = (value.max(0.0) * 10.0).round();
    let (minutes, rest) = ((tenths / 600.0).floor(), tenths % 600.0);
    let (hours, minutes) = ((minutes / 60.0).floor(), minutes % 60.0);
    format!("{hours:.0}:{minutes:02.0}:{:04.1}", rest / 10.0)
}

/// `812B`, `3.4M`.
fn bytes(value: f64) -> String {
    let mut value = value;
    for unit in ["B", "K", "M", "G"] {
        if value < 1000.0 {
            let digits = usize::from(unit != "B" && value < 100.0);
            return format!("{value:.digits$}{unit}");
        }
        value /= 1000.0;
    }
    format!("{value:.1}T")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(id: &str, state: &str, epoch: Option<u64>) -> Value {
        let counts = json!({ "segments": 4, "observations": 30, "replays": 1, "failures": 2 });
        json!({ "id": id, "state": state, "reason": null, "epoch": epoch, "counts": counts })
    }

    fn page(committed: (f64, u64)) -> Page {
        let (sum, count) = committed;
        Page::read(&format!(
            "matchcut_build_info{{version=\"0.1.0\"}} 1\n\
             process_resident_memory_bytes 123400000\n\
             matchcut_chunks_total{{event=\"cup\",source=\"tv\",outcome=\"placed\"}} 12\n\
             matchcut_event_seconds{{event=\"cup\"}} 3723.44\n\
             matchcut_decode_seconds_sum{{event=\"cup\"}} 18.25\n\
             matchcut_epochs_in_flight{{event=\"cup\"}} 3\n\
             matchcut_bytes_in_flight{{event=\"cup\"}} 4100000\n\
             matchcut_outbox_rows{{event=\"cup\",sink=\"bus\"}} 5\n\
             matchcut_sink_up{{event=\"cup\",sink=\"bus\"}} 0\n\
             matchcut_operator_seconds_count{{event=\"cup\",operator=\"cuts\",part=\"scan\"}} 12\n\
             matchcut_operator_seconds_sum{{event=\"cup\",operator=\"cuts\",part=\"scan\"}} 1.5\n\
             matchcut_observations_total{{event=\"cup\",operator=\"cuts\"}} 30\n\
             matchcut_replay_segments{{event=\"cup\",replay=\"best\"}} 2\n\
             matchcut_stage_seconds_sum{{event=\"cup\",stage=\"committed\"}} {sum}\n\
             matchcut_stage_seconds_count{{event=\"cup\",stage=\"committed\"}} {count}\n"
        ))
    }

    #[test]
    fn a_row_says_how_far_an_event_is() {
        let items = [
            item("old", "complete", Some(9)),
            item("cup", "running", Some(14)),
        ];
        let view = View::new(&items, page((12.0, 10)));
        let [cup, old] = &view.rows(None)[..] else {
            panic!("two events");
        };
        let expected = [
            "cup",
            "running",
            "14",
            "1:02:03.4",
            "1.20s",
            "12",
            "0",
            "4",
            "30",
            "18.2s",
            "3/4.1M",
            "5",
            "2",
        ];
        assert_eq!(cup, &expected);
        let expected = [
            "old", "complete", "9", "-", "-", "-", "-", "4", "30", "-", "-", "-", "2",
        ];
        assert_eq!(old, &expected);
        assert_eq!(
            view.summary(),
            "matchcut 0.1.0: 1 running, 1 complete; memory 123M, processor -, - requests"
        );
        let lines = [
            "operator cuts: scan 1.50s, 30 observations",
            "replay best: 2 segments",
            "sink bus: 5 waiting, 0 carried, 0 errors, away",
        ];
        assert_eq!(view.more("cup"), lines);
        assert_eq!(view.more("none"), [""; 0]);
    }

    #[test]
    fn lag_is_that_of_the_time_between_two_looks() {
        let view = |committed| View::new(&[item("cup", "running", None)], page(committed));
        let before = view((12.0, 10));
        assert_eq!(view((12.0, 10)).lag("cup", Some(&before)), Some(1.2));
        assert_eq!(view((13.0, 12)).lag("cup", Some(&before)), Some(0.5));
        // The service was begun anew.
        assert_eq!(view((4.0, 2)).lag("cup", Some(&before)), Some(2.0));
        assert_eq!(view((0.0, 0)).lag("cup", None), None);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [0.214, 12.34, 4810.2].map(seconds),
            ["0.21s", "12.3s", "4810s"]
        );
        assert_eq!(
            [0.0, 59.96, 36_000.0].map(clock),
            ["0:00:00.0", "0:01:00.0", "10:00:00.0"]
        );
        let sizes = [812.0, 3_400.0, 340_000.0, 12e9, 5e12];
        assert_eq!(sizes.map(bytes), ["812B", "3.4K", "340K", "12.0G", "5.0T"]);
    }
}
