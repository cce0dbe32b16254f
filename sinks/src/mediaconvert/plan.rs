//! From what is to be made to jobs: pieces of the event become inputs, transitions stand between them, and what has
//! more inputs than a job may have is made in parts that a last job joins.

use std::collections::BTreeMap;
use std::path::PathBuf;

use matchcut_aws::S3Address;
use matchcut_model::chunk::TrackNumber;
use matchcut_model::time::{FrameRate, MediaTime, TimeRange};
use matchcut_model::timeline::EventTimeline;
use serde_json::{Value as Json, json};

use super::chunks::{Mapping, NoInput, Part, parts};
use super::cost::Estimate;
use super::fades::{frames_in, veils};
use super::job::{JobRequest, Refused, Step, Upload, UploadFrom};
use super::options::MediaConvertOptions;
use super::outputs::{self, Common};
use super::resolution::Resolution;
use super::shape::{
    AccelerationSettings, AudioSelector, CreateJob, Input, JobSettings, OutputGroup, TimecodeConfig,
};
use crate::files::safe_file_name;

/// Inputs of a job; MediaConvert takes no more.
const MOST_INPUTS: usize = 150;

/// Overlays are placed by timecodes that reach to 59.
const MOST_FADED: u32 = 60;

/// What happens to pictures of another shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fit {
    /// The output is filled, and what stands out is cut off.
    #[default]
    Crop,
    /// Everything is shown, with black bars.
    Pad,
}

/// How loud it is to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loudness {
    /// Integrated loudness in LUFS.
    pub target: f64,
    /// What the true peak must not exceed, in dBTP.
    pub true_peak: f64,
}

/// A file of this machine that jobs read; it is uploaded first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Where it is.
    pub path: PathBuf,
    /// Its name in S3, which says its content: equal names have equal bytes.
    pub name: String,
    /// `Content-Type`.
    pub content_type: String,
}

/// What stands between two pieces.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Between {
    /// A hard cut.
    #[default]
    Nothing,
    /// Pictures go over into a colour and come out of it.
    Fade {
        /// How long a piece takes to disappear.
        out: MediaTime,
        /// How long the next one takes to appear.
        into: MediaTime,
        /// Red, green and blue.
        colour: [u8; 3],
    },
    /// A still picture, in silence.
    Image {
        /// A PNG file.
        asset: Asset,
        /// Width and height.
        size: (u32, u32),
        /// How long it is shown.
        duration: MediaTime,
    },
    /// A video with its sound.
    Clip {
        /// Its file.
        asset: Asset,
        /// How long it is.
        duration: MediaTime,
    },
}

/// What videos are to be like.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    /// Where the sink names no sizes.
    pub resolution: Option<Resolution>,
    /// What happens to pictures of another shape.
    pub fit: Fit,
    /// Frames a second; those of the source by default.
    pub frame_rate: Option<FrameRate>,
    /// At most so many bits a second; as the size allows by default.
    pub max_bitrate: Option<u32>,
    /// What stands between two pieces.
    pub between: Between,
    /// Loudness that the sound is brought to.
    pub loudness: Option<Loudness>,
}

/// A piece of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The frames with mark-in <= time < mark-out.
    pub marks: TimeRange,
    /// The audio track.
    pub track: TrackNumber,
}

/// What is to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// What it is called: `clip rally:12.04 track 1`, `replay best`.
    pub subject: String,
    /// `clips` or `replays`.
    pub folder: &'static str,
    /// The beginning of file names.
    pub name: String,
    /// The identity of the chunks: outputs of other chunks have other names.
    pub content: String,
    /// Pieces, in the order of playing.
    pub pieces: Vec<Piece>,
    /// What it is to be like.
    pub look: Look,
}

/// Plans jobs for one sink of one run.
#[derive(Clone, Debug)]
pub struct Maker {
    options: MediaConvertOptions,
    mapping: Mapping,
    destination: S3Address,
    event: (String, String),
    /// Names the run: jobs of another one are others.
    incarnation: String,
}

