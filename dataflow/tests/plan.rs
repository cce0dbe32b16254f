//! Plans and their pictures, of small operator types and of what is built in.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod spec_types;

use std::path::Path;

use matchcut_dataflow::plan::{self, Graph, Plan, PlanInput};
use matchcut_dataflow::spec::{self, Catalog};
use matchcut_model::observation::Class;
use matchcut_model::time::MediaTime;

fn text(name: &str) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/specs");
    std::fs::read_to_string(directory.join(name)).unwrap()
}

fn plan_of(text: &str, catalog: &Catalog) -> Plan {
    let spec = spec::parse(text, Path::new("t.toml"), &[], catalog).unwrap();
    plan::compile(&spec, catalog).unwrap()
}

fn tennis() -> Plan {
    plan_of(&text("good_tennis.toml"), &spec_types::catalog())
}

#[test]
fn names_become_indices() {
    let plan = tennis();
    let names: Vec<&str> = plan.operators.iter().map(|o| o.name.as_str()).collect();
    assert_eq!(names, ["cuts", "cheers", "view", "rally", "trim"]);
    let rally = plan.operator("rally").unwrap();
    assert_eq!(
        (rally.class, rally.observations.as_slice()),
        (Class::Segmenter, &[2][..])
    );
    assert_eq!(
        rally.options["max_segment"], "120s",
        "the pipeline gives its own"
    );
    let trim = plan.operator("trim").unwrap();
    assert_eq!(
        trim.inputs,
        [PlanInput::Operator(3), PlanInput::Operator(0)]
    );
    assert_eq!(
        (trim.segmenter, trim.rank, &trim.observations[..]),
        (Some(3), 0, &[0][..])
    );
    assert_eq!(plan.chains.len(), 1);
    assert_eq!(
        (plan.chains[0].segmenter, plan.chains[0].updates.as_slice()),
        (3, &[4][..])
    );
    let best = &plan.replays[0];
    assert_eq!(best.segmenter, 3);
    assert_eq!(best.request.duration, MediaTime::from_seconds(60));
    assert_eq!(best.request.tolerance, MediaTime::from_seconds(10));
    assert!(best.request.catchup);
    let features: Vec<(usize, &str)> = best
        .features
        .iter()
        .map(|f| (f.operator, f.feature.as_str()))
        .collect();
    assert_eq!(features, [(1, "cheers.peak"), (0, "cuts.hard_cut")]);
    assert_eq!(best.request.priorities.len(), 2);
    assert_eq!(
        plan.sinks[0].inputs,
        [PlanInput::Operator(4), PlanInput::Replay(0)]
    );
}

#[test]
fn operators_stand_behind_their_inputs() {
    let text = "[pipeline]\nname = \"x\"\n\
        [operators.name]\ntype = \"label_template\"\ninputs = [\"trim\"]\n\
        [operators.trim]\ntype = \"optimize_to_ranges\"\ninputs = [\"rally\"]\n\
        [operators.rally]\ntype = \"segment_by_sequence\"\ninputs = [\"view\"]\n\
        attribute = \"view\"\nstart = [[\"a\"]]\nend = [[\"b\"]]\nmax_segment = \"7s\"\n\
        [operators.view]\ntype = \"dominant_color\"\ninputs = [\"court.video\"]\n\
        [sources.court]\ntype = \"file\"\nuri = \"x.mp4\"\n";
    let plan = plan_of(text, &spec_types::catalog());
    let names: Vec<&str> = plan.operators.iter().map(|o| o.name.as_str()).collect();
    assert_eq!(names, ["view", "rally", "trim", "name"]);
    let ranks: Vec<u32> = plan.operators.iter().map(|o| o.rank).collect();
    assert_eq!(ranks, [0, 0, 0, 1]);
    assert_eq!(plan.operators[3].segmenter, Some(1));
    assert_eq!(
        plan.operators[1].options["max_segment"], "7s",
        "its own is kept"
    );
}

