//! Rows and tensors of many models, read by value.

use super::super::super::picture::Framing;
use super::super::super::tensor::Shape;
use super::*;

fn boxes(layout: BoxLayout, labels: &[&str]) -> Boxes {
    Boxes {
        labels: Some(labels.iter().map(|label| label.to_string()).collect()),
        only: Vec::new(),
        layout,
        columns: None,
        corners: None,
        scores: None,
        classes: None,
        keypoints_tensor: None,
        first_class: 0,
        sigmoid: false,
        keypoints: Vec::new(),
        min_confidence: 0.5,
        max_overlap: 0.45,
        places: Places::new(Framing::stretched(100, 50), false),
    }
}

fn tensor(name: &str, shape: &[usize], data: &[f32]) -> Tensor {
    assert_eq!(shape.iter().product::<usize>(), data.len());
    Tensor {
        name: name.to_owned(),
        shape: shape.to_vec(),
        data: data.to_vec(),
    }
}

fn one(boxes: &Boxes, shape: &[usize], data: &[f32]) -> Result<Option<Attributes>, String> {
    boxes.read(&[tensor("y", shape, data)], None, 0, 1)
}

/// Label, confidence, left, top, width, height.
fn rows(said: Option<Attributes>) -> Vec<(String, [f64; 5])> {
    let Some(said) = said else { return Vec::new() };
    let Some(Value::List(list)) = said.get("boxes") else {
        panic!("no boxes in {said:?}")
    };
    assert_eq!(said.get("count"), Some(&Value::from(list.len() as i64)));
    list.iter()
        .map(|one| {
            let Value::Map(one) = one else {
                panic!("{one:?}")
            };
            let number = |name: &str| one.get(name).unwrap().as_f64().unwrap();
            let numbers = ["confidence", "left", "top", "width", "height"].map(number);
            (
                one.get("label").unwrap().as_str().unwrap().to_owned(),
                numbers,
            )
        })
        .collect()
}

fn row(label: &str, numbers: [f64; 5]) -> (String, [f64; 5]) {
    (label.to_owned(), numbers)
}

#[test]
fn rows_of_corners_score_and_class() {
    let numbers = [
        // Two that lie on each other, one of another class, one that is unsure, one without area.
        [10.0, 10.0, 50.0, 40.0, 0.7, 0.0],
        [12.0, 10.0, 52.0, 40.0, 0.9, 0.0],
        [10.0, 10.0, 50.0, 40.0, 0.8, 1.0],
        [0.0, 0.0, 9.0, 9.0, 0.4, 0.0],
        [5.0, 5.0, 5.0, 9.0, 0.9, 0.0],
    ];
    let mut reader = boxes(BoxLayout::XyxyScoreClass, &["ball", "player"]);
    let said = one(&reader, &[1, 5, 6], numbers.as_flattened());
    assert_eq!(
        rows(said.unwrap()),
        [
            row("ball", [0.9, 0.12, 0.2, 0.4, 0.6]),
            row("player", [0.8, 0.1, 0.2, 0.4, 0.6]),
        ]
    );
    reader.only = vec!["player".to_owned()];
    let said = one(&reader, &[5, 6], numbers.as_flattened());
    assert_eq!(
        rows(said.unwrap()),
        [row("player", [0.8, 0.1, 0.2, 0.4, 0.6])]
    );
}

