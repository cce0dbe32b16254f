//! The frequency weighting of ITU-R BS.1770 at any sample rate, and what of it makes chunks join
//! exactly: the filter is linear, so what a chunk gives after another is what it gives after silence,
//! plus what the filter's state at the border adds. Of that only the first half second matters.

/// What the filter remembers: two numbers of each of its two stages.
pub(super) const STATES: usize = 4;

/// Products of two of them, each pair once.
pub(super) const PRODUCTS: usize = STATES * (STATES + 1) / 2;

#[derive(Clone, Copy, Debug)]
struct Stage {
    b: [f64; 3],
    a: [f64; 2],
}

/// The filter at one sample rate: a shelf for the head, then a high pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct KWeighting([Stage; 2]);

impl KWeighting {
    /// Its coefficients, from those that the recommendation gives for 48 kHz.
    pub(super) fn new(sample_rate: u32) -> Self {
        let rate = f64::from(sample_rate.max(1));
        let warped = |frequency: f64| (std::f64::consts::PI * frequency / rate).tan();
        let (q, k) = (0.707_175_236_955_419_6, warped(1_681.974_450_955_533));
        let high = 10f64.powf(3.999_843_853_973_347 / 20.0);
        let band = high.powf(0.499_666_774_154_541_6);
        let a0 = 1.0 + k / q + k * k;
        let shelf = Stage {
            b: [
                (high + band * k / q + k * k) / a0,
                2.0 * (k * k - high) / a0,
                (high - band * k / q + k * k) / a0,
            ],
            a: [2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0],
        };
        let (q, k) = (0.500_327_037_323_877_3, warped(38.135_470_876_024_44));
        let a0 = 1.0 + k / q + k * k;
        let pass = Stage {
            b: [1.0, -2.0, 1.0],
            a: [2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0],
        };
        KWeighting([shelf, pass])
    }

    /// The next sample, weighted.
    pub(super) fn next(&self, state: &mut [f64; STATES], sample: f64) -> f64 {
        let mut value = sample;
        for (at, stage) in self.0.iter().enumerate() {
            let (one, two) = (2 * at, 2 * at + 1);
            let out = stage.b[0] * value + state[one];
            state[one] = stage.b[1] * value - stage.a[0] * out + state[two];
            state[two] = stage.b[2] * value - stage.a[1] * out;
            value = out;
        }
        value
    }
}

/// What the filter still says of the past when silence follows, for each of its states alone.
#[derive(Clone, Debug)]
pub(super) struct Echo {
    states: [[f64; STATES]; STATES],
    /// Samples until nothing is left of it.
    left: u32,
}

impl Echo {
    pub(super) fn new(sample_rate: u32) -> Self {
        let mut states = [[0.0; STATES]; STATES];
        for (at, state) in states.iter_mut().enumerate() {
            state[at] = 1.0;
        }
        // The high pass forgets all but e^-119 in that time.
        Echo {
            states,
            left: sample_rate / 2,
        }
    }

    /// What each state says at the next sample; `None` when nothing is left of them.
    pub(super) fn next(&mut self, filter: &KWeighting) -> Option<[f64; STATES]> {
        self.left = self.left.checked_sub(1)?;
        let mut said = [0.0; STATES];
        for (said, state) in said.iter_mut().zip(&mut self.states) {
            *said = filter.next(state, 0.0);
        }
        Some(said)
    }

    /// The state of the filter at the end of a chunk that began with `before` and would have ended with
    /// `after` had it begun with silence.
    pub(super) fn carried(&self, before: &[f64; STATES], after: &[f64; STATES]) -> [f64; STATES] {
        let mut carried = *after;
        if self.left > 0 {
            for (weight, state) in before.iter().zip(&self.states) {
                for (carried, value) in carried.iter_mut().zip(state) {
                    *carried += weight * value;
                }
            }
        }
        carried
    }

    /// As numbers, to be kept.
    pub(super) fn to_numbers(&self) -> Vec<f64> {
        if self.left == 0 {
            return Vec::new();
        }
        self.states.iter().flatten().copied().collect()
    }

    /// From numbers that were kept; `None` where they are not as many.
    pub(super) fn from_numbers(numbers: &[f64]) -> Option<Self> {
        let mut echo = Echo {
            states: [[0.0; STATES]; STATES],
            left: 0,
        };
        if numbers.is_empty() {
            return Some(echo);
        }
        if numbers.len() != STATES * STATES {
            return None;
        }
        for (state, numbers) in echo.states.iter_mut().zip(numbers.chunks_exact(STATES)) {
            state.copy_from_slice(numbers);
        }
        echo.left = 1;
        Some(echo)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coefficients_at_48_khz_are_those_of_the_recommendation() {
        let KWeighting([shelf, pass]) = KWeighting::new(48_000);
        let near =
            |got: f64, expected: f64| assert!((got - expected).abs() < 1e-10, "{got} {expected}");
        near(shelf.b[0], 1.535_124_859_586_97);
        near(shelf.b[1], -2.691_696_189_406_38);
        near(shelf.b[2], 1.198_392_810_852_85);
        near(shelf.a[0], -1.690_659_293_182_41);
        near(shelf.a[1], 0.732_480_774_215_85);
        near(pass.a[0], -1.990_047_454_833_98);
        near(pass.a[1], 0.990_072_250_366_21);
    }

    #[test]
    fn a_border_changes_nothing() {
        let filter = KWeighting::new(8000);
        let sample = |n: i32| f64::from(n * 7919 % 1000) / 1000.0 - 0.5;
        let mut whole = [0.0; STATES];
        let before: Vec<f64> = (0..9000)
            .map(|n| filter.next(&mut whole, sample(n)))
            .collect();
        for border in [1, 100, 6000] {
            let mut first = [0.0; STATES];
            for n in 0..border {
                filter.next(&mut first, sample(n));
            }
            let (mut second, mut echo) = ([0.0; STATES], Echo::new(8000));
            for n in border..9000 {
                let own = filter.next(&mut second, sample(n));
                let said = echo.next(&filter).unwrap_or_default();
                let added: f64 = said
                    .iter()
                    .zip(&first)
                    .map(|(said, state)| said * state)
                    .sum();
                assert!(
                    (own + added - before[n as usize]).abs() < 1e-12,
                    "{border} {n}"
                );
            }
            for (got, expected) in echo.carried(&first, &second).iter().zip(&whole) {
                assert!((got - expected).abs() < 1e-12);
            }
        }
    }
}