#[test]
fn a_plan_prints_and_serializes() {
    let plan = tennis();
    let printed = plan.to_string();
    assert!(printed.contains("segments rally -> trim\n"), "{printed}");
    assert!(
        printed.contains("cheers.peak = 90, cuts.hard_cut = 10"),
        "{printed}"
    );
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(json["operators"][4]["name"], "trim");
    assert_eq!(json["operators"][4]["inputs"][0]["operator"], 3);
}

#[test]
fn pictures_have_all_parts_and_edges() {
    let graph = Graph::new(&tennis());
    assert_eq!(graph.nodes.len(), 8);
    // 3 from the source, view to rally, rally and cuts to trim, trim to best, two to files,
    // and two implicit ones.
    assert_eq!(graph.edges.len(), 11);
    assert_eq!(graph.edges.iter().filter(|edge| edge.implicit).count(), 2);
    let dot = graph.dot();
    assert!(
        dot.contains("[label = \"peak × 90\", style = dashed]"),
        "{dot}"
    );
    assert!(dot.contains("[label = \"segments\"]"), "{dot}");
    let mermaid = graph.mermaid();
    assert!(mermaid.contains("-.->|\"hard_cut × 10\"|"), "{mermaid}");
    let svg = graph.svg();
    assert_eq!(svg.matches("marker-end").count(), 11);
    assert_eq!(svg.matches("stroke-dasharray").count(), 2);
    if let Some(path) = std::env::var_os("GRAPH_SVG") {
        std::fs::write(path, svg).unwrap();
    }
}

#[test]
fn boxes_do_not_overlap() {
    let svg = Graph::new(&tennis()).svg();
    let number = |line: &str, key: &str| -> f64 {
        let rest = line.split_once(&format!(" {key}=\"")).unwrap().1;
        rest.split_once('"').unwrap().0.parse().unwrap()
    };
    let boxes: Vec<[f64; 4]> = svg
        .lines()
        .filter(|line| line.starts_with("<rect x="))
        .map(|line| ["x", "y", "width", "height"].map(|key| number(line, key)))
        .collect();
    assert_eq!(boxes.len(), 8);
    for (at, a) in boxes.iter().enumerate() {
        for b in &boxes[at + 1..] {
            let apart = a[0] + a[2] <= b[0]
                || b[0] + b[2] <= a[0]
                || a[1] + a[3] <= b[1]
                || b[1] + b[3] <= a[1];
            assert!(apart, "{a:?} {b:?}");
        }
    }
}

#[test]
fn built_in_types_carry_the_example() {
    let plan = plan_of(&text("good_tennis.toml"), &Catalog::built_in());
    let classes: Vec<Class> = plan.operators.iter().map(|o| o.class).collect();
    use Class::{Featurer, Optimizer, Segmenter};
    assert_eq!(
        classes,
        [Featurer, Featurer, Featurer, Segmenter, Optimizer]
    );
    // Cuts and view look at frames, cheers listens.
    let looking: Vec<&str> = plan
        .operators
        .iter()
        .filter(|o| o.view.is_some())
        .map(|o| o.name.as_str())
        .collect();
    assert_eq!(looking, ["cuts", "view"]);
    let users: usize = plan.views.iter().map(|view| view.operators.len()).sum();
    assert_eq!(users, 2);
}

#[test]
fn equal_views_are_shared() {
    let text = "[pipeline]\nname = \"x\"\n[sources.a]\ntype = \"file\"\nuri = \"x.mp4\"\n\
        [operators.cuts]\ntype = \"scene_change\"\ninputs = [\"a.video\"]\n\
        [operators.fine]\ntype = \"scene_change\"\ninputs = [\"a.video\"]\nthreshold = 10\n";
    let plan = plan_of(text, &Catalog::built_in());
    assert_eq!(plan.views.len(), 1);
    assert_eq!(plan.views[0].operators, [0, 1]);
}