#[test]
fn both_kinds_of_yolo_in_rows_and_columns() {
    let v5 = [30.0, 25.0, 40.0, 30.0, 0.9, 0.1, 0.8];
    let mut reader = boxes(BoxLayout::YoloV5, &["ball", "player"]);
    let expected = [row("player", [0.72, 0.1, 0.2, 0.4, 0.6])];
    assert_eq!(rows(one(&reader, &[1, 1, 7], &v5).unwrap()), expected);
    reader.columns = Some(true);
    assert_eq!(rows(one(&reader, &[1, 7, 1], &v5).unwrap()), expected);

    // Two boxes in columns, and the same in rows.
    let columns = [
        30.0, 1.0, 25.0, 1.0, 40.0, 1.0, 30.0, 1.0, 0.6, 0.1, 0.2, 0.3,
    ];
    let in_rows = [
        30.0, 25.0, 40.0, 30.0, 0.6, 0.2, 1.0, 1.0, 1.0, 1.0, 0.1, 0.3,
    ];
    let expected = [row("ball", [0.6, 0.1, 0.2, 0.4, 0.6])];
    let mut reader = boxes(BoxLayout::YoloV8, &["ball", "player"]);
    assert_eq!(rows(one(&reader, &[1, 6, 2], &columns).unwrap()), expected);
    reader.columns = Some(false);
    assert_eq!(rows(one(&reader, &[1, 2, 6], &in_rows).unwrap()), expected);

    assert_eq!(
        one(&boxes(BoxLayout::YoloV8, &["ball"]), &[6, 2], &columns).unwrap_err(),
        "the output \"y\": [6, 2] for a picture, where 4 rows and one for each class are expected"
    );
    // Scores that cannot be any: the columns of key points, or logits.
    let mut pose = boxes(BoxLayout::YoloV8, &[]);
    pose.labels = None;
    let wrong = one(&pose, &[6, 1], &[30.0, 25.0, 40.0, 30.0, 0.6, 31.0]).unwrap_err();
    assert!(wrong.contains("a score is 31.0"), "{wrong}");
    let mut logits = boxes(BoxLayout::YoloV8, &["ball"]);
    logits.sigmoid = true;
    let said = one(&logits, &[5, 1], &[30.0, 25.0, 40.0, 30.0, 2.0]);
    assert_eq!(
        rows(said.unwrap()),
        [row("ball", [0.881, 0.1, 0.2, 0.4, 0.6])]
    );
}

#[test]
fn poses_have_key_points_by_name() {
    let mut reader = boxes(BoxLayout::YoloV8, &["person"]);
    reader.keypoints = vec!["head".to_owned(), "foot".to_owned()];
    let three = [
        30.0, 25.0, 40.0, 30.0, 0.9, 30.0, 12.0, 0.8, 31.0, 40.0, 0.25,
    ];
    let said = one(&reader, &[1, 11, 1], &three).unwrap().unwrap();
    let json = serde_json::to_value(said.get("boxes").unwrap()).unwrap();
    assert_eq!(
        json,
        serde_json::json!([{
            "label": "person", "confidence": 0.9, "left": 0.1, "top": 0.2, "width": 0.4, "height": 0.6,
            "keypoints": {"head": [0.3, 0.24, 0.8], "foot": [0.31, 0.8, 0.25]},
        }])
    );
    // End to end, without a score of the points.
    let mut reader = boxes(BoxLayout::XyxyScoreClass, &["person"]);
    reader.keypoints = vec!["head".to_owned()];
    let two = [10.0, 10.0, 50.0, 40.0, 0.9, 0.0, 30.0, 12.0];
    let said = one(&reader, &[1, 1, 8], &two).unwrap().unwrap();
    let json = serde_json::to_value(said.get("boxes").unwrap()).unwrap();
    assert_eq!(
        json[0]["keypoints"],
        serde_json::json!({"head": [0.3, 0.24, 1]})
    );
}

