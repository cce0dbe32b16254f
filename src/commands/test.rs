//! `matchcut test`: runs the `[[tests]]` of specs and says what came out differently.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use matchcut_dataflow::plan::Plan;
use matchcut_dataflow::run::recorded::{self, RecordedEvent};
use matchcut_dataflow::spec::{Mismatch, Spec, SpecTest, TestOutcome, compare};
use matchcut_model::value::Name;
use serde_json::json;

use crate::render::{CommandError, count, load_plan};

/// Run the tests in specs: given observations, expected segments and replays.
#[derive(Args, Clone, Debug)]
pub struct TestArgs {
    /// Pipeline specs.
    #[arg(value_name = "SPEC", required = true)]
    pub specs: Vec<PathBuf>,
    /// Set a value of the spec: operators.x.threshold=…; may be given several times.
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// Only tests whose name contains this.
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,
    /// How to print.
    #[arg(long, value_enum, default_value_t = TestFormat::Text)]
    pub format: TestFormat,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TestFormat {
    /// A line for each test, what differs below it.
    Text,
    /// One JSON array.
    Json,
}

/// Runs the tests of every spec.
pub fn run(args: &TestArgs) -> Result<ExitCode, CommandError> {
    run_with(args, |_, plan, test| {
        let event = RecordedEvent {
            observations: test
                .observations
                .iter()
                .map(|told| Arc::new(told.0.clone()))
                .collect(),
            end: Some(test.end),
            ..RecordedEvent::default()
        };
        let state = recorded::replay(plan, &event, 1).map_err(|error| error.to_string())?;
        let chosen = |name: &Name| state.chosen(name).map(|choice| choice.marks).collect();
        Ok(TestOutcome {
            segments: state.segments().cloned().collect(),
            replays: plan
                .replays
                .iter()
                .map(|r| (r.name.clone(), chosen(&r.name)))
                .collect(),
        })
    })
}

/// Runs the tests of every spec with `run_test`, which feeds the observations of a test to the
/// pipeline. Exit code 1 when something came out differently.
pub fn run_with(
    args: &TestArgs,
    mut run_test: impl FnMut(&Spec, &Plan, &SpecTest) -> Result<TestOutcome, String>,
) -> Result<ExitCode, CommandError> {
    let mut out = io::stdout().lock();
    let mut documents = Vec::new();
    let (mut passed, mut failed) = (0, 0);
    for path in &args.specs {
        let (spec, plan) = load_plan(path, &args.set)?;
        for test in &spec.tests {
            if args
                .only
                .as_ref()
                .is_some_and(|text| !test.name.contains(text))
            {
                continue;
            }
            let got = run_test(&spec, &plan, test).map_err(|message| CommandError::Test {
                name: test.name.clone(),
                message,
            })?;
            let mismatches = compare(test, &got);
            match mismatches.is_empty() {
                true => passed += 1,
                false => failed += 1,
            }
            match args.format {
                TestFormat::Text => {
                    let verdict = if mismatches.is_empty() {
                        "ok"
                    } else {
                        "FAILED"
                    };
                    writeln!(out, "{}: {} ... {verdict}", path.display(), test.name)?;
                    out.write_all(indented(&mismatches).as_bytes())?;
                }
                TestFormat::Json => documents.push(json!({
                    "spec": path.display().to_string(),
                    "test": test.name,
                    "ok": mismatches.is_empty(),
                    "mismatches": mismatches,
                })),
            }
        }
    }
    match args.format {
        TestFormat::Text if passed + failed == 0 => writeln!(out, "no tests")?,
        TestFormat::Text => {
            writeln!(
                out,
                "{}: {passed} passed, {failed} failed",
                count(passed + failed, "test")
            )?;
        }
        TestFormat::Json => {
            serde_json::to_writer_pretty(&mut out, &documents).map_err(io::Error::from)?;
            writeln!(out)?;
        }
    }
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn indented(mismatches: &[Mismatch]) -> String {
    let lines = mismatches
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n");
    lines.lines().map(|line| format!("  {line}\n")).collect()
}
