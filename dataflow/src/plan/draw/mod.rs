//! A plan as a picture: nodes and typed edges, then DOT, Mermaid or SVG.

mod layout;
mod svg;

use std::fmt::Write;

use matchcut_model::observation::Class;

use super::{Plan, PlanInput};

/// What a node stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeKind {
    /// A source.
    Source,
    /// An operator of a class.
    Operator(Class),
    /// A replay.
    Replay,
    /// A sink.
    Sink,
}

impl NodeKind {
    fn title(self) -> &'static str {
        match self {
            NodeKind::Source => "source",
            NodeKind::Operator(Class::Featurer) => "featurer",
            NodeKind::Operator(Class::Segmenter) => "segmenter",
            NodeKind::Operator(Class::Optimizer) => "optimizer",
            NodeKind::Operator(Class::Labeler) => "labeler",
            NodeKind::Replay => "replay",
            NodeKind::Sink => "sink",
        }
    }

    /// Fill and line; dark enough text fits on each.
    fn colors(self) -> (&'static str, &'static str) {
        match self {
            NodeKind::Source => ("#e8eef7", "#4a6fa5"),
            NodeKind::Operator(Class::Featurer) => ("#e6f4ea", "#3c8752"),
            NodeKind::Operator(Class::Segmenter) => ("#fdf1dc", "#b7791f"),
            NodeKind::Operator(Class::Optimizer) => ("#fbe9e1", "#b4532a"),
            NodeKind::Operator(Class::Labeler) => ("#f6e8f4", "#93478a"),
            NodeKind::Replay => ("#efeafb", "#6b4fbb"),
            NodeKind::Sink => ("#ececec", "#5f6368"),
        }
    }
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphNode {
    /// Unique, of letters, digits and _.
    pub id: String,
    /// Its name in the spec.
    pub name: String,
    /// Its type in the spec, or what else says what it is.
    pub detail: String,
    /// What it stands for.
    pub kind: NodeKind,
}

/// An edge between nodes, by index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphEdge {
    /// From.
    pub from: usize,
    /// To.
    pub to: usize,
    /// What flows.
    pub label: String,
    /// A feature of a replay: wired by `weights` or `include`, not by `inputs`.
    pub implicit: bool,
}

/// The parts of a pipeline with what flows between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// The name of the pipeline.
    pub title: String,
    /// Sources, operators, replays and sinks.
    pub nodes: Vec<GraphNode>,
    /// Edges.
    pub edges: Vec<GraphEdge>,
}

impl Graph {
    /// The graph of a plan.
    pub fn new(plan: &Plan) -> Self {
        let mut nodes = Vec::new();
        let mut node = |name: &str, detail: &str, kind: NodeKind| {
            let id = format!("n{}", nodes.len());
            nodes.push(GraphNode {
                id,
                name: name.to_owned(),
                detail: detail.to_owned(),
                kind,
            });
        };
        for source in &plan.sources {
            node(&source.name, &source.kind, NodeKind::Source);
        }
        for operator in &plan.operators {
            node(
                &operator.name,
                &operator.kind,
                NodeKind::Operator(operator.class),
            );
        }
        for replay in &plan.replays {
            let detail = match replay.request.mode {
                matchcut_model::replay::Mode::Duration => {
                    format!("{} s", replay.request.duration.rounded_seconds())
                }
                matchcut_model::replay::Mode::Features => "by features".to_owned(),
                matchcut_model::replay::Mode::Timestamps => "given times".to_owned(),
            };
            node(&replay.name, &detail, NodeKind::Replay);
        }
        for sink in &plan.sinks {
            node(&sink.name, &sink.kind, NodeKind::Sink);
        }
        let first_operator = plan.sources.len();
        let first_replay = first_operator + plan.operators.len();
        let first_sink = first_replay + plan.replays.len();
        let mut edges = Vec::new();
        let mut edge = |input: PlanInput, to: usize| {
            let from = match input {
                PlanInput::Video(at) | PlanInput::Audio(at) | PlanInput::Cues(at) => at,
                PlanInput::Operator(at) => first_operator + at,
                PlanInput::Replay(at) => first_replay + at,
            };
            let label = plan.kind_of(input).to_string();
            edges.push(GraphEdge {
                from,
                to,
                label,
                implicit: false,
            });
        };
        for operator in &plan.operators {
            operator
                .inputs
                .iter()
                .for_each(|input| edge(*input, first_operator + operator.index));
        }
        for (at, replay) in plan.replays.iter().enumerate() {
            replay
                .inputs
                .iter()
                .for_each(|input| edge(*input, first_replay + at));
        }
        for (at, sink) in plan.sinks.iter().enumerate() {
            sink.inputs
                .iter()
                .for_each(|input| edge(*input, first_sink + at));
        }
        for (at, replay) in plan.replays.iter().enumerate() {
            for feature in &replay.features {
                let short = feature.feature.split_once('.').map_or("", |(_, rest)| rest);
                let label = match feature.weight {
                    Some(weight) => format!("{short} × {weight}"),
                    None => short.to_owned(),
                };
                let (from, to) = (first_operator + feature.operator, first_replay + at);
                // Several features of one operator share an edge.
                match edges
                    .iter_mut()
                    .find(|e| e.implicit && e.from == from && e.to == to)
                {
                    Some(edge) => {
                        edge.label.push_str(", ");
                        edge.label.push_str(&label);
                    }
                    None => edges.push(GraphEdge {
                        from,
                        to,
                        label,
                        implicit: true,
                    }),
                }
            }
        }
        Graph {
            title: plan.pipeline.name.clone(),
            nodes,
            edges,
        }
    }