#[test]
fn tensors_of_their_own() {
    let mut reader = boxes(BoxLayout::Separate, &["person", "ball"]);
    reader.scores = Some("scores".to_owned());
    reader.classes = Some("labels".to_owned());
    reader.first_class = 1;
    // As torchvision gives them: no dimension for pictures, classes from 1, pixels.
    let places = [
        10.0, 10.0, 50.0, 40.0, 60.0, 10.0, 70.0, 20.0, 0.0, 0.0, 9.0, 9.0,
    ];
    let torchvision = [
        tensor("boxes", &[3, 4], &places),
        tensor("labels", &[3], &[1.0, 2.0, 0.0]),
        tensor("scores", &[3], &[0.9, 0.8, 0.9]),
    ];
    let expected = [
        row("person", [0.9, 0.1, 0.2, 0.4, 0.6]),
        row("ball", [0.8, 0.6, 0.2, 0.1, 0.2]),
    ];
    let said = reader.read(&torchvision, None, 0, 1).unwrap();
    assert_eq!(rows(said), expected);

    // As TensorFlow gives them: two pictures at once, shares, the top first.
    reader.corners = Some(Corners::Yxyx);
    reader.places = Places::new(Framing::stretched(100, 50), true);
    let mut shares = [0.0; 24];
    for (at, place) in [[0.2, 0.1, 0.8, 0.5], [0.2, 0.6, 0.4, 0.7], [0.0; 4]]
        .iter()
        .enumerate()
    {
        shares[12 + at * 4..16 + at * 4].copy_from_slice(place);
    }
    let tensorflow = [
        tensor("boxes", &[2, 3, 4], &shares),
        tensor("labels", &[2, 3], &[1.0, 1.0, 1.0, 1.0, 2.0, 1.0]),
        tensor("scores", &[2, 3], &[0.0, 0.0, 0.0, 0.9, 0.8, 0.0]),
    ];
    assert_eq!(reader.read(&tensorflow, None, 0, 2), Ok(None));
    let said = reader.read(&tensorflow, None, 1, 2).unwrap();
    assert_eq!(rows(said), expected);

    // A score for each class, the first of them for what is no thing.
    reader.classes = None;
    let of_classes = [
        tensor("boxes", &[1, 2, 4], &shares[12..20]),
        tensor("scores", &[1, 2, 3], &[0.05, 0.9, 0.05, 0.15, 0.05, 0.8]),
    ];
    let said = reader.read(&of_classes, None, 0, 1).unwrap();
    assert_eq!(rows(said), expected);

    // Score and place together, as MMDetection gives them.
    let mut reader = boxes(BoxLayout::Separate, &["person", "ball"]);
    reader.classes = Some("labels".to_owned());
    let dets = [10.0, 10.0, 50.0, 40.0, 0.9, 60.0, 10.0, 70.0, 20.0, 0.8];
    let mmdetection = [
        tensor("dets", &[1, 2, 5], &dets),
        tensor("labels", &[1, 2], &[0.0, 1.0]),
    ];
    let said = reader.read(&mmdetection, None, 0, 1).unwrap();
    assert_eq!(rows(said), expected);

    // Logits of centres, as DETR's kin give them; no boxes at all.
    let mut reader = boxes(BoxLayout::Separate, &["person", "ball"]);
    reader.scores = Some("logits".to_owned());
    reader.corners = Some(Corners::Cxcywh);
    reader.places = Places::new(Framing::stretched(100, 50), true);
    reader.sigmoid = true;
    let detr = [
        tensor("boxes", &[1, 1, 4], &[0.3, 0.5, 0.4, 0.6]),
        tensor("logits", &[1, 1, 2], &[-3.0, 2.0]),
    ];
    let said = reader.read(&detr, None, 0, 1).unwrap();
    assert_eq!(rows(said), [row("ball", [0.881, 0.1, 0.2, 0.4, 0.6])]);
    let none = [
        tensor("boxes", &[0, 4], &[]),
        tensor("logits", &[0, 2], &[]),
    ];
    assert_eq!(reader.read(&none, None, 0, 1), Ok(None));
    let odd = [
        tensor("boxes", &[1, 1, 4], &[0.3, 0.5, 0.4, 0.6]),
        tensor("logits", &[1, 2, 2], &[0.0; 4]),
    ];
    assert_eq!(
        reader.read(&odd, None, 0, 1).unwrap_err(),
        "scores are [2, 2] for a picture with 1 boxes"
    );
}

#[test]
fn key_points_in_a_tensor_of_their_own() {
    let mut reader = boxes(BoxLayout::Separate, &["person"]);
    reader.scores = Some("scores".to_owned());
    reader.keypoints_tensor = Some("keypoints".to_owned());
    reader.keypoints = vec!["nose".to_owned(), "knee".to_owned()];
    let tensors = [
        tensor("boxes", &[1, 4], &[10.0, 10.0, 50.0, 40.0]),
        tensor("scores", &[1], &[0.9]),
        tensor("keypoints", &[1, 2, 3], &[30.0, 12.0, 1.0, 31.0, 40.0, 0.0]),
    ];
    let said = reader.read(&tensors, None, 0, 1).unwrap().unwrap();
    let json = serde_json::to_value(said.get("boxes").unwrap()).unwrap();
    assert_eq!(
        json[0]["keypoints"],
        serde_json::json!({"nose": [0.3, 0.24, 1], "knee": [0.31, 0.8, 0]})
    );
}

#[test]
fn nothing_is_said_of_nothing() {
    let boxes = boxes(BoxLayout::XyxyScoreClass, &[]);
    assert_eq!(one(&boxes, &[0, 6], &[]), Ok(None));
    let broken = [f32::NAN, 0.0, 9.0, 9.0, 0.9, 0.0];
    assert_eq!(one(&boxes, &[1, 6], &broken), Ok(None));
}

fn info(name: &str, shape: &[Option<usize>]) -> TensorInfo {
    TensorInfo {
        name: name.to_owned(),
        kind: "float32".to_owned(),
        shape: Shape(shape.to_vec()),
    }
}

