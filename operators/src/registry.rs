//! The operator types that a spec can name. Documentation, validation and the command line list
//! what stands here.

use crate::featurers::{
    AudioEvents, AudioLoudness, AudioPeaks, AudioSilence, BlackFrames, ChannelLogo, DominantColor,
    External, Passthrough, Rally, SceneChange, ScoreboardText, StreamCues, Transitions,
};
use crate::hosts::{HttpInference, Onnx, Process, Shots, Speech, Transcribe};
use crate::labelers::{LabelPassthrough, LabelScore, LabelTemplate};
use crate::optimizers::{OptimizePassthrough, OptimizeToRanges};
use crate::prompts::{LabelByPrompt, SegmentByPrompt, TextByPrompt};
use crate::sdk::OperatorType;
use crate::segmenters::{
    SegmentByCommercials, SegmentByKeyMoment, SegmentBySequence, SegmentByShot,
    SegmentFromTranscription, SegmentPassthrough,
};

/// Every operator type, by class.
pub fn all() -> Vec<&'static dyn OperatorType> {
    let mut all: Vec<&'static dyn OperatorType> = vec![
        &SceneChange,
        &Transitions,
        &BlackFrames,
        &ChannelLogo,
        &AudioPeaks,
        &AudioSilence,
        &AudioLoudness,
        &AudioEvents,
        &DominantColor,
        &ScoreboardText,
        &StreamCues,
        &Rally,
        &Passthrough,
        &External,
        &Process,
        &Onnx,
        &HttpInference,
        &TextByPrompt,
        &Shots,
        &Speech,
        &Transcribe,
    ];
    #[cfg(feature = "lambda")]
    all.push(&crate::hosts::Lambda);
    #[cfg(feature = "lambda")]
    all.push(&crate::hosts::Plugin);
    #[cfg(feature = "wasm")]
    all.push(&crate::hosts::Wasm);
    let others: [&'static dyn OperatorType; 13] = [
        &SegmentBySequence,
        &SegmentByShot,
        &SegmentByKeyMoment,
        &SegmentByCommercials,
        &SegmentFromTranscription,
        &SegmentByPrompt,
        &SegmentPassthrough,
        &OptimizeToRanges,
        &OptimizePassthrough,
        &LabelTemplate,
        &LabelScore,
        &LabelByPrompt,
        &LabelPassthrough,
    ];
    all.extend(others);
    all
}

/// The type with this name.
pub fn find(name: &str) -> Option<&'static dyn OperatorType> {
    all().into_iter().find(|kind| kind.describe().name == name)
}
