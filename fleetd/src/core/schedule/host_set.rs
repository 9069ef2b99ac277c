//! A set of hosts, one bit each, by their index.

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct HostSet {
    words: Vec<u64>,
}

impl HostSet {
    /// Room for `hosts` of them; none is in it.
    pub(super) fn none(hosts: usize) -> Self {
        Self { words: vec![0; hosts.div_ceil(64)] }
    }

    pub(super) fn all(hosts: usize) -> Self {
        (0..hosts as u32).fold(Self::none(hosts), |mut set, host| {
            set.insert(host);
            set
        })
    }

    pub(super) fn insert(&mut self, host: u32) {
        if let Some(word) = self.words.get_mut(host as usize / 64) {
            *word |= 1 << (host % 64);
        }
    }

    pub(super) fn remove(&mut self, host: u32) {
        if let Some(word) = self.words.get_mut(host as usize / 64) {
            *word &= !(1 << (host % 64));
        }
    }

    pub(super) fn has(&self, host: u32) -> bool {
        self.words.get(host as usize / 64).is_some_and(|word| word >> (host % 64) & 1 == 1)
    }

    pub(super) fn keep(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= other);
    }

    pub(super) fn drop(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= !other);
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    pub(super) fn without(&self, other: &Self) -> Self {
        let mut set = self.clone();
        set.drop(other);
        set
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    pub(super) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// In ascending order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().flat_map(|(index, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                (rest != 0).then(|| {
                    let bit = rest.trailing_zeros();
                    rest &= rest - 1;
                    index as u32 * 64 + bit
                })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_counts_and_lists_what_is_in_it() {
        let mut set = HostSet::all(130);
        assert_eq!((set.count(), set.has(129), set.has(130)), (130, true, false));
        set.remove(64);
        assert!(!set.has(64));
        let mut few = HostSet::none(130);
        [3, 64, 128].into_iter().for_each(|host| few.insert(host));
        assert_eq!(few.iter().collect::<Vec<_>>(), [3, 64, 128]);
        few.keep(&set);
        assert_eq!(few.iter().collect::<Vec<_>>(), [3, 128]);
        assert_eq!(set.without(&few).count(), 127);
    }
}
