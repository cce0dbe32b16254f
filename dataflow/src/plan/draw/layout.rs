//! A layered layout: columns by the longest way from a source, rows by the mean of the neighbours.
//! An edge that passes columns gets a place of its own in each, so that it goes around boxes.

use super::Graph;

/// Sizes in pixels. Text is measured by a mean width of a character, which is on the safe side.
pub(super) const CHARACTER: f64 = 7.6;
pub(super) const BOX_HEIGHT: f64 = 46.0;
const LANE_HEIGHT: f64 = 22.0;
const ROW_GAP: f64 = 22.0;
const MARGIN: f64 = 28.0;
/// Height of the label of an edge.
pub(super) const LABEL_HEIGHT: f64 = 14.0;
/// How far an edge runs level before it bends, as a share of its width.
pub(super) const BEND: f64 = 0.45;

/// A box, by its top left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Area {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

/// Where everything is.
pub(super) struct Layout {
    /// Of the nodes, in their order.
    pub boxes: Vec<Area>,
    /// Of the edges, in their order: the points an edge runs through.
    pub paths: Vec<Vec<(f64, f64)>>,
    /// Where the label of an edge stands (its centre).
    pub labels: Vec<(f64, f64)>,
    pub width: f64,
    pub height: f64,
}

/// What takes a place in a column: a node, or the lane of an edge that passes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Item {
    Node(usize),
    Lane(usize),
}

pub(super) fn layout(graph: &Graph) -> Layout {
    let layers = layers(graph);
    let count = layers.iter().max().map_or(0, |last| last + 1);
    let mut columns: Vec<Vec<Item>> = vec![Vec::new(); count];
    for (node, layer) in layers.iter().enumerate() {
        columns[*layer].push(Item::Node(node));
    }
    for (edge, ends) in graph.edges.iter().enumerate() {
        for column in
            &mut columns[layers[ends.from] + 1..layers[ends.to].max(layers[ends.from] + 1)]
        {
            column.push(Item::Lane(edge));
        }
    }
    sort_rows(graph, &mut columns);
    place(graph, &layers, &columns)
}

