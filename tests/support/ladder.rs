//! A programme in several renditions: 8 seconds, no picture like another, a new shot every 30 frames,
//! in a large and a small size, and two sounds in playlists of their own, English at 440 Hz with a
//! silence from 2.6 to 3.8 s and French at 880 Hz with one from 5.2 to 6.6 s.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::OnceLock;

use super::media::tool;
use super::stream::Shared;

/// Frames of each rendition, at 25 a second.
pub const FRAMES: usize = 200;
/// The first frames of shots, but for the very first.
pub const CUTS: [u64; 6] = [30, 60, 90, 120, 150, 180];
/// The size of `high` and of `other`.
pub const HIGH: (u32, u32) = (640, 360);
/// The size of `low`.
pub const LOW: (u32, u32) = (320, 180);
/// Chunks of `high`, `low`, `en` and `fr`, of two seconds.
pub const CHUNKS: usize = 4;

/// The directory with the renditions: `low.m3u8` with `low0.ts` and so on, `high`, `en`, `fr`; and
/// `other`, which is `high` with chunks of 52 frames.
pub fn ladder() -> &'static Path {
    static LADDER: OnceLock<Shared> = OnceLock::new();
    &LADDER
        .get_or_init(|| {
            let shared = Shared::new("ladder");
            make(&shared.dir);
            shared
        })
        .dir
}

fn make(dir: &Path) {
    let filter = "testsrc2=s=640x360:r=25:d=8,negate=enable='mod(floor(n/30),2)',format=yuv420p,\
                  split=3[high][other][b];[b]scale=320x180:flags=area[low];\
                  aevalsrc=0.4*sin(2*PI*440*t)*(lt(t\\,2.6)+gte(t\\,3.8)):s=48000:d=8[en];\
                  aevalsrc=0.4*sin(2*PI*880*t)*(lt(t\\,5.2)+gte(t\\,6.6)):s=48000:d=8[fr]";
    let mut args: Vec<String> = vec!["-filter_complex".into(), filter.into()];
    let mut output = |name: &str, codec: String| {
        let names = dir.join(format!("{name}%d.ts"));
        let list = dir.join(format!("{name}.m3u8"));
        args.extend(["-map".into(), format!("[{name}]")]);
        args.extend(codec.split(' ').map(str::to_owned));
        let hls = "-f hls -hls_time 2 -hls_list_size 0 -hls_segment_filename";
        args.extend(hls.split(' ').map(str::to_owned));
        args.extend([names, list].map(|path| path.to_str().unwrap().to_owned()));
    };
    let video = |group: u32| {
        format!(
            "-c:v libx264 -preset ultrafast -threads 1 -x264-params \
             keyint={group}:min-keyint={group}:scenecut=0 -bf 0"
        )
    };
    output("low", video(50));
    output("high", video(50));
    output("other", video(52));
    output("en", "-c:a aac -b:a 96k".to_owned());
    output("fr", "-c:a aac -b:a 96k".to_owned());
    tool("ffmpeg", args.iter().map(OsStr::new));
    for name in ["low", "high", "other", "en", "fr"] {
        let last = dir.join(format!("{name}{}.ts", CHUNKS - 1));
        assert!(last.is_file(), "FFmpeg made no {}", last.display());
    }
}

/// The main playlist: `variants` by name, with or without sound of their own playlists.
pub fn master(variants: &[&str], sound: bool) -> String {
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:4\n");
    let mut group = "";
    if sound {
        group = ",AUDIO=\"sound\"";
        for (name, language, default) in [("English", "en", "YES"), ("French", "fr", "NO")] {
            let _ = writeln!(
                text,
                "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"{name}\",\
                 LANGUAGE=\"{language}\",DEFAULT={default},URI=\"{language}.m3u8\""
            );
        }
    }
    for name in variants {
        let (bandwidth, (width, height)) = match *name {
            "low" => (300_000, LOW),
            _ => (2_000_000, HIGH),
        };
        let _ = writeln!(
            text,
            "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},RESOLUTION={width}x{height}{group}\n{name}.m3u8"
        );
    }
    text
}

/// A playlist of the first `number` chunks of two seconds, that goes on or has ended.
pub fn playlist(name: &str, number: usize, ended: bool) -> String {
    let mut text = String::from(
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n",
    );
    for chunk in 0..number {
        let _ = writeln!(text, "#EXTINF:2.000000,\n{name}{chunk}.ts");
    }
    if ended {
        text.push_str("#EXT-X-ENDLIST\n");
    }
    text
}
