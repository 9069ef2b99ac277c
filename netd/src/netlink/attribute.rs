//! Netlink attributes: length, type, value, padded to four bytes (linux/netlink.h).

use std::net::IpAddr;

/// Nested attributes carry this bit in their type.
const NESTED: u16 = 1 << 15;
/// What of a type is not a flag.
const TYPE_MASK: u16 = 0x3fff;
const HEADER: usize = 4;

/// The body of a message: its header and attributes, for a dump.
pub fn body(fill: impl FnOnce(&mut Builder<'_>)) -> Vec<u8> {
    let (mut bytes, mut overflow) = (Vec::new(), false);
    fill(&mut Builder::new(&mut bytes, &mut overflow));
    bytes
}

/// Appends attributes to a message.
pub struct Builder<'a> {
    bytes: &'a mut Vec<u8>,
    overflow: &'a mut bool,
}

impl<'a> Builder<'a> {
    pub(super) fn new(bytes: &'a mut Vec<u8>, overflow: &'a mut bool) -> Self {
        Self { bytes, overflow }
    }

    /// Appends the fixed header of a message or of a nested message, which is no attribute.
    pub fn raw(&mut self, value: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(value);
        self.pad();
        self
    }

    pub fn bytes(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let start = self.open(kind);
        self.bytes.extend_from_slice(value);
        self.close(start);
        self
    }

    /// The bytes of an address, in network order.
    pub fn address(&mut self, kind: u16, value: IpAddr) -> &mut Self {
        match value {
            IpAddr::V4(address) => self.bytes(kind, &address.octets()),
            IpAddr::V6(address) => self.bytes(kind, &address.octets()),
        }
    }

    /// A NUL-terminated string.
    pub fn text(&mut self, kind: u16, value: &str) -> &mut Self {
        let start = self.open(kind);
        self.bytes.extend_from_slice(value.as_bytes());
        self.bytes.push(0);
        self.close(start);
        self
    }

    /// A number in host order, as rtnetlink has them.
    pub fn u32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// A number in network order, as netfilter has them.
    pub fn be32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    pub fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Builder<'_>)) -> &mut Self {
        let start = self.open(kind | NESTED);
        fill(&mut Builder { bytes: self.bytes, overflow: self.overflow });
        self.close(start);
        self
    }

    fn open(&mut self, kind: u16) -> usize {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&0u16.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        start
    }

    /// Writes the length, which has 16 bits: a longer attribute would be read as something else
    /// (CVE-2021-43784), so the message is marked as unfit to be sent.
    fn close(&mut self, start: usize) {
        match u16::try_from(self.bytes.len() - start) {
            Ok(length) => self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes()),
            Err(_) => *self.overflow = true,
        }
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// Iterates over the attributes in `bytes`: type without flags, and value. Ends at the first one
/// that is cut short.
pub fn attributes(bytes: &[u8]) -> Attributes<'_> {
    Attributes { bytes }
}

#[derive(Clone)]
pub struct Attributes<'a> {
    bytes: &'a [u8],
}

impl<'a> Attributes<'a> {
    /// The value of the first attribute of that type.
    pub fn get(&self, kind: u16) -> Option<&'a [u8]> {
        self.clone().find_map(|(k, value)| (k == kind).then_some(value))
    }

    pub fn u32(&self, kind: u16) -> Option<u32> {
        Some(u32::from_ne_bytes(self.get(kind)?.try_into().ok()?))
    }

    pub fn be32(&self, kind: u16) -> Option<u32> {
        Some(u32::from_be_bytes(self.get(kind)?.try_into().ok()?))
    }

    pub fn be16(&self, kind: u16) -> Option<u16> {
        Some(u16::from_be_bytes(self.get(kind)?.try_into().ok()?))
    }

    pub fn text(&self, kind: u16) -> Option<&'a str> {
        let value = self.get(kind)?;
        std::str::from_utf8(value.strip_suffix(&[0]).unwrap_or(value)).ok()
    }

    pub fn nested(&self, kind: u16) -> Option<Attributes<'a>> {
        self.get(kind).map(attributes)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let header = self.bytes.get(..HEADER)?;
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]) & TYPE_MASK;
        let value = self.bytes.get(HEADER..length)?;
        self.bytes = self.bytes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some((kind, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_is_read_back() {
        let (mut bytes, mut overflow) = (Vec::new(), false);
        Builder::new(&mut bytes, &mut overflow).text(3, "eth0").nest(18, |b| {
            b.be32(1, 7).bytes(2, &[1, 2, 3]);
        });
        let read = attributes(&bytes);
        assert_eq!(read.text(3), Some("eth0"));
        let nested = read.nested(18).unwrap();
        assert_eq!(nested.be32(1), Some(7));
        assert_eq!(nested.get(2), Some(&[1, 2, 3][..]));
        assert!(!overflow);
    }

    #[test]
    fn an_attribute_of_64_kib_is_noticed() {
        let (mut bytes, mut overflow) = (Vec::new(), false);
        Builder::new(&mut bytes, &mut overflow).bytes(1, &vec![0; 65_536]);
        assert!(overflow);
    }

    #[test]
    fn a_cut_attribute_ends_the_reading() {
        assert_eq!(attributes(&[9, 0, 1, 0, 5]).count(), 0);
        assert_eq!(attributes(&[0, 0, 1, 0]).count(), 0);
    }
}
