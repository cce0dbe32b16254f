//! Numbers that look random and are the same for the same seed, on every machine and in every
//! version: what is generated or disturbed by them can be made again.

/// SplitMix64 (Steele, Lea and Flood, 2014): one addition and three mixing steps a number.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A sequence of its own for each seed.
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A whole number from 0 to `below`, without it; 0 of nothing.
    pub fn below(&mut self, below: u64) -> u64 {
        // The high half of a product: what is uneven by it is below one in 2^32 for small numbers.
        ((u128::from(self.bits()) * u128::from(below)) >> 64) as u64
    }

    /// A whole number between two others, both included.
    pub fn between(&mut self, least: i64, most: i64) -> i64 {
        let width = most.saturating_sub(least).max(0).unsigned_abs();
        least + self.below(width + 1) as i64
    }

    /// Whether something happens that does so `of_million` times in a million.
    pub fn happens(&mut self, of_million: u64) -> bool {
        self.below(1_000_000) < of_million
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_that_of_the_paper() {
        // The first numbers that the reference implementation gives for the seed 1234567.
        let mut random = Random::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| random.bits()).collect();
        assert_eq!(
            first,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn numbers_stay_in_their_range_and_reach_its_ends() {
        let mut random = Random::new(7);
        let seen: std::collections::BTreeSet<i64> =
            (0..200).map(|_| random.between(-2, 2)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [-2, -1, 0, 1, 2]);
        assert_eq!(random.below(0), 0);
        let happened = (0..10_000).filter(|_| random.happens(250_000)).count();
        assert!((2_300..2_700).contains(&happened), "{happened}");
    }
}
