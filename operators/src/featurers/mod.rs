//! Featurers: what is seen and heard.

mod audio_events;
mod audio_loudness;
mod audio_peaks;
mod audio_silence;
mod black_frames;
mod channel_logo;
mod dominant_color;
mod external;
mod kweight;
mod levels;
mod passthrough;
mod rally;
mod scene_change;
mod scoreboard;
mod small;
mod spectrum;
mod stream_cues;
mod transitions;

pub(crate) use audio_events::AudioEvents;
pub(crate) use audio_loudness::AudioLoudness;
pub(crate) use audio_peaks::AudioPeaks;
pub(crate) use audio_silence::AudioSilence;
pub(crate) use black_frames::BlackFrames;
pub(crate) use channel_logo::ChannelLogo;
pub(crate) use dominant_color::DominantColor;
pub(crate) use external::External;
pub(crate) use passthrough::Passthrough;
pub(crate) use rally::Rally;
pub(crate) use scene_change::SceneChange;
pub(crate) use scoreboard::ScoreboardText;
pub(crate) use stream_cues::StreamCues;
pub(crate) use transitions::Transitions;
