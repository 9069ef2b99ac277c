//! Numbers that look random and are the same with the same seed.

/// xorshift. The seed is not 0.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    /// The place of an item among so many; 0 of none.
    pub fn place(&mut self, of: usize) -> usize {
        usize::try_from(self.below(of.max(1) as u64)).unwrap_or(0)
    }
}
