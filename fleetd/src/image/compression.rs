//! Layers and archives come plain, as gzip or as zstd: told apart by their first bytes, decoded
//! in Rust, never by a program (CVE-2026-41567).

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::{self, BufRead, BufReader, Read};

const BUFFER: usize = 256 * 1024;

/// The decoded stream.
pub(super) fn decode<'a>(stream: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut stream = BufReader::with_capacity(BUFFER, Filled { inner: stream, error: None });
    let start = stream.fill_buf()?;
    if start.starts_with(&[0x1f, 0x8b]) {
        // Several members in a row are one stream: pigz and estargz write such.
        return Ok(Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(stream))));
    }
    if is_zstd(start) {
        return Ok(Box::new(Zstd::new(stream)));
    }
    let other = [("bzip2", &b"BZh"[..]), ("xz", b"\xfd7zXZ\0"), ("lz4", &[4, 0x22, 0x4d, 0x18])];
    if let Some((name, _)) = other.iter().find(|(_, magic)| start.starts_with(magic)) {
        return Err(io::Error::other(format!(
            "compressed with {name}, which is not supported (gzip and zstd are)"
        )));
    }
    Ok(Box::new(stream))
}

/// A frame, or a skippable one (RFC 8878, 3.1.2).
fn is_zstd(start: &[u8]) -> bool {
    matches!(start, [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// Reads until the buffer is full or the stream ends: the first bytes come together, and a
/// decoder is not woken for crumbs.
struct Filled<R> {
    inner: R,
    /// Came after bytes that had to be handed over first.
    error: Option<io::Error>,
}

impl<R: Read> Read for Filled<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() && self.error.is_none() {
            match self.inner.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(length) => filled += length,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => self.error = Some(e),
            }
        }
        match self.error.take_if(|_| filled == 0) {
            Some(error) => Err(error),
            None => Ok(filled),
        }
    }
}

/// All frames of a stream. `ruzstd` bounds the window, and so the memory, at 128 MiB, as zstd's
/// own program does.
struct Zstd<R> {
    stream: R,
    decoder: FrameDecoder,
    within: bool,
}

impl<R: BufRead> Zstd<R> {
    fn new(stream: R) -> Self {
        Self { stream, decoder: FrameDecoder::new(), within: false }
    }

    /// False at the end of the stream.
    fn next_frame(&mut self) -> io::Result<bool> {
        loop {
            if self.stream.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.stream) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let skipped =
                        io::copy(&mut (&mut self.stream).take(length.into()), &mut io::sink())?;
                    if skipped != u64::from(length) {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(e) => return Err(broken(e)),
            }
        }
    }
}

fn broken(e: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("broken zstd data: {e}"))
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.within {
                let length = self.decoder.read(buffer)?;
                if length > 0 || buffer.is_empty() {
                    return Ok(length);
                }
                if self.decoder.is_finished() {
                    self.within = false;
                } else {
                    let some = BlockDecodingStrategy::UptoBytes(BUFFER);
                    self.decoder.decode_blocks(&mut self.stream, some).map_err(broken)?;
                }
            } else if self.next_frame()? {
                self.within = true;
            } else {
                return Ok(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn decoded(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        decode(bytes)?.read_to_end(&mut out)?;
        Ok(out)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn every_form_is_decoded_with_all_its_parts() {
        let text: Vec<u8> = (0..1_000_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        assert_eq!(decoded(&text).unwrap(), text);
        let twice = [text.clone(), text.clone()].concat();
        assert!(decoded(&[gzip(&text), gzip(&text)].concat()).unwrap() == twice);
        let skippable = [0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        let frames = [&skippable[..], &zstd(&text), &skippable, &zstd(&text)].concat();
        assert!(decoded(&frames).unwrap() == twice);
    }

    #[test]
    fn cut_short_is_an_error() {
        let text = vec![7; 100_000];
        for whole in [gzip(&text), zstd(&text)] {
            assert!(decoded(&whole[..whole.len() - 5]).is_err());
        }
    }

    #[test]
    fn other_compressions_are_named() {
        let error = decoded(b"\xfd7zXZ\0 and more").unwrap_err().to_string();
        assert!(error.contains("xz"), "{error}");
    }
}