#[test]
fn shapes_are_checked_before_the_model_runs() {
    let check = |boxes: &Boxes, shape: &[Option<usize>], batch| {
        boxes.check(&[info("y", shape)], None, batch)
    };
    let xyxy = boxes(BoxLayout::XyxyScoreClass, &[]);
    assert_eq!(check(&xyxy, &[None, None, Some(6)], 8), Ok(()));
    assert_eq!(check(&xyxy, &[None, Some(6)], 1), Ok(()));
    assert_eq!(
        check(&xyxy, &[None, Some(6)], 8).unwrap_err().message,
        "the output \"y\" of float32 [?, 6] does not fit: expected are the pictures of a batch (8), \
         then 6 columns (left, top, right, bottom, score, class)"
    );
    let yolo = boxes(BoxLayout::YoloV8, &["ball", "player"]);
    assert_eq!(check(&yolo, &[Some(1), Some(6), Some(8400)], 1), Ok(()));
    assert!(check(&yolo, &[Some(1), Some(84), Some(8400)], 1).is_err());
    assert_eq!(
        check(&yolo, &[Some(1), Some(8400), Some(6)], 1)
            .unwrap_err()
            .message,
        "the output \"y\" of float32 [1, 8400, 6] does not fit: expected are the pictures of a batch (1), \
         then 4 rows and one for each class (2 labels are given); with columns = false it would"
    );
    let mut pose = boxes(BoxLayout::YoloV8, &["person"]);
    pose.keypoints = (0..17).map(|point| point.to_string()).collect();
    assert_eq!(check(&pose, &[Some(1), Some(56), Some(8400)], 1), Ok(()));
    assert!(check(&pose, &[Some(1), Some(84), Some(8400)], 1).is_err());
}

#[test]
fn tensors_are_looked_for_before_the_model_runs() {
    let outputs = [
        info("boxes", &[None, Some(4)]),
        info("scores", &[None]),
        info("labels", &[None]),
    ];
    let mut separate = boxes(BoxLayout::Separate, &[]);
    let wrong = separate.check(&outputs, None, 1).unwrap_err();
    assert_eq!(wrong.option.as_deref(), Some("scores"));
    separate.scores = Some("scores".to_owned());
    separate.classes = Some("classes".to_owned());
    let wrong = separate.check(&outputs, None, 1).unwrap_err();
    assert_eq!(
        wrong,
        OptionError::new(
            "classes",
            "the model has no output \"classes\"; it has \"boxes\", \"scores\", \"labels\""
        )
    );
    separate.classes = Some("labels".to_owned());
    assert_eq!(separate.check(&outputs, None, 1), Ok(()));

    let map = |name: &str, channels| info(name, &[Some(1), Some(channels), None, None]);
    let maps = [map("a", 1), map("b", 2), map("c", 2), map("d", 10)];
    let mut face = boxes(BoxLayout::CenterFace, &["face"]);
    assert_eq!(face.check(&maps[..3], None, 1), Ok(()));
    face.keypoints = (0..5).map(|point| point.to_string()).collect();
    assert_eq!(face.check(&maps, None, 1), Ok(()));
    assert!(face.check(&maps[..3], None, 1).is_err());
    assert!(face.check(&maps, Some("b"), 1).is_err());
    let wrong = boxes(BoxLayout::Yunet, &["face"]).check(&maps, None, 1);
    assert!(wrong.unwrap_err().message.contains("no output \"cls_8\""));
}

#[test]
fn wrong_options_are_named() {
    let options =
        |json: serde_json::Value| -> OutputOptions { serde_json::from_value(json).unwrap() };
    let named = |json: serde_json::Value, labels: Option<&[String]>| -> Vec<String> {
        let errors = wrong(&options(json), labels);
        errors
            .into_iter()
            .filter_map(|error| error.option)
            .collect()
    };
    let labels = ["ball".to_owned()];
    let json = serde_json::json!({"only": ["ball", "net"], "keypoints": ["a", "a", ""]});
    assert_eq!(
        named(json, Some(&labels)),
        ["only", "keypoints", "keypoints"]
    );
    let json = serde_json::json!({"scores": "y", "boxes": "center_face", "columns": true});
    assert_eq!(named(json, None), ["scores", "columns"]);
    let json = serde_json::json!({"boxes": "separate", "keypoints_tensor": "k"});
    assert_eq!(named(json, None), ["keypoints"]);
}