/// Column of each node: behind everything it takes from; sinks stand in the last.
fn layers(graph: &Graph) -> Vec<usize> {
    let mut layers = vec![0; graph.nodes.len()];
    // Edges lead forward in a plan, so that as many rounds as nodes settle everything.
    for _ in 0..graph.nodes.len() {
        let mut changed = false;
        for edge in &graph.edges {
            if layers[edge.to] <= layers[edge.from] {
                layers[edge.to] = layers[edge.from] + 1;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    let last = layers.iter().copied().max().unwrap_or(0);
    for (at, node) in graph.nodes.iter().enumerate() {
        if node.kind == super::NodeKind::Sink && graph.edges.iter().any(|edge| edge.to == at) {
            layers[at] = last;
        }
    }
    layers
}

/// What an item is joined to in the next column to the left or right.
fn neighbours(graph: &Graph, item: Item, column: &[Item]) -> Vec<usize> {
    let touches = |edge: usize| -> [Item; 3] {
        let ends = &graph.edges[edge];
        [Item::Node(ends.from), Item::Node(ends.to), Item::Lane(edge)]
    };
    let edges: Vec<usize> = match item {
        Item::Lane(edge) => vec![edge],
        Item::Node(node) => (0..graph.edges.len())
            .filter(|edge| graph.edges[*edge].from == node || graph.edges[*edge].to == node)
            .collect(),
    };
    column
        .iter()
        .enumerate()
        .filter(|(_, other)| edges.iter().any(|edge| touches(*edge).contains(other)))
        .map(|(row, _)| row)
        .collect()
}

/// Fewer crossings: every column is sorted by the mean row of its neighbours, to and fro.
fn sort_rows(graph: &Graph, columns: &mut [Vec<Item>]) {
    let mut best = columns.to_vec();
    let mut fewest = crossings(graph, columns);
    for round in 0..12 {
        let forward = round % 2 == 0;
        let order: Vec<usize> = match forward {
            true => (1..columns.len()).collect(),
            false => (0..columns.len().saturating_sub(1)).rev().collect(),
        };
        for at in order {
            let other = columns[if forward { at - 1 } else { at + 1 }].clone();
            let mut keyed: Vec<(f64, usize, Item)> = columns[at]
                .iter()
                .enumerate()
                .map(|(row, item)| {
                    let rows = neighbours(graph, *item, &other);
                    // In parts of the column, so that short and long columns compare.
                    let scale = columns[at].len() as f64 / other.len().max(1) as f64;
                    let mean = match rows.is_empty() {
                        true => row as f64,
                        false => rows.iter().sum::<usize>() as f64 / rows.len() as f64 * scale,
                    };
                    (mean, row, *item)
                })
                .collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            columns[at] = keyed.into_iter().map(|(_, _, item)| item).collect();
        }
        let now = crossings(graph, columns);
        if now < fewest {
            fewest = now;
            best = columns.to_vec();
        }
    }
    columns.clone_from_slice(&best);
}

fn crossings(graph: &Graph, columns: &[Vec<Item>]) -> usize {
    let mut count = 0;
    for pair in columns.windows(2) {
        let mut joins: Vec<(usize, usize)> = Vec::new();
        for (row, item) in pair[0].iter().enumerate() {
            joins.extend(
                neighbours(graph, *item, &pair[1])
                    .into_iter()
                    .map(|other| (row, other)),
            );
        }
        for (at, a) in joins.iter().enumerate() {
            let crosses =
                |b: &&(usize, usize)| (a.0 < b.0 && a.1 > b.1) || (a.0 > b.0 && a.1 < b.1);
            count += joins[at + 1..].iter().filter(crosses).count();
        }
    }
    count
}

fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * CHARACTER
}

fn place(graph: &Graph, layers: &[usize], columns: &[Vec<Item>]) -> Layout {
    let node_width = |node: usize| {
        let node = &graph.nodes[node];
        let detail = format!("{}: {}", node.kind.title(), node.detail);
        text_width(&node.name).max(text_width(&detail) * 0.86) + 28.0
    };
    let widths: Vec<f64> = columns
        .iter()
        .map(|column| {
            let of = |item: &Item| match item {
                Item::Node(node) => node_width(*node),
                Item::Lane(_) => 10.0,
            };
            column.iter().map(of).fold(0.0, f64::max)
        })
        .collect();
    // Labels stand in the gap behind the column that their edge starts in.
    let gaps: Vec<f64> = (0..columns.len())
        .map(|at| {
            let starts = graph.edges.iter().filter(|edge| layers[edge.from] == at);
            starts
                .map(|edge| label_width(&edge.label))
                .fold(60.0, f64::max)
                + 44.0
        })
        .collect();
    let height_of = |item: &Item| match item {
        Item::Node(_) => BOX_HEIGHT,
        Item::Lane(_) => LANE_HEIGHT,
    };
    let tall = |column: &[Item]| {
        column.iter().map(height_of).sum::<f64>() + ROW_GAP * column.len().saturating_sub(1) as f64
    };
    let tallest = columns
        .iter()
        .map(|column| tall(column))
        .fold(0.0, f64::max);
    let top = MARGIN + 26.0;
    let nowhere = Area {
        x: 0.0,
        y: 0.0,
        width: 0.0,
        height: 0.0,
    };
    let mut boxes = vec![nowhere; graph.nodes.len()];
    let mut lanes: Vec<Vec<(f64, f64)>> = vec![Vec::new(); graph.edges.len()];
    let mut x = MARGIN;
    for (at, column) in columns.iter().enumerate() {
        let mut y = top + (tallest - tall(column)) / 2.0;
        for item in column {
            match item {
                Item::Node(node) => {
                    let width = node_width(*node);
                    let left = x + (widths[at] - width) / 2.0;
                    boxes[*node] = Area {
                        x: left,
                        y,
                        width,
                        height: BOX_HEIGHT,
                    };
                }
                Item::Lane(edge) => {
                    let middle = y + LANE_HEIGHT / 2.0;
                    lanes[*edge].push((x, middle));
                    lanes[*edge].push((x + widths[at], middle));
                }
            }
            y += height_of(item) + ROW_GAP;
        }
        x += widths[at]
            + if at + 1 < columns.len() {
                gaps[at]
            } else {
                0.0
            };
    }
    let (paths, labels) = route(graph, &boxes, &lanes);
    Layout {
        boxes,
        paths,
        labels,
        width: x + MARGIN,
        height: top + tallest + MARGIN,
    }
}

type Points = Vec<(f64, f64)>;

/// Edges leave and enter a box at places of their own, in the order of where they lead.
fn route(graph: &Graph, boxes: &[Area], lanes: &[Points]) -> (Vec<Points>, Points) {
    let ports = |node: usize, outgoing: bool| -> Vec<usize> {
        let mut edges: Vec<usize> = (0..graph.edges.len())
            .filter(|edge| {
                let ends = &graph.edges[*edge];
                if outgoing {
                    ends.from == node
                } else {
                    ends.to == node
                }
            })
            .collect();
        let far = |edge: usize| {
            let ends = &graph.edges[edge];
            let lane = if outgoing {
                lanes[edge].first()
            } else {
                lanes[edge].last()
            };
            let other = if outgoing {
                boxes[ends.to]
            } else {
                boxes[ends.from]
            };
            lane.map_or(other.y + other.height / 2.0, |point| point.1)
        };
        edges.sort_by(|a, b| far(*a).total_cmp(&far(*b)).then(a.cmp(b)));
        edges
    };
    let port = |node: usize, edge: usize, outgoing: bool| {
        let edges = ports(node, outgoing);
        let place = edges.iter().position(|other| *other == edge).unwrap_or(0);
        let area = boxes[node];
        let share = (place + 1) as f64 / (edges.len() + 1) as f64;
        (
            if outgoing {
                area.x + area.width
            } else {
                area.x
            },
            area.y + area.height * share,
        )
    };
    let mut paths = Vec::new();
    let mut labels: Points = Vec::new();
    let mut taken = Vec::new();
    for (edge, ends) in graph.edges.iter().enumerate() {
        let mut path = vec![port(ends.from, edge, true)];
        path.extend(&lanes[edge]);
        path.push(port(ends.to, edge, false));
        labels.push(label_place(
            &path,
            label_width(&graph.edges[edge].label),
            &taken,
        ));
        taken.extend(
            labels
                .last()
                .map(|at| (*at, label_width(&graph.edges[edge].label))),
        );
        paths.push(path);
    }
    (paths, labels)
}

/// On the first bend of an edge, where no other label stands.
fn label_place(path: &[(f64, f64)], width: f64, taken: &[((f64, f64), f64)]) -> (f64, f64) {
    let (a, b) = (path[0], path[1]);
    let at = |t: f64| {
        let bend = (b.0 - a.0) * BEND;
        let mix = |from: f64, c1: f64, c2: f64, to: f64| {
            let s = 1.0 - t;
            s * s * s * from + 3.0 * s * s * t * c1 + 3.0 * s * t * t * c2 + t * t * t * to
        };
        (
            mix(a.0, a.0 + bend, b.0 - bend, b.0),
            mix(a.1, a.1, b.1, b.1),
        )
    };
    let free = |place: &(f64, f64)| {
        taken.iter().all(|((x, y), other)| {
            (x - place.0).abs() > (width + other) / 2.0 + 2.0 || (y - place.1).abs() > LABEL_HEIGHT
        })
    };
    let tries = [0.5, 0.42, 0.58, 0.35, 0.65, 0.28, 0.72, 0.2, 0.8];
    tries
        .into_iter()
        .map(at)
        .find(free)
        .unwrap_or_else(|| at(0.5))
}

/// Width of the label of an edge.
pub(super) fn label_width(label: &str) -> f64 {
    text_width(label) * 0.85 + 6.0
}
