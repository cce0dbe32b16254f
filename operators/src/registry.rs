//! The operator types that a spec can name. Documentation, validation and the command line list
//! what stands here.

use crate::featurers::{
    AudioPeaks, AudioSilence, DominantColor, External, Passthrough, SceneChange, StreamCues,
};
use crate::hosts::{HttpInference, Onnx, Speech};
use crate::labelers::{LabelPassthrough, LabelTemplate};
use crate::optimizers::{OptimizePassthrough, OptimizeToRanges};
use crate::sdk::OperatorType;
use crate::segmenters::{SegmentByKeyMoment, SegmentBySequence, SegmentByShot, SegmentPassthrough};

/// Every operator type, by class.
pub fn all() -> Vec<&'static dyn OperatorType> {
    #[cfg_attr(not(feature = "wasm"), expect(unused_mut))]
    let mut all: Vec<&'static dyn OperatorType> = vec![
        &SceneChange,
        &AudioPeaks,
        &AudioSilence,
        &DominantColor,
        &StreamCues,
        &Passthrough,
        &External,
        &Onnx,
        &HttpInference,
        &Speech,
        &SegmentBySequence,
        &SegmentByShot,
        &SegmentByKeyMoment,
        &SegmentPassthrough,
        &OptimizeToRanges,
        &OptimizePassthrough,
        &LabelTemplate,
        &LabelPassthrough,
    ];
    #[cfg(feature = "wasm")]
    all.push(&crate::hosts::Wasm);
    all
}

/// The type with this name.
pub fn find(name: &str) -> Option<&'static dyn OperatorType> {
    all().into_iter().find(|kind| kind.describe().name == name)
}
