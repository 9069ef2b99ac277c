//! Lines out of a stream, each with the descriptors that came with it. Pure: reads nothing itself.

/// The longest line that is taken: a process document with a large environment fits.
pub(super) const LONGEST_LINE: usize = 256 * 1024;

/// The most descriptors that wait for the rest of their line.
pub(super) const MOST_RIDERS: usize = 8;

/// A line without its line feed, and its descriptors.
pub(super) type Line<T> = (Vec<u8>, Vec<T>);

/// Bytes read from a connection and not yet taken as lines. `T` is a descriptor.
pub(super) struct Framing<T> {
    bytes: Vec<u8>,
    /// Each with the place in `bytes` where its line begins.
    riders: Vec<(usize, T)>,
}

/// What a peer sent that no request can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excess {
    Line,
    Riders,
}

impl<T> Framing<T> {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), riders: Vec::new() }
    }

    /// Takes what one `recvmsg` gave. Descriptors belong to the last line that begins in it: the
    /// kernel ends a read after the bytes that descriptors came with, but may begin it before them.
    pub(super) fn push(&mut self, bytes: &[u8], riders: Vec<T>) {
        self.bytes.extend_from_slice(bytes);
        if riders.is_empty() {
            return;
        }
        let before_last = self.bytes.len().saturating_sub(1);
        let begins = self.bytes[..before_last]
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |at| at + 1);
        self.riders.extend(riders.into_iter().map(|rider| (begins, rider)));
    }

    /// The next whole line.
    pub(super) fn next(&mut self) -> Result<Option<Line<T>>, Excess> {
        let Some(end) = self.bytes.iter().position(|&byte| byte == b'\n') else {
            return match () {
                () if self.bytes.len() > LONGEST_LINE => Err(Excess::Line),
                () if self.riders.len() > MOST_RIDERS => Err(Excess::Riders),
                () => Ok(None),
            };
        };
        if end > LONGEST_LINE {
            return Err(Excess::Line);
        }
        let rest = self.bytes.split_off(end + 1);
        let mut line = std::mem::replace(&mut self.bytes, rest);
        line.pop();
        let mine =
            self.riders.extract_if(.., |(at, _)| *at <= end).map(|(_, rider)| rider).collect();
        self.riders.iter_mut().for_each(|(at, _)| *at -= end + 1);
        Ok(Some((line, mine)))
    }

    /// What has not been taken, for the program that goes on with it.
    pub(super) fn rest(&self) -> (&[u8], &[(usize, T)]) {
        (&self.bytes, &self.riders)
    }

    /// Goes on with what [`Framing::rest`] gave.
    pub(super) fn resume(bytes: Vec<u8>, riders: Vec<(usize, T)>) -> Self {
        Self { bytes, riders }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(framing: &mut Framing<u8>) -> Vec<(String, Vec<u8>)> {
        let mut lines = Vec::new();
        while let Some((line, riders)) = framing.next().unwrap() {
            lines.push((String::from_utf8(line).unwrap(), riders));
        }
        lines
    }

    #[test]
    fn a_line_in_pieces_keeps_the_descriptors_of_its_first_byte() {
        let mut framing = Framing::new();
        framing.push(b"{\"op\"", vec![7, 8]);
        assert_eq!(all(&mut framing), []);
        framing.push(b":1}\nsec", vec![]);
        assert_eq!(all(&mut framing), [("{\"op\":1}".to_owned(), vec![7, 8])]);
        framing.push(b"ond\n", vec![]);
        assert_eq!(all(&mut framing), [("second".to_owned(), vec![])]);
    }

    #[test]
    fn descriptors_go_to_the_last_line_of_a_read() {
        let mut framing = Framing::new();
        framing.push(b"a\nb\n", vec![1]);
        assert_eq!(all(&mut framing), [("a".to_owned(), vec![]), ("b".to_owned(), vec![1])]);
        framing.push(b"a\nb", vec![2]);
        assert_eq!(all(&mut framing), [("a".to_owned(), vec![])]);
        framing.push(b"\n", vec![]);
        assert_eq!(all(&mut framing), [("b".to_owned(), vec![2])]);
    }

    #[test]
    fn the_rest_can_be_taken_up_by_another() {
        let mut framing = Framing::new();
        framing.push(b"a\nb", vec![2]);
        framing.next().unwrap();
        let (bytes, riders) = framing.rest();
        let mut other = Framing::resume(bytes.to_vec(), riders.to_vec());
        other.push(b"\n", vec![]);
        assert_eq!(all(&mut other), [("b".to_owned(), vec![2])]);
    }

    #[test]
    fn too_much_is_refused() {
        let mut framing = Framing::<u8>::new();
        framing.push(&[b'x'; LONGEST_LINE], vec![]);
        assert_eq!(framing.next(), Ok(None));
        framing.push(b"x", vec![]);
        assert_eq!(framing.next(), Err(Excess::Line));
        framing.push(b"\n", vec![]);
        assert_eq!(framing.next(), Err(Excess::Line));
        let mut framing = Framing::new();
        framing.push(b"x", vec![0; MOST_RIDERS + 1]);
        assert_eq!(framing.next(), Err(Excess::Riders));
    }
}
