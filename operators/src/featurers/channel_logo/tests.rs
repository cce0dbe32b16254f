//! A logo that shines through, on the recorded programme of the demo.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;

use matchcut_model::time::MediaTime;
use serde_json::json;

use super::*;
use crate::testing::{Picture, Script, observations, scan_pictures};

/// A ring with a bar in it, white, on nothing.
fn logo(directory: &Path) -> PathBuf {
    let path = directory.join("logo.png");
    let mut pixels = Vec::new();
    for y in -24_i32..24 {
        for x in -24_i32..24 {
            let ring = (256..484).contains(&(x * x + y * y));
            let bar = x.abs() < 4 && y.abs() < 12;
            pixels.extend([255, 255, 255, if ring || bar { 255 } else { 0 }]);
        }
    }
    let file = BufWriter::new(File::create(&path).unwrap());
    let mut encoder = png::Encoder::new(file, 48, 48);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&pixels).unwrap();
    path
}

/// A picture for each second of the programme, by FFmpeg, with the logo at 60 % over it between two seconds.
fn pictures(logo: &Path, from: u32, to: u32) -> Option<Vec<Picture>> {
    let programme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/programme/index.m3u8");
    let over = format!(
        "[0:v]fps=1,scale={WIDTH}:{HEIGHT}[p];[1:v]format=rgba,colorchannelmixer=aa=0.6[l];\
         [p][l]overlay=560:24:enable='between(t,{from},{to})',format=gray"
    );
    let command = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(programme)
        .arg("-i")
        .arg(logo)
        .args(["-filter_complex", &over, "-f", "rawvideo", "-"])
        .output();
    let Ok(output) = command else {
        eprintln!("skipped: no ffmpeg here (make setup-test)");
        return None;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let pictures = output.stdout.chunks_exact(WIDTH * HEIGHT).zip(0..);
    let picture = |(data, second): (&[u8], i64)| Picture {
        time: MediaTime::from_seconds(second),
        data: data.to_vec(),
    };
    Some(pictures.map(picture).collect())
}

#[test]
fn a_logo_that_shines_through_is_seen_where_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let image = logo(directory.path());
    let Some(pictures) = pictures(&image, 60, 140) else {
        return;
    };
    let region = [560.0 / 640.0, 24.0 / 360.0, 48.0 / 640.0, 48.0 / 360.0];
    let options = json!({"image": image, "region": region});
    let built = ChannelLogo.build(options.as_object().unwrap()).unwrap();
    let Operator::Video { scanner, fold } = built else {
        panic!("not for video")
    };
    let script = Script::new(pictures.len() as i64 * 1000, 1)
        .chunked(6000)
        .scanned(|chunk| scan_pictures(&*scanner, chunk, &pictures));
    let (mut wrong, mut looks) = (Vec::new(), 0);
    for (start, _, attributes) in observations(&script.run(&fold)) {
        let second = start / 1000;
        let seen = attributes.get("logo") == Some(&Value::from(true));
        looks += 1;
        if seen != (60..=140).contains(&second) {
            wrong.push((second, attributes));
        }
    }
    assert!(looks > 190, "{looks} looks");
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn what_is_no_logo_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let image = logo(directory.path());
    let empty = directory.path().join("empty.png");
    std::fs::write(&empty, "no picture").unwrap();
    let wrong = |options: serde_json::Value| {
        let errors = ChannelLogo.build(options.as_object().unwrap()).err();
        let told = errors.unwrap().into_iter();
        told.map(|error| format!("{}: {}", error.option.unwrap_or_default(), error.message))
            .collect::<Vec<String>>()
    };
    assert_eq!(
        wrong(json!({"threshold": 2, "rate": 0})),
        [
            "threshold: not between 0.05 and 0.95",
            "rate: not between 1 and 10 pictures a second",
            "region: missing: where the logo stands in the picture",
            "image: missing: the path of a PNG file",
        ]
    );
    let region = json!([0.9, 0.1, 0.2, 0.1]);
    assert_eq!(
        wrong(json!({"image": image, "region": region})),
        [
            "region: [0.9, 0.1, 0.2, 0.1] is no part of a picture: left, top, width and height are shares of its \
             size"
        ]
    );
    let region = json!([0.1, 0.1, 0.01, 0.1]);
    assert_eq!(
        wrong(json!({"image": image, "region": region})),
        ["region: too small: 10 pixels of a picture of 640x360 are the least"]
    );
    let region = json!([0.8, 0.1, 0.1, 0.1]);
    let told = wrong(json!({"image": empty, "region": region}));
    let path = empty.display();
    assert!(
        told[0].starts_with(&format!("image: \"{path}\" cannot be read as PNG: ")),
        "{told:?}"
    );
}
