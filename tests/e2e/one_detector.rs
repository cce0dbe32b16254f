//! One detector in every form that an operator can have: mean luma of 64x36 at 5 pictures a second, as
//! `luma` with 2 decimals, and `dark` below 40. All forms observe the same of the same stream.

use std::fs;
use std::path::Path;
use std::time::Instant;

use matchcut_model::time::MediaTime;
use matchcut_operators::sdk::Operator;
use matchcut_operators::testing::model_file::mean_luma;
use matchcut_operators::testing::program::Server;
use matchcut_operators::testing::{Picture, Script, operator, scan_pictures};
use serde_json::{Value as Json, json};

use crate::support::python::library;
use crate::support::stream::{UNDATED, copy};
use crate::support::{Work, repository};

/// One form: its type and its options.
struct Form {
    name: &'static str,
    kind: &'static str,
    options: Json,
    /// What must go on as long as it is used.
    _server: Option<Server>,
}

/// The forms that can run here; of the others it is told why they cannot.
fn forms(dir: &Path) -> Vec<Form> {
    let model = dir.join("luma.onnx");
    fs::write(&model, mean_luma(0, 64, 36)).unwrap();
    let values = json!([{"name": "luma", "decimals": 2}, {"name": "dark", "below": 40.0}]);
    let mut forms = Vec::new();
    if let Some(library) = library() {
        forms.push(Form {
            name: "onnx",
            kind: "onnx",
            options: json!({
                "model": model, "library": library, "scale": 1.0, "output": "values",
                "values": values,
            }),
            _server: None,
        });
    }
    let arguments = ["luma".as_ref(), model.as_os_str(), dir.as_os_str()];
    if let Some(server) = Server::start("oip/start.py", "mlserver", &arguments) {
        forms.push(Form {
            name: "http_inference, JSON, MLServer",
            kind: "http_inference",
            options: json!({
                "url": server.url(""), "model": "luma", "input": "pictures", "width": 64,
                "height": 36, "color": "gray", "scale": 1.0, "output": "values", "values": values,
            }),
            _server: Some(server),
        });
    }
    if let Some(server) = Server::start("oip/binary.py", "onnxruntime", &arguments[..2]) {
        forms.push(Form {
            name: "http_inference, bytes",
            kind: "http_inference",
            options: json!({
                "url": server.url(""), "model": "luma", "version": "7", "binary": true,
                "input": "pictures", "width": 64, "height": 36, "color": "gray", "scale": 1.0,
                "output": "values", "values": values,
            }),
            _server: Some(server),
        });
    }
    forms.push(Form {
        name: "wasm",
        kind: "wasm",
        options: json!({
            "component": repository().join("operators/tests/guests/brightness.wasm"),
        }),
        _server: None,
    });
    let python = repository().join(".venv/bin/python3");
    if python.is_file() {
        forms.push(Form {
            name: "process, Python",
            kind: "process",
            options: json!({
                "command": [python, repository().join("tests/programs/luma.py")],
                "env": {"PYTHONPATH": repository().join("operators/python/src")},
            }),
            _server: None,
        });
    } else {
        eprintln!("skipped: no Python packages here (make setup-test)");
    }
    forms
}

/// A value as TOML has it.
fn toml(value: &Json) -> String {
    match value {
        Json::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(key, value)| format!("{key} = {}", toml(value)))
                .collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(toml).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

fn spec(forms: &[Form]) -> String {
    let mut text = String::from(
        "[pipeline]\nname = \"one detector\"\n\n[sources.tv]\ntype = \"hls\"\nuri = \"index.m3u8\"\n",
    );
    for (number, form) in forms.iter().enumerate() {
        text += &format!("\n[operators.form{number}]\ntype = \"{}\"\n", form.kind);
        text += "inputs = [\"tv.video\"]\n";
        for (key, value) in form.options.as_object().unwrap() {
            text += &format!("{key} = {}\n", toml(value));
        }
    }
    text
}

#[test]
fn one_detector_says_the_same_in_every_form() {
    let work: Work = copy(UNDATED);
    let forms = forms(&work.path("."));
    fs::write(work.path("forms.toml"), spec(&forms)).unwrap();
    let run = work.ok(["run", "forms.toml", "--out", "out"]);
    let text = fs::read_to_string(work.path("out/observations.jsonl")).unwrap();
    let said = |number: usize| -> Vec<(String, Json)> {
        let name = format!("form{number}");
        text.lines()
            .map(|line| serde_json::from_str::<Json>(line).unwrap())
            .filter(|line| line["operator"] == name.as_str())
            .map(|line| (line["start"].to_string(), line["attributes"].clone()))
            .collect()
    };
    let first = said(0);
    // 12 s at 5 a second, of which two shots of 1.2 s are dark in each of two rounds.
    assert_eq!(first.len(), 60, "{}", run.stderr);
    let dark = first
        .iter()
        .filter(|(_, attributes)| attributes["dark"] == true);
    assert_eq!(dark.count(), 12, "{first:?}");
    for (number, form) in forms.iter().enumerate() {
        assert_eq!(said(number), first, "{} and {}", form.name, forms[0].name);
    }
    if forms.iter().any(|form| form.kind == "http_inference") {
        run.says("asked luma at http://127.0.0.1:");
    }
}

/// Prints what one picture costs in every form; run with `--ignored --nocapture`.
#[test]
#[ignore = "measures"]
fn what_a_picture_costs() {
    let work = Work::new();
    let pictures: Vec<Picture> = (0..500)
        .map(|number| Picture {
            time: MediaTime::from_millis(number * 200),
            data: (0..64 * 36).map(|at| (at * number / 64) as u8).collect(),
        })
        .collect();
    for form in forms(&work.path(".")) {
        let Operator::Video { scanner, .. } = operator(form.kind, form.options) else {
            panic!("not for pictures")
        };
        let script = Script::new(100_000, 1).chunked(6000);
        let began = Instant::now();
        let _ = script.scanned(|chunk| Some(scan_pictures(&*scanner, chunk, &pictures).unwrap()));
        let each = began.elapsed().as_secs_f64() * 1000.0 / pictures.len() as f64;
        println!("| `{}` | {each:.3} |", form.name);
    }
}
