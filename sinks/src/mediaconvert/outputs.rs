//! What a job makes: for each size and format a video, and a picture of the middle, with the settings of AWS Media
//! Replay Engine: H.264 by quality with a ceiling, AAC with 96 kbit/s, chunks of HLS of 10 s.

use matchcut_model::time::{FrameRate, MediaTime};
use serde_json::{Value as Json, json};

use super::options::Format;
use super::plan::{Fit, Loudness};
use super::resolution::{Resolution, SOURCE_QUALITY};
use super::shape::{AUDIO, OutputGroup};

/// What all videos of a job have in common.
pub(super) struct Common<'a> {
    pub rate: FrameRate,
    pub fit: Fit,
    pub quality: Option<u32>,
    pub max_bitrate: Option<u32>,
    pub loudness: Option<Loudness>,
    /// Whether there is sound.
    pub sound: bool,
    pub duration: MediaTime,
    /// Pictures over the outputs, by their size.
    pub veils: &'a dyn Fn((u32, u32)) -> Vec<Json>,
}

/// A veil over a picture of unknown size is as large as the largest.
const LARGEST: (u32, u32) = (3840, 2160);

/// A group with the addresses of what it makes.
pub(super) type Made = (OutputGroup, Vec<String>);

/// The groups of a job; `folder` is an address that ends with a slash, `name` the beginning of file names.
pub(super) fn groups(
    (folder, name): (&str, &str),
    sizes: &[Option<Resolution>],
    (formats, thumbnail): (&[Format], bool),
    common: &Common<'_>,
) -> Vec<Made> {
    let mut formats = formats.to_vec();
    formats.sort();
    formats.dedup();
    let mut groups: Vec<Made> = formats
        .into_iter()
        .map(|format| match format {
            Format::Mp4 => mp4((folder, name), sizes, common),
            Format::Hls => hls(folder, sizes, common),
        })
        .collect();
    if thumbnail {
        groups.push(picture(
            (folder, name),
            sizes.first().copied().flatten(),
            common,
        ));
    }
    groups
}

fn tag(size: &Option<Resolution>) -> &'static str {
    size.map_or("source", |size| size.tag)
}

fn mp4((folder, name): (&str, &str), sizes: &[Option<Resolution>], common: &Common<'_>) -> Made {
    let output = |size: &Option<Resolution>| {
        let mut output = json!({
            "nameModifier": format!("-{}", tag(size)),
            "containerSettings": {
                "container": "MP4",
                "mp4Settings": {
                    "cslgAtom": "INCLUDE",
                    "freeSpaceBox": "EXCLUDE",
                    "moovPlacement": "PROGRESSIVE_DOWNLOAD",
                },
            },
            "videoDescription": video(*size, common),
        });
        common.add_sound(&mut output);
        output
    };
    let group = OutputGroup {
        name: "MP4".to_owned(),
        output_group_settings: file_group(&format!("{folder}{name}")),
        outputs: sizes.iter().map(output).collect(),
    };
    let files = sizes
        .iter()
        .map(|size| format!("{folder}{name}-{}.mp4", tag(size)));
    (group, files.collect())
}

fn file_group(destination: &str) -> Json {
    json!({
        "type": "FILE_GROUP_SETTINGS",
        "fileGroupSettings": { "destination": destination },
    })
}

fn hls(folder: &str, sizes: &[Option<Resolution>], common: &Common<'_>) -> Made {
    let output = |size: &Option<Resolution>| {
        let mut output = json!({
            "nameModifier": format!("-{}", tag(size)),
            "containerSettings": { "container": "M3U8", "m3u8Settings": {} },
            "outputSettings": { "hlsSettings": { "iFrameOnlyManifest": "EXCLUDE" } },
            "videoDescription": video(*size, common),
        });
        common.add_sound(&mut output);
        output
    };
    let group = OutputGroup {
        name: "HLS".to_owned(),
        output_group_settings: json!({
            "type": "HLS_GROUP_SETTINGS",
            "hlsGroupSettings": {
                "destination": format!("{folder}hls/index"),
                "segmentLength": 10,
                "minSegmentLength": 0,
                "segmentControl": "SEGMENTED_FILES",
                "directoryStructure": "SINGLE_DIRECTORY",
                "manifestDurationFormat": "FLOATING_POINT",
                "manifestCompression": "NONE",
                "outputSelection": "MANIFESTS_AND_SEGMENTS",
                "codecSpecification": "RFC_6381",
                "streamInfResolution": "INCLUDE",
                "clientCache": "ENABLED",
            },
        }),
        outputs: sizes.iter().map(output).collect(),
    };
    (group, vec![format!("{folder}hls/index.m3u8")])
}

