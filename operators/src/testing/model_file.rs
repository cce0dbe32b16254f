//! Tiny models in the ONNX format, written byte by byte (the format is Protocol Buffers), so that tests
//! need no tool to make them and can have a model of every shape.

/// One node of a graph.
pub struct Node<'a> {
    /// Its operator, such as `GlobalAveragePool`.
    pub operator: &'a str,
    /// Names of its inputs.
    pub inputs: &'a [&'a str],
    /// The name of its output.
    pub output: &'a str,
    /// Whole numbers among its attributes: one, or a list.
    pub attributes: &'a [(&'a str, Attribute<'a>)],
}

/// An attribute of a node.
#[derive(Clone, Copy)]
pub enum Attribute<'a> {
    /// One number.
    Int(i64),
    /// Several.
    Ints(&'a [i64]),
}

/// Element types, as the format counts them.
pub const FLOAT: u64 = 1;
/// Bytes.
pub const UINT8: u64 = 2;

/// A tensor that comes in or goes out; a dimension of 0 is any.
pub struct Edge<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its element type.
    pub kind: u64,
    /// Its dimensions.
    pub shape: &'a [u64],
}

/// Numbers that are part of the model.
pub struct Constant<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its dimensions.
    pub shape: &'a [u64],
    /// Its numbers.
    pub numbers: &'a [f32],
}

/// The bytes of a model.
pub fn model(
    inputs: &[Edge<'_>],
    outputs: &[Edge<'_>],
    constants: &[Constant<'_>],
    nodes: &[Node<'_>],
) -> Vec<u8> {
    let mut graph = Message::default();
    for node in nodes {
        graph.message(1, &node_of(node));
    }
    graph.text(2, "graph");
    for constant in constants {
        let mut tensor = Message::default();
        constant
            .shape
            .iter()
            .for_each(|size| tensor.number(1, *size));
        tensor.number(2, FLOAT);
        tensor.text(8, constant.name);
        let bytes: Vec<u8> = constant
            .numbers
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .collect();
        tensor.bytes(9, &bytes);
        graph.message(5, &tensor);
    }
    inputs
        .iter()
        .for_each(|edge| graph.message(11, &edge_of(edge)));
    outputs
        .iter()
        .for_each(|edge| graph.message(12, &edge_of(edge)));
    let mut operators = Message::default();
    operators.text(1, "");
    operators.number(2, 13);
    let mut model = Message::default();
    model.number(1, 8);
    model.message(7, &graph);
    model.message(8, &operators);
    model.0
}

/// Mean luma: gray pictures of `width` x `height` in, as values from 0 to 255 in [n, 1, height, width], and
/// the mean out, as [n, 1]. The sum of whole numbers is exact, so that the mean is the nearest number to the
/// true one. `batch` 0 is any.
pub fn mean_luma(batch: u64, width: u64, height: u64) -> Vec<u8> {
    let pixels = (width * height) as f32;
    model(
        &[Edge {
            name: "pictures",
            kind: FLOAT,
            shape: &[batch, 1, height, width],
        }],
        &[Edge {
            name: "luma",
            kind: FLOAT,
            shape: &[batch, 1],
        }],
        &[Constant {
            name: "pixels",
            shape: &[],
            numbers: &[pixels],
        }],
        &[
            Node {
                operator: "Flatten",
                inputs: &["pictures"],
                output: "flat",
                attributes: &[("axis", Attribute::Int(1))],
            },
            Node {
                operator: "ReduceL1",
                inputs: &["flat"],
                output: "sum",
                attributes: &[
                    ("axes", Attribute::Ints(&[1])),
                    ("keepdims", Attribute::Int(1)),
                ],
            },
            Node {
                operator: "Div",
                inputs: &["sum", "pixels"],
                output: "luma",
                attributes: &[],
            },
        ],
    )
}

fn node_of(node: &Node<'_>) -> Message {
    let mut message = Message::default();
    node.inputs.iter().for_each(|name| message.text(1, name));
    message.text(2, node.output);
    message.text(4, node.operator);
    for (name, value) in node.attributes {
        let mut attribute = Message::default();
        attribute.text(1, name);
        match value {
            Attribute::Int(number) => {
                attribute.number(3, *number as u64);
                attribute.number(20, 2);
            }
            Attribute::Ints(numbers) => {
                numbers
                    .iter()
                    .for_each(|number| attribute.number(8, *number as u64));
                attribute.number(20, 7);
            }
        }
        message.message(5, &attribute);
    }
    message
}

fn edge_of(edge: &Edge<'_>) -> Message {
    let mut shape = Message::default();
    for (at, size) in edge.shape.iter().enumerate() {
        let mut dimension = Message::default();
        match size {
            0 => dimension.text(2, &format!("d{at}")),
            size => dimension.number(1, *size),
        }
        shape.message(1, &dimension);
    }
    let mut tensor = Message::default();
    tensor.number(1, edge.kind);
    tensor.message(2, &shape);
    let mut kind = Message::default();
    kind.message(1, &tensor);
    let mut message = Message::default();
    message.text(1, edge.name);
    message.message(2, &kind);
    message
}

/// A message of Protocol Buffers.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number > 127 {
            self.0.push(number as u8 | 128);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn number(&mut self, field: u64, number: u64) {
        self.varint(field << 3);
        self.varint(number);
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, field: u64, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn message(&mut self, field: u64, message: &Message) {
        self.bytes(field, &message.0);
    }
}
