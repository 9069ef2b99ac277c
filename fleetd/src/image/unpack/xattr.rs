//! Which extended attributes of an image are kept. Pure.

use std::ffi::CString;

/// The attribute's name if it may be set.
///
/// `security.capability` is what programs need to run, ACLs guard files, `user.*` belongs to
/// programs. Everything else is dropped: labels of security modules are this host's to give, and
/// `trusted.overlay.*` would tell overlayfs to look elsewhere than in the image.
pub(super) fn kept(name: &[u8]) -> Option<CString> {
    const NAMES: &[&[u8]] =
        &[b"security.capability", b"system.posix_acl_access", b"system.posix_acl_default"];
    let user = name.starts_with(b"user.") && !name.starts_with(b"user.overlay.");
    if user || NAMES.contains(&name) { CString::new(name).ok() } else { None }
}

/// A file system may lack `user.*` (tmpfs before Linux 6.6) without harm to what runs from it;
/// a missing capability or ACL would change what a program may do.
pub(super) fn may_be_missing(name: &CString) -> bool {
    name.to_bytes().starts_with(b"user.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_attributes_are_kept() {
        for good in ["security.capability", "user.color", "system.posix_acl_access"] {
            assert!(kept(good.as_bytes()).is_some(), "{good}");
        }
        for bad in [
            "trusted.overlay.redirect",
            "trusted.overlay.opaque",
            "trusted.x",
            "user.overlay.whiteout",
            "security.selinux",
            "security.ima",
            "user.a\0b",
            "",
        ] {
            assert!(kept(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
