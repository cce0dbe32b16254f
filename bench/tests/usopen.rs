//! The generated match: the same bytes for the same seed, and what it says it holds.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use matchcut_bench::usopen::{SEED, SPEC, write};
use matchcut_dataflow::plan;
use matchcut_dataflow::spec::{self, Catalog};
use matchcut_model::lines::Recording;

const ANNOTATED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../demo/usopen2019/observations.jsonl"
);

fn generated(seed: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let annotated = std::fs::read(ANNOTATED).unwrap();
    write((ANNOTATED, &annotated), seed, &mut out).unwrap();
    out
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let bytes = generated(SEED);
    assert!(bytes == generated(SEED));
    assert!(bytes != generated(SEED + 1));
    // The committed figures are of this file.
    let sum = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    assert_eq!(bytes.len(), 36_307_028, "FNV-1a {sum:#x}");

    let mut recording = Recording::default();
    recording.read("generated", &bytes).unwrap();
    let of = |name: &str| {
        let all = &recording.observations;
        all.iter().filter(|o| o.operator == *name).count()
    };
    assert_eq!((of("points"), of("strokes")), (267, 3847));
    assert_eq!(of("view"), 85_503);
    assert_eq!(of("level"), 109_443);
    assert!(recording.observations.is_sorted());
}

#[test]
fn its_pipeline_has_ten_replays() {
    let catalog = Catalog::built_in();
    let spec = spec::parse(SPEC, Path::new("usopen.toml"), &[], &catalog).unwrap();
    let plan = plan::compile(&spec, &catalog).unwrap();
    assert_eq!(plan.replays.len(), 10);
}
