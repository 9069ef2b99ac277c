//! What the loop waits for, as tokens of epoll.

/// The source of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watch {
    /// The container's first process has ended.
    Container,
    Listener,
    Signals,
    /// The program has said something about itself.
    Notify,
    /// One of the container's outputs, by its place in the list.
    Output(u32),
    /// The new program has judged the state that it would take over.
    Successor,
    /// A process of `exec` has executed its program, or cannot.
    Beginning(u32),
    /// A process of `exec` has ended.
    Exec(u32),
    Connection(u32),
}

impl Watch {
    pub(super) fn token(self) -> u64 {
        let (kind, number) = match self {
            Self::Container => (0, 0),
            Self::Listener => (1, 0),
            Self::Signals => (2, 0),
            Self::Output(number) => (3, number),
            Self::Successor => (4, 0),
            Self::Exec(number) => (5, number),
            Self::Connection(number) => (6, number),
            Self::Beginning(number) => (7, number),
            Self::Notify => (8, 0),
        };
        kind << 32 | u64::from(number)
    }

    pub(super) fn of(token: u64) -> Option<Self> {
        let number = (token & u64::from(u32::MAX)) as u32;
        Some(match token >> 32 {
            0 => Self::Container,
            1 => Self::Listener,
            2 => Self::Signals,
            3 => Self::Output(number),
            4 => Self::Successor,
            5 => Self::Exec(number),
            6 => Self::Connection(number),
            7 => Self::Beginning(number),
            8 => Self::Notify,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Watch::*;
    use super::*;

    #[test]
    fn a_token_names_its_source() {
        let all = [
            Container,
            Listener,
            Signals,
            Notify,
            Output(1),
            Successor,
            Exec(u32::MAX),
            Connection(7),
            Beginning(0),
        ];
        for watch in all {
            assert_eq!(Watch::of(watch.token()), Some(watch));
        }
    }
}
