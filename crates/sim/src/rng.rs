//! Chance from a seed: `SplitMix64` (Steele, Lea, Flood 2014). The same seed gives the same run everywhere.
//!
//! Separate, so that nothing else in this crate can come by chance another way.

/// A stream of numbers.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x5eed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// 0 to `upto - 1`.
    pub(crate) fn below(&mut self, upto: usize) -> usize {
        let upto = u64::try_from(upto.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next() % upto).unwrap_or(0)
    }

    /// True so often in a thousand.
    pub(crate) fn per_mille(&mut self, often: u64) -> bool {
        self.next() % 1000 < often
    }

    /// One of them; none if there is none.
    pub(crate) fn pick<T: Clone>(&mut self, among: &[T]) -> Option<T> {
        among.get(self.below(among.len())).cloned()
    }
}
