//! The operator types that a spec can name. Documentation, validation and the command line list
//! what stands here.

use crate::featurers::{
    AudioPeaks, AudioSilence, BlackFrames, DominantColor, External, Passthrough, SceneChange,
    StreamCues, Transitions,
};
use crate::hosts::Process;
use crate::hosts::{Onnx, Speech};
use crate::labelers::{LabelPassthrough, LabelTemplate};
use crate::optimizers::{OptimizePassthrough, OptimizeToRanges};
use crate::sdk::OperatorType;
use crate::segmenters::{
    SegmentByCommercials, SegmentByKeyMoment, SegmentBySequence, SegmentByShot, SegmentPassthrough,
};

/// Every operator type, by class.
pub fn all() -> Vec<&'static dyn OperatorType> {
    vec![
        &SceneChange,
        &Transitions,
        &BlackFrames,
        &AudioPeaks,
        &AudioSilence,
        &DominantColor,
        &StreamCues,
        &Passthrough,
        &External,
        &Process,
        &Onnx,
        &Speech,
        &SegmentBySequence,
        &SegmentByShot,
        &SegmentByKeyMoment,
        &SegmentByCommercials,
        &SegmentPassthrough,
        &OptimizeToRanges,
        &OptimizePassthrough,
        &LabelTemplate,
        &LabelPassthrough,
    ]
}

/// The type with this name.
pub fn find(name: &str) -> Option<&'static dyn OperatorType> {
    all().into_iter().find(|kind| kind.describe().name == name)
}
