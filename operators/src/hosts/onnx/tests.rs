//! Tiny models, run by the real library.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use matchcut_model::time::MediaTime;
use serde_json::{Value as Json, json};

use super::*;
use crate::sdk::FoldBox;
use crate::testing::model_file::{Attribute, Constant, Edge, FLOAT, Node, UINT8, mean_luma, model};
use crate::testing::{Picture, Script, observations, scan_pictures};

/// A model in a file that goes when the test is over.
struct File(PathBuf);

impl File {
    fn new(bytes: &[u8]) -> File {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("matchcut-{}-{number}.onnx", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, bytes).unwrap();
        File(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn build(file: &File, options: Json) -> Option<Result<Operator, Vec<OptionError>>> {
    let library = library::testing::library()?;
    let Json::Object(mut options) = options else {
        panic!("not an object")
    };
    options.insert("model".to_owned(), json!(file.0));
    options.insert("library".to_owned(), json!(library));
    Some(Onnx.build(&options))
}

/// What is wrong with options, as text.
fn wrong(file: &File, options: Json) -> Option<Vec<String>> {
    let errors = build(file, options)?.err().expect("an error");
    let text =
        |error: &OptionError| format!("{}: {error}", error.option.as_deref().unwrap_or_default());
    Some(errors.iter().map(text).collect())
}

/// Gray noise of 64x36 at 5 a second for 4 s, darker and darker.
fn pictures() -> Vec<Picture> {
    let mut state = 7_u32;
    (0..20)
        .map(|number: i64| Picture {
            time: MediaTime::from_millis(number * 200),
            data: (0..64 * 36)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    ((state >> 24) as i64 * (20 - number) / 20) as u8
                })
                .collect(),
        })
        .collect()
}

fn said(operator: Operator, pictures: &[Picture]) -> Vec<(i64, i64, String)> {
    let Operator::Video { scanner, fold } = operator else {
        panic!("not for pictures")
    };
    said_with(&*scanner, &fold, pictures, 1000)
}

fn said_with(
    scanner: &dyn crate::sdk::VideoScanner,
    fold: &FoldBox,
    pictures: &[Picture],
    chunk: i64,
) -> Vec<(i64, i64, String)> {
    let script = Script::new(4000, 1)
        .chunked(chunk)
        .scanned(|chunk| Some(scan_pictures(scanner, chunk, pictures).expect("a scan")));
    observations(&script.run(fold))
        .into_iter()
        .map(|(start, end, attributes)| (start, end, serde_json::to_string(&attributes).unwrap()))
        .collect()
}

fn luma_options() -> Json {
    json!({
        "output": "values", "scale": 1.0,
        "values": [{"name": "luma", "decimals": 2}, {"name": "dark", "below": 100.0}],
    })
}

#[test]
fn mean_luma_equals_the_mean_in_batches_of_any_size() {
    let any = File::new(&mean_luma(0, 64, 36));
    let pictures = pictures();
    let expected: Vec<(i64, i64, String)> = pictures
        .iter()
        .map(|picture| {
            let sum: u64 = picture.data.iter().map(|value| u64::from(*value)).sum();
            let luma = sum as f64 / (64.0 * 36.0);
            let rounded = (luma * 100.0).round() / 100.0;
            let time = picture.time.to_millis();
            let text = format!("{{\"dark\":{},\"luma\":{rounded}}}", luma < 100.0);
            (time, time, text)
        })
        .collect();
    assert!(expected[0].2.contains("false") && expected[19].2.contains("true"));
    for batch in [1, 3, 8] {
        let mut options = luma_options();
        options["batch"] = json!(batch);
        let Some(operator) = build(&any, options) else {
            return;
        };
        assert_eq!(
            said(operator.unwrap(), &pictures),
            expected,
            "batches of {batch}"
        );
    }
    // A model for 3 pictures at once gets the last batch filled up.
    let three = File::new(&mean_luma(3, 64, 36));
    let operator = build(&three, luma_options()).unwrap().unwrap();
    assert_eq!(said(operator, &pictures), expected);
}

/// Bytes of 2x1 pictures in RGB: which of the two pixels has more in all, as [n, 2].
fn brighter() -> Vec<u8> {
    model(
        &[Edge {
            name: "x",
            kind: UINT8,
            shape: &[0, 1, 2, 3],
        }],
        &[Edge {
            name: "scores",
            kind: FLOAT,
            shape: &[0, 2],
        }],
        &[Constant {
            name: "scale",
            shape: &[],
            numbers: &[0.01],
        }],
        &[
            Node {
                operator: "Cast",
                inputs: &["x"],
                output: "floats",
                attributes: &[("to", Attribute::Int(1))],
            },
            Node {
                operator: "ReduceL1",
                inputs: &["floats"],
                output: "sums",
                attributes: &[
                    ("axes", Attribute::Ints(&[1, 3])),
                    ("keepdims", Attribute::Int(0)),
                ],
            },
            Node {
                operator: "Mul",
                inputs: &["sums", "scale"],
                output: "scores",
                attributes: &[],
            },
        ],
    )
}

#[test]
fn a_class_of_bytes_as_points_and_ranges() {
    let file = File::new(&brighter());
    let frame = |left: u8, right: u8| vec![left, left, 0, right, right, right];
    let pictures: Vec<Picture> = (0..20)
        .map(|number| Picture {
            time: MediaTime::from_millis(number * 200),
            data: match number {
                0..7 => frame(200, 0),
                7..10 => frame(50, 40),
                _ => frame(0, 150),
            },
        })
        .collect();
    let options = |ranges: bool| {
        json!({
            "labels": ["left", "right"], "softmax": true, "min_confidence": 0.6, "ranges": ranges,
        })
    };
    let Some(points) = build(&file, options(false)) else {
        return;
    };
    let points = said(points.unwrap(), &pictures);
    // exp(1.0) / (exp(1.0) + exp(1.2)) = 0.450; exp(0.2) says right with 0.55, which is too unsure.
    assert_eq!(points.len(), 17);
    assert_eq!(
        points[0],
        (0, 0, r#"{"confidence":0.982,"label":"left"}"#.to_owned())
    );
    assert_eq!(
        points[7],
        (
            2000,
            2000,
            r#"{"confidence":0.989,"label":"right"}"#.to_owned()
        )
    );

    let Operator::Video { scanner, fold } = build(&file, options(true)).unwrap().unwrap() else {
        panic!("not for pictures")
    };
    for chunk in [400, 1000, 4000] {
        assert_eq!(
            said_with(&*scanner, &fold, &pictures, chunk),
            [
                (0, 1400, r#"{"confidence":0.982,"label":"left"}"#.to_owned()),
                (
                    2000,
                    4000,
                    r#"{"confidence":0.989,"label":"right"}"#.to_owned()
                ),
            ],
            "chunks of {chunk} ms"
        );
    }
}

#[test]
fn a_model_that_does_not_fit_is_told() {
    let luma = File::new(&mean_luma(0, 64, 36));
    let Some(said) = wrong(&luma, json!({"color": "rgb", "width": 32})) else {
        return;
    };
    assert_eq!(
        said,
        [
            "color: the input \"pictures\" of float32 [?, 1, 36, 64] has 1 channels in this layout, but \
             pictures have 3 (1 for gray, 3 for rgb and bgr)",
            "width: 32, but the input \"pictures\" of float32 [?, 1, 36, 64] has the width 64",
        ]
    );
    assert_eq!(
        wrong(&luma, json!({"labels": ["a", "b"]})).unwrap(),
        [
            "labels: 2 labels, but the output \"luma\" of float32 [?, 1] has 1 numbers for each picture; \
             one label for each is expected"
        ]
    );
    assert_eq!(
        wrong(&luma, json!({"output": "boxes"})).unwrap(),
        [
            "boxes: the output \"luma\" of float32 [?, 1] does not fit: expected are the pictures of a \
             batch (8), then 6 columns (left, top, right, bottom, score, class)"
        ]
    );
    assert_eq!(
        wrong(
            &luma,
            json!({"output": "values", "values": [{"name": "a", "index": 1}]})
        )
        .unwrap(),
        [
            "values: \"a\" is number 1, counted from 0, but the output \"luma\" of float32 [?, 1] has 1 \
             for each picture"
        ]
    );
    assert_eq!(
        wrong(&luma, json!({"tensor": "boxes"})).unwrap(),
        ["tensor: the model has no output \"boxes\"; it has \"luma\""]
    );
    let bytes = File::new(&brighter());
    assert_eq!(
        wrong(&bytes, json!({"scale": 0.5})).unwrap(),
        ["scale: the model takes bytes, which are given as they are"]
    );
    let broken = File::new(b"not a model");
    let said = wrong(&broken, json!({})).unwrap();
    assert!(
        said[0].starts_with("model: \"") && said[0].contains("cannot be loaded: "),
        "{said:?}"
    );
}

#[test]
fn a_library_or_a_model_that_is_missing_is_told_with_the_remedy() {
    let options = |model: &str| json!({"model": model}).as_object().unwrap().clone();
    let errors = Onnx.build(&options("/no/such.onnx")).err().unwrap();
    assert_eq!(
        errors,
        [OptionError::new(
            "model",
            "there is no file \"/no/such.onnx\""
        )]
    );
    let errors = Onnx.build(&Options::new()).err().unwrap();
    assert_eq!(
        errors,
        [OptionError::new("model", "missing: the path of a model")]
    );

    let file = File::new(&mean_luma(0, 64, 36));
    let mut options = options(&file.0.to_string_lossy());
    options.insert("library".to_owned(), json!("/no/such.so"));
    let errors = Onnx.build(&options).err().unwrap();
    let message = &errors[0].message;
    assert_eq!(errors[0].option.as_deref(), Some("library"));
    assert!(
        // Another test may have loaded the library before.
        message.contains("pip install onnxruntime")
            || message.contains("cannot be loaded as well as"),
        "{message}"
    );
}

#[test]
fn attributes_follow_the_options() {
    let names = |options: Json| {
        let description = Onnx.describe_with(options.as_object().unwrap());
        description
            .attributes
            .iter()
            .map(|a| a.name)
            .collect::<Vec<_>>()
    };
    assert_eq!(names(luma_options()), ["luma", "dark"]);
    assert_eq!(names(json!({"output": "embedding"})), ["embedding"]);
    assert_eq!(names(json!({})), ["label", "confidence"]);
    assert_eq!(
        names(json!({"output": "boxes"})),
        ["count", "label", "confidence", "boxes"]
    );
}

#[test]
fn sessions_are_shared_by_threads() {
    let file = File::new(&mean_luma(0, 64, 36));
    let mut options = luma_options();
    options["instances"] = json!(2);
    let Some(operator) = build(&file, options) else {
        return;
    };
    let Operator::Video { scanner, fold } = operator.unwrap() else {
        panic!("not for pictures")
    };
    let pictures = pictures();
    let expected = said_with(&*scanner, &fold, &pictures, 1000);
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| said_with(&*scanner, &fold, &pictures, 1000)))
            .collect();
        for run in runs {
            assert_eq!(run.join().unwrap(), expected);
        }
    });
}
