//! `User=` looked up in the image's own `/etc/passwd` and `/etc/group`.
//!
//! One parser for every user that anybody names. A number that does not fit is an error, never
//! another user: CVE-2024-40635 and CVE-2026-46680 made root of 2^32.

use std::fmt;

/// Who the program runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
    /// Primary group included (GHSA-hmfx: with it missing, a group's negative ACL is passed by).
    pub groups: Vec<u32>,
    pub home: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadUser {
    spec: String,
    cause: String,
}

impl fmt::Display for BadUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "look up user {:?}: {}", self.spec, self.cause)
    }
}

impl std::error::Error for BadUser {}

/// `user[:group]`, names or numbers; empty or none: root. `passwd` and `group` are the texts of
/// the image's files, empty where it has none (passwd(5), group(5)).
pub fn look_up(spec: Option<&str>, passwd: &str, group: &str) -> Result<User, BadUser> {
    let spec = spec.unwrap_or("");
    let bad = |cause: String| BadUser { spec: spec.to_owned(), cause };
    let (user, named_group) = match spec.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (spec, None),
    };
    let user = if user.is_empty() && named_group.is_none() { "0" } else { user };
    let number = id(user).map_err(bad)?;
    let entry = passwd.lines().filter_map(Passwd::parse).find(|entry| match number {
        Some(uid) => entry.uid == uid,
        None => entry.name == user,
    });
    let (uid, primary, home) = match (&entry, number) {
        (Some(entry), _) => (entry.uid, entry.gid, entry.home),
        // Without an entry a number has the group 0, as with every engine.
        (None, Some(uid)) => (uid, 0, "/"),
        (None, None) => return Err(bad("no such name in the image's /etc/passwd".to_owned())),
    };
    let mut groups = Vec::new();
    let gid = match named_group {
        None => {
            let name = entry.as_ref().map(|entry| entry.name);
            let member = |entry: &Group| name.is_some_and(|name| entry.has(name));
            groups.extend(group.lines().filter_map(Group::parse).filter(member).map(|g| g.gid));
            primary
        }
        Some(named) => match id(named).map_err(bad)? {
            Some(gid) => gid,
            None => group
                .lines()
                .filter_map(Group::parse)
                .find(|entry| entry.name == named)
                .map(|entry| entry.gid)
                .ok_or_else(|| bad(format!("no group {named:?} in the image's /etc/group")))?,
        },
    };
    groups.push(gid);
    groups.sort_unstable();
    groups.dedup();
    Ok(User { uid, gid, groups, home: absolute(home) })
}

/// A number, or none if it is a name. The largest id is 2^31 - 1: beyond it programs that take an
/// id for a signed number disagree with the kernel.
fn id(text: &str) -> Result<Option<u32>, String> {
    if text.is_empty() {
        return Err("a user or group is missing".to_owned());
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        if text.len() > 1 && text.starts_with('0') {
            return Err(format!("{text} begins with a zero"));
        }
        let number: i32 =
            text.parse().map_err(|_| format!("{text} is over the largest id, 2147483647"))?;
        return Ok(Some(number.unsigned_abs()));
    }
    let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if first && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-$".contains(&b)) {
        Ok(None)
    } else {
        Err("it is neither a number nor a name".to_owned())
    }
}

/// The home goes into an environment variable: a path, without control characters.
fn absolute(home: &str) -> String {
    let sound = home.starts_with('/') && !home.chars().any(char::is_control);
    if sound { home.to_owned() } else { "/".to_owned() }
}

struct Passwd<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

impl<'a> Passwd<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let uid = number(fields.nth(1)?)?;
        let gid = number(fields.next()?)?;
        Some(Self { name, uid, gid, home: fields.nth(1).unwrap_or("/") })
    }
}

struct Group<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

impl<'a> Group<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let gid = number(fields.nth(1)?)?;
        Some(Self { name, gid, members: fields.next().unwrap_or("") })
    }

    fn has(&self, user: &str) -> bool {
        self.members.split(',').any(|member| member == user)
    }
}

fn number(field: &str) -> Option<u32> {
    id(field).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nweb:x:101:102:web:/srv:/bin/false\n\
        evil:x:4294967296:0::/:/bin/sh\n2147483648:x:0:0::/:/bin/sh\nbroken\n";
    const GROUP: &str = "root:x:0:\nwww:x:102:\naudio:x:29:games,web\nnobody:x:65534:\n";

    #[test]
    fn names_and_numbers_are_looked_up_in_the_image() {
        let web = look_up(Some("web"), PASSWD, GROUP).unwrap();
        assert_eq!((web.uid, web.gid, web.home.as_str()), (101, 102, "/srv"));
        assert_eq!(web.groups, [29, 102]);
        assert_eq!(look_up(Some("101"), PASSWD, GROUP).unwrap(), web);
        let root = look_up(None, PASSWD, GROUP).unwrap();
        assert_eq!((root.uid, root.gid, root.home.as_str()), (0, 0, "/root"));
        assert_eq!(look_up(Some(""), "", "").unwrap().home, "/");
    }

    #[test]
    fn a_group_that_is_named_stands_alone() {
        let user = look_up(Some("web:nobody"), PASSWD, GROUP).unwrap();
        assert_eq!((user.gid, user.groups), (65534, vec![65534]));
        let user = look_up(Some("1234:5"), PASSWD, GROUP).unwrap();
        assert_eq!((user.uid, user.gid), (1234, 5));
    }

    #[test]
    fn cve_2024_40635_an_overflowing_user_is_an_error_and_not_root() {
        for bad in [
            "2147483648",
            "4294967296",
            "4294967295",
            "18446744073709551616",
            "1:4294967296",
            "evil",
        ] {
            assert!(look_up(Some(bad), PASSWD, GROUP).is_err(), "{bad}");
        }
    }

    #[test]
    fn cve_2026_30892_odd_numbers_are_errors() {
        for bad in ["-1", "01", "1 ", " 1", "+1", "1:", ":1", ":", "0x1", "a b", "a\nroot"] {
            assert!(look_up(Some(bad), PASSWD, GROUP).is_err(), "{bad:?}");
        }
        assert_eq!(look_up(Some("1"), PASSWD, GROUP).unwrap().uid, 1);
    }

    #[test]
    fn a_home_with_a_line_break_is_dropped() {
        // CVE-2022-4318: such a HOME became a line of /etc/passwd.
        assert_eq!(absolute("/x\ny"), "/");
        assert_eq!(absolute("relative"), "/");
    }
}
