//! Components that were built from `examples/wasm-brightness` and `tests/guests/unruly`; see the README beside
//! the files for how.

use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::*;
use crate::sdk::VideoScanner;
use crate::testing::{Picture, Script, observations, scan_pictures};

fn guest(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/guests")
        .join(name)
}

fn options(guest_name: &str, more: Json) -> Options {
    let Json::Object(mut options) = more else {
        panic!("not an object")
    };
    options.insert("component".to_owned(), json!(guest(guest_name)));
    options
}

fn build(guest_name: &str, more: Json) -> (Arc<dyn VideoScanner>, crate::sdk::FoldBox) {
    match Wasm.build(&options(guest_name, more)).unwrap() {
        Operator::Video { scanner, fold } => (scanner, fold),
        _ => panic!("not for pictures"),
    }
}

fn wrong(guest_name: &str, more: Json) -> (String, String) {
    let mut errors = Wasm.build(&options(guest_name, more)).err().unwrap();
    assert_eq!(errors.len(), 1, "{errors:?}");
    let error = errors.remove(0);
    (error.option.unwrap(), error.message)
}

#[test]
fn the_example_says_how_bright_it_is() {
    let (scanner, fold) = build("brightness.wasm", json!({}));
    let view = scanner.view();
    assert_eq!(
        (view.width, view.height, view.format),
        (64, 36, PixelFormat::Gray8)
    );
    assert_eq!(view.rate, FrameRate::new(5, 1));
    // 64 * 36 = 2304; one pixel more is 1/2304, which two decimals do not show.
    let picture = |number: i64, gray: u8, more: u8| {
        let mut data = vec![gray; 2304];
        data[..100].fill(gray + more);
        Picture {
            time: MediaTime::from_millis(number * 200),
            data,
        }
    };
    let pictures = [picture(0, 100, 3), picture(1, 40, 0), picture(2, 39, 1)];
    let said = |fold, scanner: &dyn VideoScanner, chunk| {
        let script = Script::new(600, 1)
            .chunked(chunk)
            .scanned(|chunk| Some(scan_pictures(scanner, chunk, &pictures).expect("a scan")));
        let rows = observations(&script.run(fold)).into_iter();
        rows.map(|(start, end, all)| (start, end, serde_json::to_string(&all).unwrap()))
            .collect::<Vec<_>>()
    };
    let expected = [
        // 100 + 3 * 100 / 2304
        (0, 0, r#"{"dark":false,"luma":100.13}"#.to_owned()),
        (200, 200, r#"{"dark":false,"luma":40}"#.to_owned()),
        (400, 400, r#"{"dark":true,"luma":39.04}"#.to_owned()),
    ];
    assert_eq!(said(&fold, &*scanner, 600), expected);
    assert_eq!(said(&fold, &*scanner, 200), expected);
    let (scanner, fold) = build("brightness.wasm", json!({"options": {"dark": 110.5}}));
    let all_dark = said(&fold, &*scanner, 600);
    assert!(
        all_dark
            .iter()
            .all(|(_, _, text)| text.contains("\"dark\":true")),
        "{all_dark:?}"
    );

    let described = Wasm.describe_with(&options("brightness.wasm", json!({})));
    let described: Vec<_> = described
        .attributes
        .iter()
        .map(|a| (a.name, a.kind))
        .collect();
    assert_eq!(
        described,
        [
            ("luma", AttributeKind::Number),
            ("dark", AttributeKind::Boolean)
        ]
    );
}

/// What is said of two chunks of 2 s with two pictures each, or why nothing is.
fn chunks(more: Json) -> Vec<Result<usize, String>> {
    let (scanner, _) = build("unruly.wasm", more);
    let results = std::cell::RefCell::new(Vec::new());
    let _ = Script::new(2000, 2).scanned(|chunk| {
        let mut scan = scanner.start(chunk);
        let looked = (0..2).try_for_each(|index| {
            scan.frame(&Frame {
                time: chunk.extent.span.start + MediaTime::from_millis(500 * index),
                pts: matchcut_model::time::Timestamp {
                    ticks: 0,
                    timescale: 1,
                },
                index: index as u64,
                width: 2,
                height: 2,
                format: PixelFormat::Rgb24,
                data: &[7; 12],
            })
        });
        let signature = looked.and_then(|()| scan.finish());
        let count = |signature: Vec<u8>| {
            serde_json::from_slice::<Vec<Said>>(&signature)
                .unwrap()
                .len()
        };
        results.borrow_mut().push(signature.map(count));
        None
    });
    results.into_inner()
}

#[test]
fn what_a_component_does_wrong_costs_one_chunk() {
    let second = |does: &str, more: Json| {
        let Json::Object(mut all) = more else {
            panic!("not an object")
        };
        all.insert("options".to_owned(), json!({"do": does}));
        let mut results = chunks(Json::Object(all));
        assert_eq!(results[0], Ok(2), "the first chunk is well");
        results.remove(1).unwrap_err()
    };
    assert_eq!(
        second("spin", json!({"fuel": 10_000_000})),
        "the component took more than 10000000 instructions for one call (option `fuel`)"
    );
    assert_eq!(
        second("spin", json!({"fuel": u64::MAX / 2, "timeout": "100ms"})),
        "the component took longer than 100 ms for one call (option `timeout`)"
    );
    assert_eq!(
        second("grow", json!({"memory": 8})),
        "the component wants more than 8 MiB of memory (option `memory`)"
    );
    assert!(second("trap", json!({})).starts_with("the component broke down: "));
    assert_eq!(second("fail", json!({})), "nothing to be seen");
    assert!(second("backwards", json!({})).starts_with("the component says something of "));
    assert_eq!(
        second("surprise", json!({})),
        "the component says \"surprise\", which is none of the attributes that it described"
    );
    assert_eq!(chunks(json!({})), [Ok(2), Ok(2)]);
}

#[test]
fn what_cannot_run_is_told_when_it_is_built() {
    assert_eq!(
        wrong("brightness.wasm", json!({"options": {"darkness": 1}})),
        (
            "options".to_owned(),
            "the component says: the only option is \"dark\"".to_owned()
        )
    );
    let (option, message) = wrong("unruly.wasm", json!({"options": {"do": "huge"}}));
    assert_eq!(option, "component");
    assert_eq!(
        message,
        "what the component wants cannot be given: a width of 1000000 pixels (1 to 4096)"
    );
    let (option, message) = wrong(
        "unruly.wasm",
        json!({"options": {"do": "spin at once"}, "fuel": 100_000}),
    );
    assert_eq!(option, "options");
    assert!(
        message.contains("more than 100000 instructions"),
        "{message}"
    );
    let (_, message) = wrong("no_such.wasm", json!({}));
    assert!(message.starts_with("cannot read "), "{message}");
    assert_eq!(wrong("brightness.wasm", json!({"memory": 0})).0, "memory");

    // A module without the interface, and a component that wants what no component gets.
    let directory = crate::testing::program::Directory::new("wasm");
    let told = |name: &str, bytes: &[u8]| {
        let path = directory.file(name, bytes);
        let options = json!({"component": path});
        let errors = Wasm.build(options.as_object().unwrap()).err().unwrap();
        errors[0].message.clone()
    };
    let module = told("module.wasm", b"\0asm\x01\0\0\0");
    assert!(
        module.contains("is not an operator") || module.contains("no component"),
        "{module}"
    );
    let text = told("text.wasm", b"hello");
    assert!(
        text.contains("this is not a component that can run"),
        "{text}"
    );
    // (component (import "wasi:x/y" (instance)))
    let importing = b"\0asm\x0d\0\x01\0\x07\x03\x01\x42\0\x0a\x0d\x01\0\x08wasi:x/y\x05\0";
    let importing = told("importing.wasm", importing);
    assert!(importing.contains("which imports nothing"), "{importing}");
}