/// Something that plays, with the number of its frames at the rate of the output.
struct Playing {
    input: Input,
    frames: i64,
    /// The place of its piece; nothing for what stands between.
    piece: Option<usize>,
}

impl Maker {
    /// A maker for an event of a program. What is wrong in the options was said before.
    pub fn new(
        options: MediaConvertOptions,
        (program, event): (&str, &str),
        incarnation: &str,
    ) -> Self {
        let parsed = S3Address::parse(&options.destination);
        let mut destination = parsed.unwrap_or(S3Address {
            bucket: String::new(),
            key: String::new(),
        });
        if !destination.key.is_empty() && !destination.key.ends_with('/') {
            destination.key.push('/');
        }
        Maker {
            mapping: Mapping::new(&options.media),
            destination,
            event: (program.to_owned(), event.to_owned()),
            incarnation: incarnation.to_owned(),
            options,
        }
    }

    /// The jobs that make `wish`.
    pub fn plan(&self, wish: &Wish, timeline: &EventTimeline) -> Result<JobRequest, Refused> {
        self.planned(wish, timeline).map_err(|reason| Refused {
            subject: wish.subject.clone(),
            reason,
        })
    }

    fn planned(&self, wish: &Wish, timeline: &EventTimeline) -> Result<JobRequest, String> {
        let mut pieces: Vec<Vec<Part>> = Vec::new();
        for piece in &wish.pieces {
            let found = parts(timeline, piece.marks, piece.track, &self.mapping);
            match found {
                Ok(found) => pieces.push(found),
                // What is so short that it shows nothing leaves the others.
                Err(NoInput::Empty) if wish.pieces.len() > 1 => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        let first = pieces.iter().flatten().next();
        let first = first.ok_or_else(|| NoInput::Empty.to_string())?;
        let rate = wish.look.frame_rate.unwrap_or(first.rate);
        let film = Film {
            maker: self,
            wish,
            rate,
            sound: pieces.iter().flatten().any(|part| part.track.is_some()),
        };
        let playing = film.playing(&pieces);
        let lengths: Vec<i64> = (0..pieces.len())
            .map(|piece| {
                let own = playing
                    .iter()
                    .filter(|playing| playing.piece == Some(piece));
                own.map(|playing| playing.frames).sum()
            })
            .collect();
        if playing.len() > MOST_INPUTS * MOST_INPUTS {
            return Err(format!(
                "it has {} inputs, more than MediaConvert can join",
                playing.len()
            ));
        }
        if matches!(wish.look.between, Between::Fade { .. })
            && lengths.len() > 1
            && rate.nominal() > MOST_FADED
        {
            return Err(format!(
                "at {rate} frames a second MediaConvert cannot place fades; set \"frame_rate\" to 60 or less"
            ));
        }
        Ok(film.request(playing, &lengths))
    }

    fn at(&self, path: &str) -> S3Address {
        let event = safe_file_name(&self.event.1);
        self.destination
            .at(format!("{}{event}/{path}", self.destination.key))
    }

    /// Where an uploaded file goes: what is equal is uploaded once for all events.
    fn asset(&self, name: &str) -> S3Address {
        self.destination
            .at(format!("{}transitions/{name}", self.destination.key))
    }

    fn job(&self, token: &str, wish: &Wish, inputs: Vec<Input>, groups: Vec<OutputGroup>) -> Json {
        let (program, event) = &self.event;
        let noted = [
            ("matchcut", token),
            ("program", program),
            ("event", event),
            ("subject", &wish.subject),
        ];
        let noted = noted.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let options = &self.options;
        let job = CreateJob {
            acceleration_settings: AccelerationSettings {
                mode: options.acceleration.mode().to_owned(),
            },
            billing_tags_source: (!options.tags.is_empty()).then(|| "JOB".to_owned()),
            client_request_token: token.to_owned(),
            job_template: options.job_template.clone(),
            priority: options.priority,
            queue: options.queue.clone(),
            role: options.role.clone(),
            settings: JobSettings {
                timecode_config: TimecodeConfig {
                    source: "ZEROBASED".to_owned(),
                },
                inputs,
                output_groups: groups,
            },
            tags: options.tags.clone(),
            user_metadata: BTreeMap::from(noted),
        };
        // Every key is a text, so it can be written.
        serde_json::to_value(job).unwrap_or_default()
    }
}

/// One film that is planned.
struct Film<'a> {
    maker: &'a Maker,
    wish: &'a Wish,
    rate: FrameRate,
    sound: bool,
}

impl Film<'_> {
    /// What is played one after the other.
    fn playing(&self, pieces: &[Vec<Part>]) -> Vec<Playing> {
        let mut playing = Vec::new();
        for (number, parts) in pieces.iter().enumerate() {
            if number > 0 {
                playing.extend(self.between());
            }
            for part in parts {
                let shown = part.rate.time_of(part.len());
                playing.push(Playing {
                    frames: match part.rate == self.rate {
                        true => part.len(),
                        false => frames_in(shown, self.rate),
                    },
                    input: Input {
                        file_input: Some(part.file.clone()),
                        input_clippings: part.clipping(),
                        ..self.input(part.track)
                    },
                    piece: Some(number),
                });
            }
        }
        playing
    }

