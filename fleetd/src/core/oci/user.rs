//! Who runs the program: one parser for every form of a user (CVE-2026-30892, CVE-2024-40635).

/// Ids inside the container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
    /// The primary group is one of them, so that a rule that *denies* a group holds
    /// (GHSA-hmfx).
    pub additional_gids: Vec<u32>,
    pub home: Option<String>,
}

/// One line of passwd(5), as far as it is of use.
struct Account<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

/// One line of group(5).
struct Group<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

/// Reads `user[:group]`, names or numbers, with the image's `/etc/passwd` and `/etc/group` (empty
/// when it has none). Digits are always a number, never a name: `/etc/passwd` is the image's to
/// write. An unknown number is taken as it is, with group 0; an unknown name is an error.
pub fn lookup(written: &str, passwd: &str, group: &str) -> Result<User, String> {
    let fail = |cause: String| format!("find user {written:?}: {cause}");
    let (user, wanted_group) = match written.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (written, None),
    };
    let account = match number(user).map_err(fail)? {
        Some(uid) => accounts(passwd).find(|a| a.uid == uid).unwrap_or(Account {
            name: "",
            uid,
            gid: 0,
            home: "/",
        }),
        None => accounts(passwd)
            .find(|a| a.name == user)
            .ok_or_else(|| fail("the image's /etc/passwd has no such name".to_owned()))?,
    };
    let mut additional = Vec::new();
    let gid = match wanted_group {
        Some(name) => match number(name).map_err(fail)? {
            Some(gid) => gid,
            None => groups(group)
                .find(|g| g.name == name)
                .map(|g| g.gid)
                .ok_or_else(|| fail(format!("the image's /etc/group has no group {name:?}")))?,
        },
        None => {
            additional.extend(memberships(group, account.name));
            account.gid
        }
    };
    if !additional.contains(&gid) {
        additional.insert(0, gid);
    }
    let home = Some(account.home.to_owned()).filter(|h| h.starts_with('/'));
    Ok(User { uid: account.uid, gid, additional_gids: additional, home })
}

/// `Some` for digits, `None` for a name, an error for what is neither: a number that the kernel
/// would wrap around, a sign, a blank.
fn number(text: &str) -> Result<Option<u32>, String> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        if text.len() > 1 && text.starts_with('0') {
            return Err(format!("{text:?} begins with 0"));
        }
        return match text.parse::<u32>() {
            Ok(id) if i32::try_from(id).is_ok() => Ok(Some(id)),
            _ => Err(format!("{text:?} is over {}", i32::MAX)),
        };
    }
    let begins = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    let goes_on = |b: u8| b.is_ascii_alphanumeric() || b"_.-$".contains(&b);
    match text.bytes().next() {
        Some(first) if begins(first) && text.bytes().all(goes_on) => Ok(None),
        _ => Err(format!("{text:?} is neither a number nor a name")),
    }
}

fn accounts(passwd: &str) -> impl Iterator<Item = Account<'_>> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|n| !n.is_empty())?;
        let _password = fields.next()?;
        let uid = number(fields.next()?).ok()??;
        let gid = number(fields.next()?).ok()??;
        let _comment = fields.next()?;
        Some(Account { name, uid, gid, home: fields.next()? })
    })
}

fn groups(group: &str) -> impl Iterator<Item = Group<'_>> {
    group.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|n| !n.is_empty())?;
        let _password = fields.next()?;
        let gid = number(fields.next()?).ok()??;
        Some(Group { name, gid, members: fields.next().unwrap_or("") })
    })
}

fn memberships(group: &str, user: &str) -> Vec<u32> {
    let mut gids: Vec<u32> = groups(group)
        .filter(|g| !user.is_empty() && g.members.split(',').any(|member| member == user))
        .map(|g| g.gid)
        .collect();
    gids.sort_unstable();
    gids.dedup();
    gids
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/srv:/bin/false\n\
        4294967296:x:0:0::/:/bin/sh\n99999999999999999999:x:0:0::/:/bin/sh\nbroken\n";
    const GROUP: &str =
        "root:x:0:\nwww:x:34:\nlog:x:40:web,other\naudio:x:50:other\nwww2:x:51:web\n";

    #[test]
    fn a_number_stays_that_number() {
        // CVE-2026-30892: `1` must not become 0.
        let user = lookup("1", PASSWD, GROUP).unwrap();
        assert_eq!((user.uid, user.gid), (1, 0));
        let user = lookup("1:1", PASSWD, GROUP).unwrap();
        assert_eq!((user.uid, user.gid, user.additional_gids), (1, 1, vec![1]));
    }

    #[test]
    fn a_name_brings_its_groups() {
        let user = lookup("web", PASSWD, GROUP).unwrap();
        assert_eq!((user.uid, user.gid), (33, 34));
        assert_eq!(user.additional_gids, [34, 40, 51]);
        assert_eq!(user.home.as_deref(), Some("/srv"));
        assert_eq!(lookup("33", PASSWD, GROUP).unwrap(), user);
        assert_eq!(lookup("web:log", PASSWD, GROUP).unwrap().additional_gids, [40]);
    }

    #[test]
    fn what_would_wrap_around_to_root_is_refused() {
        // CVE-2024-40635: even where /etc/passwd has a line of that name.
        for bad in [
            "2147483648",
            "4294967296",
            "99999999999999999999",
            "-1",
            "01",
            "",
            "1 ",
            " 1",
            "+1",
            "0x0",
            ":",
            "1:",
            "1:-1",
            ":1",
            "a b",
            "a/b",
        ] {
            assert!(lookup(bad, PASSWD, GROUP).is_err(), "{bad:?} was taken");
        }
        assert_eq!(lookup("2147483647", "", "").unwrap().uid, 2_147_483_647);
    }

    #[test]
    fn an_unknown_name_is_an_error_that_says_where_it_was_looked_up() {
        let error = lookup("nobody", PASSWD, GROUP).unwrap_err();
        assert_eq!(error, "find user \"nobody\": the image's /etc/passwd has no such name");
    }
}
