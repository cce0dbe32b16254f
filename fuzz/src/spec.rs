//! Specs: diagnostics point into the text they are about, a spec that is right has a plan and keeps
//! it, and what it says can be printed and drawn.

use std::path::Path;
use std::sync::LazyLock;

use matchcut_dataflow::plan::{Graph, compile};
use matchcut_dataflow::spec::{Catalog, Diagnostics, Override, Spec, SpecError, parse};
use matchcut_model::replay::FeatureKey;
use matchcut_operators::sdk::{Description, Operator, OperatorType, OptionError, Options};

use crate::parts;

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    let mut catalog = Catalog::built_in();
    // What comes from outside is no program to be started.
    catalog
        .operators
        .retain(|kind| !["process", "onnx", "speech", "wasm"].contains(&kind.describe().name));
    for kind in &mut catalog.operators {
        let description = kind.describe();
        *kind = Box::leak(Box::new(Described {
            kind: *kind,
            description,
        }));
    }
    catalog
});

/// A type of operator that describes itself once, which takes longer than to read a spec.
struct Described {
    kind: &'static dyn OperatorType,
    description: Description,
}

impl OperatorType for Described {
    fn describe(&self) -> Description {
        self.description.clone()
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        self.kind.build(options)
    }
}

pub(crate) fn run(data: &[u8]) {
    let mut parts = parts(data, 4).map(String::from_utf8_lossy);
    let text = parts.next().unwrap_or_default();
    let overrides: Vec<Override> = parts.map(|text| Override(text.into_owned())).collect();
    let read = || parse(&text, Path::new("dir/a.toml"), &overrides, &CATALOG);
    match read() {
        Ok(spec) => {
            assert!(!spec.warnings.has_errors());
            diagnostics(&spec.warnings, &text, &overrides);
            planned(&spec);
            let again = read().expect("it was right");
            assert_eq!(json(&spec), json(&again));
        }
        Err(SpecError::Invalid(found) | SpecError::Usage(found)) => {
            assert!(found.has_errors(), "refused without a reason");
            diagnostics(&found, &text, &overrides);
        }
        Err(error @ SpecError::Read { .. }) => panic!("nothing is opened: {error}"),
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("a spec and its plan are data")
}

/// A finding has a place in its file, or in one of the arguments.
fn diagnostics(found: &Diagnostics, text: &str, overrides: &[Override]) {
    assert!(json(found).len() > 1);
    for finding in found.iter() {
        assert!(finding.to_string().contains(&finding.message));
        let fits = |text: &str| {
            let (start, end) = finding.span;
            let Some(line) = text.split('\n').nth(finding.line.wrapping_sub(1)) else {
                return false;
            };
            let line = line.strip_suffix('\r').unwrap_or(line);
            let line_start = text.get(..start).map(|before| {
                let line_start = before.rfind('\n').map_or(0, |at| at + 1);
                (
                    before.matches('\n').count() + 1,
                    before[line_start..].chars().count() + 1,
                )
            });
            start <= end
                && text.get(start..end).is_some()
                && line_start == Some((finding.line, finding.column))
                && finding.snippet.text == line
                && finding.snippet.underline >= 1
        };
        let good = match finding.file.as_str() {
            "--set" => overrides.iter().any(|argument| fits(&argument.0)),
            file => file == "dir/a.toml" && fits(text),
        };
        assert!(good, "{finding:?}");
    }
}

fn planned(spec: &Spec) {
    let plan = match compile(spec, &CATALOG) {
        Ok(plan) => plan,
        Err(error) => panic!("a spec that is right has a plan: {error:?}"),
    };
    assert_eq!(plan.operators.len(), spec.operators.len());
    assert_eq!(plan.replays.len(), spec.replays.len());
    assert!(plan.to_string().starts_with("pipeline "));
    assert!(json(&plan).len() > 2);
    let graph = Graph::new(&plan);
    assert!(graph.dot().starts_with("digraph"));
    assert!(!graph.mermaid().is_empty());
    assert!(graph.svg().contains("</svg>"));
    for replay in &spec.replays {
        let keys = replay.weights.iter().map(|(key, _)| key);
        for key in keys.chain(&replay.include) {
            let text = key.to_string();
            assert_eq!(text.parse::<FeatureKey>().as_ref(), Ok(key), "{text}");
        }
        assert!(replay.weights.iter().all(|(_, weight)| weight.is_finite()));
    }
}