    /// For Graphviz.
    pub fn dot(&self) -> String {
        let quoted =
            |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let mut out = format!("digraph {} {{\n  rankdir = LR;\n", quoted(&self.title));
        out.push_str(
            "  node [shape = box, style = \"rounded,filled\", fontname = \"sans-serif\"];\n",
        );
        out.push_str("  edge [fontname = \"sans-serif\", fontsize = 10];\n");
        for node in &self.nodes {
            let (fill, line) = node.kind.colors();
            let label = quoted(&format!(
                "{}\n{}: {}",
                node.name,
                node.kind.title(),
                node.detail
            ));
            let label = label.replace('\n', "\\n");
            let _ = writeln!(
                out,
                "  {} [label = {label}, fillcolor = \"{fill}\", color = \"{line}\"];",
                node.id
            );
        }
        for edge in &self.edges {
            let style = if edge.implicit {
                ", style = dashed"
            } else {
                ""
            };
            let (from, to) = (&self.nodes[edge.from].id, &self.nodes[edge.to].id);
            let _ = writeln!(
                out,
                "  {from} -> {to} [label = {}{style}];",
                quoted(&edge.label)
            );
        }
        out.push_str("}\n");
        out
    }

    /// For Mermaid.
    pub fn mermaid(&self) -> String {
        let plain = |text: &str| text.replace('"', "#quot;");
        let mut out = String::from("flowchart LR\n");
        for node in &self.nodes {
            let label = format!(
                "{}<br/>{}: {}",
                plain(&node.name),
                node.kind.title(),
                plain(&node.detail)
            );
            let (open, close) = match node.kind {
                NodeKind::Source => ("([", "])"),
                NodeKind::Operator(_) => ("[", "]"),
                NodeKind::Replay => ("{{", "}}"),
                NodeKind::Sink => ("[(", ")]"),
            };
            let _ = writeln!(out, "  {}{open}\"{label}\"{close}", node.id);
        }
        for edge in &self.edges {
            let arrow = if edge.implicit { "-.->" } else { "-->" };
            let (from, to) = (&self.nodes[edge.from].id, &self.nodes[edge.to].id);
            let _ = writeln!(out, "  {from} {arrow}|\"{}\"| {to}", plain(&edge.label));
        }
        for node in &self.nodes {
            let (fill, line) = node.kind.colors();
            let _ = writeln!(out, "  style {} fill:{fill},stroke:{line}", node.id);
        }
        out
    }

    /// A picture of its own.
    pub fn svg(&self) -> String {
        svg::render(self, &layout::layout(self))
    }
}