/// Frame capture takes the first frame, and one after every interval: with an interval of half of the video, the
/// second picture is that of the middle.
fn picture((folder, name): (&str, &str), size: Option<Resolution>, common: &Common<'_>) -> Made {
    let half = common.duration.to_millis() / 2;
    let frame = common.rate.frame_duration().to_millis();
    let captures = if half > frame { 2 } else { 1 };
    let mut description = json!({
        "codecSettings": {
            "codec": "FRAME_CAPTURE",
            "frameCaptureSettings": {
                "framerateNumerator": 1000,
                "framerateDenominator": half.max(1),
                "maxCaptures": captures,
                "quality": 90,
            },
        },
    });
    set_size(&mut description, size, common.fit);
    let group = OutputGroup {
        name: "Thumbnail".to_owned(),
        output_group_settings: file_group(&format!("{folder}{name}")),
        outputs: vec![json!({
            "nameModifier": "-thumbnail",
            "containerSettings": { "container": "RAW" },
            "videoDescription": description,
        })],
    };
    let file = format!("{folder}{name}-thumbnail.{:07}.jpg", captures - 1);
    (group, vec![file])
}

fn set_size(description: &mut Json, size: Option<Resolution>, fit: Fit) {
    if let Some(size) = size {
        description["width"] = size.width.into();
        description["height"] = size.height.into();
        description["scalingBehavior"] = match fit {
            Fit::Crop => "FILL",
            Fit::Pad => "DEFAULT",
        }
        .into();
    }
}

/// H.264 in one pass, by quality.
fn video(size: Option<Resolution>, common: &Common<'_>) -> Json {
    let usual = size.map_or(SOURCE_QUALITY, |size| (size.quality, size.max_bitrate));
    let mut description = json!({
        "timecodeInsertion": "DISABLED",
        "antiAlias": "ENABLED",
        "codecSettings": {
            "codec": "H_264",
            "h264Settings": {
                "rateControlMode": "QVBR",
                "qvbrSettings": { "qvbrQualityLevel": common.quality.unwrap_or(usual.0) },
                "maxBitrate": common.max_bitrate.unwrap_or(usual.1),
                "qualityTuningLevel": "SINGLE_PASS_HQ",
                "sceneChangeDetect": "TRANSITION_DETECTION",
                "codecProfile": "HIGH",
                "codecLevel": "AUTO",
                "interlaceMode": "PROGRESSIVE",
                "gopSize": 2.0,
                "gopSizeUnits": "SECONDS",
                "gopClosedCadence": 1,
            },
        },
    });
    let codec = &mut description["codecSettings"]["h264Settings"];
    set_rate(codec, common.rate);
    if size.is_some() {
        codec["parControl"] = "SPECIFIED".into();
        codec["parNumerator"] = 1.into();
        codec["parDenominator"] = 1.into();
    }
    set_size(&mut description, size, common.fit);
    let veils = (common.veils)(size.map_or(LARGEST, |size| (size.width, size.height)));
    if !veils.is_empty() {
        description["videoPreprocessors"] =
            json!({ "imageInserter": { "insertableImages": veils } });
    }
    description
}

/// Frames are neither doubled nor dropped where this is the rate of the source.
fn set_rate(codec: &mut Json, rate: FrameRate) {
    codec["framerateControl"] = "SPECIFIED".into();
    codec["framerateNumerator"] = rate.num.into();
    codec["framerateDenominator"] = rate.den.into();
    codec["framerateConversionAlgorithm"] = "DUPLICATE_DROP".into();
}

impl Common<'_> {
    fn add_sound(&self, output: &mut Json) {
        if !self.sound {
            return;
        }
        let mut description = json!({
            "audioSourceName": AUDIO,
            "codecSettings": {
                "codec": "AAC",
                "aacSettings": {
                    "bitrate": 96_000,
                    "codingMode": "CODING_MODE_2_0",
                    "sampleRate": 48_000,
                    "codecProfile": "LC",
                    "rateControlMode": "CBR",
                },
            },
        });
        if let Some(loudness) = self.loudness {
            description["audioNormalizationSettings"] = json!({
                "algorithm": "ITU_BS_1770_4",
                "algorithmControl": "CORRECT_AUDIO",
                "peakCalculation": "TRUE_PEAK",
                "targetLkfs": loudness.target,
                "truePeakLimiterThreshold": loudness.true_peak,
            });
        }
        output["audioDescriptions"] = json!([description]);
    }
}

/// A part of a job that has too many inputs: pictures and sound nearly as they were, to be joined again.
pub(super) fn part(destination: &str, rate: FrameRate, sound: bool) -> OutputGroup {
    let mut codec = json!({
        "codecProfile": "APPLE_PRORES_422",
        "interlaceMode": "PROGRESSIVE",
    });
    set_rate(&mut codec, rate);
    let mut output = json!({
        "containerSettings": { "container": "MOV", "movSettings": {} },
        "videoDescription": {
            "timecodeInsertion": "DISABLED",
            "codecSettings": { "codec": "PRORES", "proresSettings": codec },
        },
    });
    if sound {
        output["audioDescriptions"] = json!([{
            "audioSourceName": AUDIO,
            "codecSettings": {
                "codec": "WAV",
                "wavSettings": { "bitDepth": 24, "channels": 2, "sampleRate": 48_000, "format": "RIFF" },
            },
        }]);
    }
    OutputGroup {
        name: "Part".to_owned(),
        output_group_settings: file_group(destination),
        outputs: vec![output],
    }
}
