//! Medians and other quantiles of what was measured.

use std::time::Duration;

/// Measured numbers in order.
pub struct Sample(Vec<f64>);

impl Sample {
    /// Of any numbers.
    pub fn new(numbers: impl IntoIterator<Item = f64>) -> Self {
        let mut numbers: Vec<f64> = numbers.into_iter().collect();
        numbers.sort_by(f64::total_cmp);
        Sample(numbers)
    }

    /// Of durations, in milliseconds.
    pub fn of_times(times: &[Duration]) -> Self {
        Sample::new(times.iter().map(|time| time.as_secs_f64() * 1e3))
    }

    /// The number that a share of the others does not exceed (nearest rank); 0 of nothing.
    pub fn quantile(&self, share: f64) -> f64 {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.max(1) - 1).copied().unwrap_or_default()
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The smallest and the largest.
    pub fn range(&self) -> (f64, f64) {
        (self.quantile(0.0), self.quantile(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_numbers_of_the_sample() {
        let sample = Sample::new([3.0, 1.0, 2.0, 5.0, 4.0]);
        assert_eq!(sample.median(), 3.0);
        assert_eq!(sample.quantile(0.99), 5.0);
        assert_eq!(sample.range(), (1.0, 5.0));
        assert_eq!(Sample::new([]).median(), 0.0);
    }
}