    fn input(&self, track: Option<u32>) -> Input {
        Input {
            timecode_source: "ZEROBASED".to_owned(),
            // A track that is missing is silent.
            audio_selectors: match self.sound {
                true => AudioSelector::track(track.unwrap_or(1)),
                false => BTreeMap::new(),
            },
            ..Input::default()
        }
    }

    fn between(&self) -> Option<Playing> {
        let (input, duration) = match &self.wish.look.between {
            Between::Nothing | Between::Fade { .. } => return None,
            Between::Image {
                asset,
                size,
                duration,
            } => {
                let generator = json!({
                    "duration": duration.to_millis().max(1),
                    "framerateNumerator": self.rate.num,
                    "framerateDenominator": self.rate.den,
                    "width": size.0.clamp(32, 8192),
                    "height": size.1.clamp(32, 8192),
                    "channels": 2,
                    "sampleRate": 48_000,
                    "imageInput": self.maker.asset(&asset.name).to_string(),
                });
                let input = Input {
                    video_generator: Some(generator),
                    ..self.input(None)
                };
                (input, *duration)
            }
            Between::Clip { asset, duration } => {
                let input = Input {
                    file_input: Some(self.maker.asset(&asset.name).to_string()),
                    ..self.input(None)
                };
                (input, *duration)
            }
        };
        Some(Playing {
            input,
            frames: frames_in(duration, self.rate),
            piece: None,
        })
    }

    fn uploads(&self, pieces: usize) -> Vec<Upload> {
        let upload = match &self.wish.look.between {
            _ if pieces < 2 => return Vec::new(),
            Between::Nothing => return Vec::new(),
            Between::Fade { colour, .. } => Upload {
                from: UploadFrom::Colour(*colour),
                to: self.veil(*colour),
                content_type: "image/png".to_owned(),
            },
            Between::Image { asset, .. } | Between::Clip { asset, .. } => Upload {
                from: UploadFrom::File(asset.path.clone()),
                to: self.maker.asset(&asset.name),
                content_type: asset.content_type.clone(),
            },
        };
        vec![upload]
    }

    fn veil(&self, [red, green, blue]: [u8; 3]) -> S3Address {
        self.maker
            .asset(&format!("{red:02x}{green:02x}{blue:02x}.png"))
    }

