//! Any number of channels brought to two.

/// -3 dB.
const HALF_POWER: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// What each channel gives to the left and to the right.
fn shares(channels: usize) -> Vec<(f32, f32)> {
    let centre = (HALF_POWER, HALF_POWER);
    let (left, right) = ((1.0, 0.0), (0.0, 1.0));
    let (back_left, back_right) = ((HALF_POWER, 0.0), (0.0, HALF_POWER));
    let low = (0.0, 0.0);
    // The orders in which decoders give them. The low frequencies are for those who have a speaker
    // for them.
    let mut shares = match channels {
        1 => return vec![(1.0, 1.0)],
        2 => return vec![left, right],
        3 => vec![left, right, centre],
        4 => vec![left, right, back_left, back_right],
        5 => vec![left, right, centre, back_left, back_right],
        6 => vec![left, right, centre, low, back_left, back_right],
        8 => vec![
            left, right, centre, low, back_left, back_right, back_left, back_right,
        ],
        other => {
            let even = 1.0 / other.max(1) as f32;
            return vec![(even, even); other];
        }
    };
    // All of them at full level together stay below full scale.
    let sum: f32 = shares.iter().map(|share| share.0).sum();
    for share in &mut shares {
        *share = (share.0 / sum, share.1 / sum);
    }
    shares
}

/// Mixes interleaved samples to two channels.
pub(super) fn to_stereo(samples: &[f32], channels: usize, out: &mut Vec<f32>) {
    out.clear();
    if channels == 2 {
        out.extend_from_slice(samples);
        return;
    }
    let shares = shares(channels);
    for frame in samples.chunks_exact(channels.max(1)) {
        let (mut left, mut right) = (0.0, 0.0);
        for (sample, share) in frame.iter().zip(&shares) {
            left += sample * share.0;
            right += sample * share.1;
        }
        out.extend([left, right]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_channel_is_heard_on_both_sides_and_six_do_not_clip() {
        let mut out = Vec::new();
        to_stereo(&[0.5, -0.25], 1, &mut out);
        assert_eq!(out, [0.5, 0.5, -0.25, -0.25]);
        to_stereo(&[1.0; 6], 6, &mut out);
        assert!(
            out.iter().all(|sample| (*sample - 1.0).abs() < 1e-6),
            "{out:?}"
        );
        to_stereo(&[0.0, 0.0, 0.0, 1.0, 0.0, 0.0], 6, &mut out);
        assert_eq!(out, [0.0, 0.0]);
    }
}
