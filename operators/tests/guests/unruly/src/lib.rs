//! Does what its option `do` says, in every chunk that begins at or after 2 s.

wit_bindgen::generate!({
    path: "../../../wit",
    world: "operator",
});

use std::cell::RefCell;

use matchcut::operator::types::{Attribute, AttributeKind, PixelFormat, Value, View};

struct Unruly;

thread_local! {
    static DOES: RefCell<String> = const { RefCell::new(String::new()) };
}

const TWO_SECONDS: i64 = 2 * 705_600_000;

impl Guest for Unruly {
    fn describe(options: String) -> Result<Description, String> {
        if options.contains("refuse") {
            return Err("I would rather not".to_owned());
        }
        if options.contains("spin at once") {
            spin();
        }
        let width = if options.contains("huge") { 1_000_000 } else { 2 };
        Ok(Description {
            view: View {
                width,
                height: 2,
                format: PixelFormat::Rgb,
                rate: None,
            },
            attributes: vec![Attribute {
                name: "n".to_owned(),
                kind: AttributeKind::Number,
                description: "how many pictures of the chunk were seen".to_owned(),
            }],
        })
    }

    fn start(options: String, chunk: Chunk) -> Result<(), String> {
        let does = if chunk.start < TWO_SECONDS { String::new() } else { options };
        DOES.set(does);
        Ok(())
    }

    fn process_frame(frame: Frame) -> Result<Vec<Observation>, String> {
        let does = DOES.with_borrow(String::clone);
        if does.contains("spin") {
            spin();
        }
        if does.contains("grow") {
            let mut kept: Vec<Vec<u8>> = Vec::new();
            loop {
                kept.push(vec![frame.data.len() as u8; 1 << 20]);
            }
        }
        if does.contains("trap") {
            std::process::abort();
        }
        if does.contains("fail") {
            return Err("nothing to be seen".to_owned());
        }
        let end = if does.contains("backwards") { frame.time - 1 } else { frame.time };
        let name = if does.contains("surprise") { "surprise" } else { "n" };
        Ok(vec![Observation {
            start: frame.time,
            end,
            attributes: vec![(name.to_owned(), Value::Integer(frame.data.len() as i64))],
        }])
    }

    fn finish() -> Result<Vec<Observation>, String> {
        Ok(Vec::new())
    }
}

/// Does something without end that no compiler leaves out.
fn spin() {
    let mut number = 1_u64;
    while number != 0 {
        number = std::hint::black_box(number.wrapping_mul(3) | 1);
    }
}

export!(Unruly);