    fn request(&self, playing: Vec<Playing>, lengths: &[i64]) -> JobRequest {
        let frames: i64 = playing.iter().map(|playing| playing.frames).sum();
        let inputs: Vec<Input> = playing.into_iter().map(|playing| playing.input).collect();
        let id = self.id(&inputs, lengths);
        let name = &self.wish.name;
        let short = id.get(..12).unwrap_or(&id);
        let folder = self
            .maker
            .at(&format!("{}/{name}-{short}/", self.wish.folder));
        let (mut steps, mut leftovers) = (Vec::new(), Vec::new());
        let mut estimate = Estimate::default();
        let inputs = match inputs.len() > MOST_INPUTS {
            false => inputs,
            true => {
                let mut joined = Vec::new();
                for (number, inputs) in (1..).zip(inputs.chunks(MOST_INPUTS)) {
                    let place = folder.at(format!("{}parts/part-{number:03}", folder.key));
                    let group = outputs::part(&place.to_string(), self.rate, self.sound);
                    let token = format!("{id}-{number}");
                    let job = self
                        .maker
                        .job(&token, self.wish, inputs.to_vec(), vec![group]);
                    steps.push(Step { token, job });
                    let file = place.at(format!("{}.mov", place.key));
                    joined.push(Input {
                        file_input: Some(file.to_string()),
                        ..self.input(None)
                    });
                    leftovers.push(file);
                }
                // What a part is charged as is not known exactly.
                let duration = self.rate.time_of(frames);
                estimate = Estimate::of([None], self.rate, duration, self.maker.options.price);
                joined
            }
        };
        let (groups, outputs) = self.groups(&folder, lengths, frames);
        let job = self.maker.job(&id, self.wish, inputs, groups);
        steps.push(Step {
            token: id.clone(),
            job,
        });
        JobRequest {
            subject: self.wish.subject.clone(),
            frames: u64::try_from(frames).unwrap_or_default(),
            steps,
            uploads: self.uploads(lengths.len()),
            outputs,
            leftovers,
            estimate: estimate.plus(self.estimate(frames)),
            id,
        }
    }

    /// What decides on the outputs decides on the id, with the run.
    fn id(&self, inputs: &[Input], lengths: &[i64]) -> String {
        let (groups, _) = self.groups(&self.maker.destination, lengths, 0);
        let text = serde_json::to_vec(&(inputs, groups, &self.wish.subject)).unwrap_or_default();
        let mut hasher = blake3::Hasher::new();
        for part in [
            self.maker.incarnation.as_bytes(),
            self.wish.content.as_bytes(),
            &text,
        ] {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        let hash = hasher.finalize().to_hex();
        hash.get(..32).unwrap_or_default().to_owned()
    }

    fn sizes(&self) -> Vec<Option<Resolution>> {
        let named = &self.maker.options.resolutions;
        let sizes: Vec<_> = named
            .iter()
            .filter_map(|name| Resolution::named(name))
            .collect();
        match sizes.is_empty() {
            true => vec![self.wish.look.resolution],
            false => sizes.into_iter().map(Some).collect(),
        }
    }

    fn groups(
        &self,
        folder: &S3Address,
        lengths: &[i64],
        frames: i64,
    ) -> (Vec<OutputGroup>, Vec<String>) {
        let look = &self.wish.look;
        let images = |size: (u32, u32)| match &look.between {
            Between::Fade { out, into, colour } => {
                let address = self.veil(*colour).to_string();
                let veils = veils(lengths, (*out, *into), self.rate).into_iter();
                veils
                    .map(|veil| veil.image(&address, size, self.rate))
                    .collect()
            }
            _ => Vec::new(),
        };
        let options = &self.maker.options;
        let common = Common {
            rate: self.rate,
            fit: look.fit,
            quality: options.quality,
            max_bitrate: look.max_bitrate,
            loudness: look.loudness,
            sound: self.sound,
            duration: self.rate.time_of(frames),
            veils: &images,
        };
        let made = outputs::groups(
            (&folder.to_string(), &self.wish.name),
            &self.sizes(),
            (&options.formats, options.thumbnails),
            &common,
        );
        let (groups, outputs): (Vec<_>, Vec<_>) = made.into_iter().unzip();
        (groups, outputs.into_iter().flatten().collect())
    }

    fn estimate(&self, frames: i64) -> Estimate {
        let sizes = self.sizes();
        let formats = self.maker.options.formats.len();
        let sizes = sizes
            .iter()
            .map(|size| size.map(|size| (size.width, size.height)));
        let outputs = std::iter::repeat_n(sizes, formats).flatten();
        Estimate::of(
            outputs,
            self.rate,
            self.rate.time_of(frames),
            self.maker.options.price,
        )
    }
}

#[cfg(test)]
#[path = "golden_tests.rs"]
mod tests;
