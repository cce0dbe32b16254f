//! Featurers: what is seen and heard.

mod audio_peaks;
mod audio_silence;
mod black_frames;
mod dominant_color;
mod external;
mod levels;
mod passthrough;
mod scene_change;
mod small;
mod stream_cues;
mod transitions;

pub(crate) use audio_peaks::AudioPeaks;
pub(crate) use audio_silence::AudioSilence;
pub(crate) use black_frames::BlackFrames;
pub(crate) use dominant_color::DominantColor;
pub(crate) use external::External;
pub(crate) use passthrough::Passthrough;
pub(crate) use scene_change::SceneChange;
pub(crate) use stream_cues::StreamCues;
pub(crate) use transitions::Transitions;
