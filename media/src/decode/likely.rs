//! Which access units may begin a shot, told without decoding: key frames, and groups of pictures in
//! which one is so large that little of it can have been predicted from those before it.

use matchcut_model::frame::{FrameChoice, ViewSpec};

use crate::samples::Sample;

/// A picture that shows something new is so many times as large as most pictures near it.
const TIMES_OTHERS: usize = 2;

/// And has at least this part of the size of the key frame of its group.
const PART_OF_KEY: usize = 4;

/// Pictures on either side, in decode order, that it is compared with.
const NEAR: usize = 12;

/// For each sample whether it must be decoded; `None` when a view wants them all.
pub(super) fn wanted(samples: &[Sample], views: &[ViewSpec]) -> Option<Vec<bool>> {
    let few = |view: &ViewSpec| view.frames == FrameChoice::Likely;
    (!views.is_empty() && views.iter().all(few)).then(|| of(samples))
}

/// For each sample whether views of [`FrameChoice::Likely`] take it.
pub(super) fn of(samples: &[Sample]) -> Vec<bool> {
    let mut taken = vec![false; samples.len()];
    let keys: Vec<usize> = (0..samples.len())
        .filter(|at| samples[*at].sync.is_key())
        .collect();
    for (number, key) in keys.iter().enumerate() {
        let end = keys.get(number + 1).copied().unwrap_or(samples.len());
        taken[*key] = true;
        let sizes: Vec<usize> = samples[*key..end].iter().map(|s| s.data.len()).collect();
        if holds_something_new(&sizes) {
            // Leading pictures refer to the group before, which may be left out.
            for (at, sample) in samples.iter().enumerate().take(end).skip(key + 1) {
                taken[at] = !sample.leading;
            }
        }
    }
    taken
}

/// Whether a picture after the key frame, the first, is as large as those that show something new.
fn holds_something_new(sizes: &[usize]) -> bool {
    let key = sizes.first().copied().unwrap_or_default();
    (1..sizes.len()).any(|at| {
        if sizes[at] * PART_OF_KEY < key {
            return false;
        }
        let from = at.saturating_sub(NEAR).max(1);
        let to = (at + NEAR + 1).min(sizes.len());
        let mut near = [&sizes[from..at], &sizes[at + 1..to]].concat();
        near.sort_unstable();
        let most = near.get(near.len() * 9 / 10).copied().unwrap_or_default();
        sizes[at] >= most * TIMES_OTHERS
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::samples::SyncKind;

    /// Groups of pictures, each by their sizes.
    fn groups(groups: &[&[usize]]) -> Vec<Sample> {
        let mut samples = Vec::new();
        for group in groups {
            for (at, size) in group.iter().enumerate() {
                let sync = if at == 0 {
                    SyncKind::Idr
                } else {
                    SyncKind::None
                };
                let pts = samples.len() as i64;
                samples.push(Sample {
                    pts,
                    dts: pts,
                    duration: 1,
                    sync,
                    leading: false,
                    reference: true,
                    data: Bytes::from(vec![0; *size]),
                });
            }
        }
        samples
    }

    #[test]
    fn groups_with_a_large_picture_are_taken_whole() {
        let plain = [1000, 50, 20, 60, 30, 55, 20];
        let cut = [1000, 50, 20, 700, 30, 55, 20];
        let busy = [1000, 600, 500, 700, 650, 600, 550];
        let taken = of(&groups(&[&plain, &cut, &busy, &plain]));
        let count = |range: std::ops::Range<usize>| taken[range].iter().filter(|t| **t).count();
        assert_eq!(
            [count(0..7), count(7..14), count(14..21), count(21..28)],
            [1, 7, 1, 1]
        );
        assert!(taken[0] && taken[14] && taken[21]);
    }

    #[test]
    fn pictures_before_the_first_key_frame_are_left_out() {
        let mut samples = groups(&[&[100, 5, 5], &[100, 5, 5]]);
        samples[0].sync = SyncKind::None;
        assert_eq!(of(&samples), [false, false, false, true, false, false]);
    }
}
