//! What of an event programs outside do: whose desk it has, which operators ask there, and what a plugin says.

use matchcut_operators::board::Row;
use serde_json::Value;

use crate::store::runs::Run;

/// The type of operators that ask programs outside.
const KIND: &str = "plugin";

/// What of an event is done outside.
pub struct Work {
    /// Program and event, as plugins are told them.
    pub program: String,
    /// The event.
    pub event: String,
}

impl Work {
    /// Of a run; none where everything is done here.
    pub fn of(run: &Run) -> Option<Work> {
        let spec: toml::Table = run.spec.parse().ok()?;
        let operators = spec.get("operators")?.as_table()?;
        let mut asks = operators.values();
        asks.any(|operator| operator.get("type").and_then(|kind| kind.as_str()) == Some(KIND))
            .then_some(())?;
        let pipeline = spec.get("pipeline")?;
        let text = |key: &str| {
            let text = pipeline.get(key).and_then(|text| text.as_str());
            text.filter(|text| !text.is_empty())
        };
        let name = text("name").unwrap_or_default();
        Some(Work {
            program: text("program").unwrap_or(name).to_owned(),
            event: text("event").unwrap_or(name).to_owned(),
        })
    }

    /// Whether an operator of a run observes what is said late, or unasked: a featurer that is asked outside, or that
    /// only hears.
    pub fn hears(run: &Run, operator: &str) -> bool {
        let spec: toml::Table = run.spec.parse().unwrap_or_default();
        let operators = spec.get("operators").and_then(|part| part.as_table());
        let found = operators.and_then(|operators| operators.get(operator));
        let text = |key: &str| found.and_then(|part| part.get(key)?.as_str());
        match text("type") {
            Some("external") => true,
            Some(KIND) => text("class").is_none_or(|class| class == "featurer"),
            _ => false,
        }
    }
}

/// What a plugin returned: the rows, or why it failed. An error says what is not of that form.
pub fn returned(returned: &Value) -> Result<Result<Vec<Row>, String>, String> {
    if let Some(message) = returned.get("errorMessage") {
        let kind = returned.get("errorType").and_then(Value::as_str);
        let message = message.as_str().unwrap_or_default();
        return Ok(Err(match kind {
            Some(kind) => format!("it failed with {kind}: {message}"),
            None => format!("it failed: {message}"),
        }));
    }
    let output = returned
        .get("Output")
        .and_then(Value::as_object)
        .ok_or("Output is missing, and errorMessage, too")?;
    let status = output.get("Status").and_then(Value::as_str);
    if let Some(status) = status.filter(|status| !status.eq_ignore_ascii_case("complete"))
        && !status.is_empty()
    {
        return Ok(Err(format!("it reports the status {status}, not Complete")));
    }
    let results = output.get("Results").and_then(Value::as_array);
    let results = results.ok_or("Output.Results is no list")?;
    rows(results).map(Ok)
}

/// Rows that each have a start.
pub fn rows(list: &[Value]) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (number, row) in list.iter().enumerate() {
        let found = row.as_object().filter(|row| {
            let start = row.get("Start").and_then(Value::as_f64);
            start.is_some_and(f64::is_finite)
        });
        let row = found.ok_or_else(|| format!("result {} has no Start", number + 1))?;
        rows.push(row.clone());
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_plugin_returned_is_rows_or_a_failure() {
        let good =
            json!({ "Output": { "Status": "Complete", "Results": [{ "Start": 1.5, "x": 1 }] } });
        let rows = returned(&good).unwrap().unwrap();
        assert_eq!(json!(rows), json!([{ "Start": 1.5, "x": 1 }]));
        let failed = json!({ "errorMessage": "no ball", "errorType": "ValueError" });
        assert_eq!(
            returned(&failed),
            Ok(Err("it failed with ValueError: no ball".to_owned()))
        );
        let status = json!({ "Output": { "Status": "Error", "Results": [] } });
        assert_eq!(
            returned(&status),
            Ok(Err("it reports the status Error, not Complete".to_owned()))
        );
        for (wrong, why) in [
            (json!({}), "Output is missing, and errorMessage, too"),
            (json!({ "Output": {} }), "Output.Results is no list"),
            (
                json!({ "Output": { "Results": [{ "End": 1 }] } }),
                "result 1 has no Start",
            ),
            (
                json!({ "Output": { "Results": [1] } }),
                "result 1 has no Start",
            ),
        ] {
            assert_eq!(returned(&wrong), Err(why.to_owned()));
        }
    }
}
