//! Names in a layer's tar, checked, and what the special ones mean (image-spec `layer.md`). Pure.

use crate::image::limits;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A path below the layer's root: no leading slash, no `.`, no `..`, no empty part. The root
/// itself is the empty path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(in crate::image) struct EntryPath(Vec<u8>);

/// What an entry's name asks for.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::image) enum Meaning<'a> {
    /// The entry itself.
    Plain,
    /// `.wh.NAME`: hides NAME of the layers below.
    Whiteout(&'a OsStr),
    /// `.wh..wh..opq`: hides everything that the layers below have in this directory.
    Opaque,
    /// `.wh..wh.plnk` and the like, AUFS's own files: nothing to us.
    Ignored,
}

impl EntryPath {
    /// An absolute path counts from the layer's root. `..` is refused. The error is a phrase.
    pub(in crate::image) fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.contains(&0) {
            return Err("a NUL in its name".to_owned());
        }
        if bytes.len() > limits::PATH {
            return Err(format!("a name of more than {} bytes", limits::PATH));
        }
        let mut path = Vec::with_capacity(bytes.len());
        for part in bytes.split(|&b| b == b'/') {
            match part {
                b"" | b"." => continue,
                b".." => return Err("`..` in its name leads out of the layer".to_owned()),
                long if long.len() > limits::NAME => {
                    return Err(format!("a name of more than {} bytes", limits::NAME));
                }
                part => {
                    if !path.is_empty() {
                        path.push(b'/');
                    }
                    path.extend_from_slice(part);
                }
            }
        }
        Ok(Self(path))
    }

    pub(in crate::image) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::image) fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    pub(in crate::image) fn parent(&self) -> Self {
        let end = self.0.iter().rposition(|&b| b == b'/').unwrap_or(0);
        Self(self.0[..end].to_vec())
    }

    pub(in crate::image) fn name(&self) -> &OsStr {
        let start = self.0.iter().rposition(|&b| b == b'/').map_or(0, |at| at + 1);
        OsStr::from_bytes(&self.0[start..])
    }

    /// The directories on the way, outermost first, ending with the path itself.
    pub(in crate::image) fn prefixes(&self) -> impl Iterator<Item = Self> + '_ {
        let slashes = (0..self.0.len()).filter(|&at| self.0[at] == b'/');
        let end = (!self.0.is_empty()).then_some(self.0.len());
        slashes.chain(end).map(|end| Self(self.0[..end].to_vec()))
    }

    /// The error is a phrase.
    pub(in crate::image) fn meaning(&self) -> Result<Meaning<'_>, String> {
        let Some(hidden) = self.name().as_bytes().strip_prefix(b".wh.") else {
            return Ok(Meaning::Plain);
        };
        match hidden {
            b".wh..opq" => Ok(Meaning::Opaque),
            b"" | b"." | b".." => Err("a whiteout of no name".to_owned()),
            other if other.starts_with(b".wh.") => Ok(Meaning::Ignored),
            name => Ok(Meaning::Whiteout(OsStr::from_bytes(name))),
        }
    }

    /// The same directory's entry `name`.
    pub(in crate::image) fn sibling(&self, name: &OsStr) -> Self {
        let mut path = self.parent().0;
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name.as_bytes());
        Self(path)
    }

    pub(in crate::image) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> EntryPath {
        EntryPath::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn paths_count_from_the_layers_root() {
        for (written, read) in
            [("./a/b", "a/b"), ("/etc/passwd", "etc/passwd"), ("a//b/./c/", "a/b/c"), ("./", "")]
        {
            assert_eq!(path(written).as_path(), Path::new(read));
        }
        assert_eq!(path("a/b/c").parent(), path("a/b"));
        assert_eq!(path("a").parent(), path(""));
        assert_eq!(path("a/b/c").name(), "c");
        let prefixes: Vec<_> = path("a/b/c").prefixes().collect();
        assert_eq!(prefixes, [path("a"), path("a/b"), path("a/b/c")]);
    }

    #[test]
    fn a_path_that_leads_out_is_refused() {
        for bad in ["..", "../x", "a/../../x", "a/..", "a\0b", &"x".repeat(256), &"x/".repeat(2048)]
        {
            assert!(EntryPath::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(EntryPath::parse(b"...").is_ok());
    }

    #[test]
    fn whiteouts_are_told_from_names() {
        assert_eq!(path("a/.wh.b").meaning(), Ok(Meaning::Whiteout(OsStr::new("b"))));
        assert_eq!(path("a/.wh..wh..opq").meaning(), Ok(Meaning::Opaque));
        assert_eq!(path(".wh..wh.plnk").meaning(), Ok(Meaning::Ignored));
        assert_eq!(path("a/.whb").meaning(), Ok(Meaning::Plain));
        assert_eq!(path(".wh..hidden").meaning(), Ok(Meaning::Whiteout(OsStr::new(".hidden"))));
        for bad in [".wh.", ".wh..", ".wh..."] {
            assert!(path(bad).meaning().is_err(), "{bad}");
        }
    }
}
