//! The layout of a graph as SVG.

use std::fmt::Write;

use super::layout::{BEND, CHARACTER, LABEL_HEIGHT, Layout, label_width};
use super::{Graph, NodeKind};

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

pub(super) fn render(graph: &Graph, layout: &Layout) -> String {
    let Layout { width, height, .. } = layout;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"DejaVu Sans, Verdana, sans-serif\">\n"
    );
    let title = escaped(&graph.title);
    let _ = writeln!(out, "<title>{title}</title>");
    out.push_str(
        "<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7.5\" refY=\"4\" markerWidth=\"7\" \
         markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#555\"/></marker></defs>\n",
    );
    out.push_str("<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n");
    let _ = writeln!(
        out,
        "<text x=\"28\" y=\"30\" font-size=\"15\" font-weight=\"bold\" fill=\"#222\">{title}</text>"
    );
    for (edge, path) in graph.edges.iter().zip(&layout.paths) {
        let dash = if edge.implicit {
            " stroke-dasharray=\"5 4\""
        } else {
            ""
        };
        let _ = writeln!(
            out,
            "<path d=\"{}\" fill=\"none\" stroke=\"#777\" stroke-width=\"1.4\"{dash} \
             marker-end=\"url(#arrow)\"/>",
            curve(path)
        );
    }
    for (edge, (x, y)) in graph.edges.iter().zip(&layout.labels) {
        let width = label_width(&edge.label);
        // A white ground keeps it readable on its line.
        let _ = writeln!(
            out,
            "<path d=\"M{:.1} {:.1}h{width:.1}v{LABEL_HEIGHT}h-{width:.1}z\" fill=\"#fff\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" font-size=\"10.5\" text-anchor=\"middle\" \
             fill=\"#444\">{}</text>",
            x - width / 2.0,
            y - LABEL_HEIGHT / 2.0,
            y + 3.5,
            escaped(&edge.label)
        );
    }
    for (node, area) in graph.nodes.iter().zip(&layout.boxes) {
        let (fill, line) = node.kind.colors();
        let radius = match node.kind {
            NodeKind::Source => 22.0,
            NodeKind::Replay => 14.0,
            NodeKind::Operator(_) => 7.0,
            NodeKind::Sink => 2.0,
        };
        let centre = area.x + area.width / 2.0;
        let _ = writeln!(
            out,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"{radius}\" \
             fill=\"{fill}\" stroke=\"{line}\" stroke-width=\"1.4\"/>",
            area.x, area.y, area.width, area.height
        );
        let _ = writeln!(
            out,
            "<text x=\"{centre:.1}\" y=\"{:.1}\" font-size=\"13\" font-weight=\"bold\" \
             text-anchor=\"middle\" fill=\"#222\">{}</text>",
            area.y + 20.0,
            escaped(&node.name)
        );
        let _ = writeln!(
            out,
            "<text x=\"{centre:.1}\" y=\"{:.1}\" font-size=\"{:.1}\" text-anchor=\"middle\" \
             fill=\"{line}\">{}: {}</text>",
            area.y + 36.0,
            CHARACTER * 1.4,
            node.kind.title(),
            escaped(&node.detail)
        );
    }
    out.push_str("</svg>\n");
    out
}

/// Through all points; between columns it swings, inside a column it is straight.
fn curve(points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    for (at, (x, y)) in points.iter().enumerate() {
        if at == 0 {
            let _ = write!(path, "M{x:.1} {y:.1}");
        } else {
            let (from_x, from_y) = points[at - 1];
            if (y - from_y).abs() < 0.05 {
                let _ = write!(path, "L{x:.1} {y:.1}");
            } else {
                let bend = (x - from_x) * BEND;
                let _ = write!(
                    path,
                    "C{:.1} {from_y:.1} {:.1} {y:.1} {x:.1} {y:.1}",
                    from_x + bend,
                    x - bend
                );
            }
        }
    }
    path
}
