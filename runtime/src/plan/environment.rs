//! What a program's environment says: where programs are, and whose home it is.

/// Where a program without a slash is looked for when `PATH` is not set, as execvp(3) does.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// The value of a variable; of several the last, as a shell would have it.
pub fn variable<'a>(env: &'a [String], name: &str) -> Option<&'a str> {
    env.iter().rev().find_map(|entry| entry.strip_prefix(name)?.strip_prefix('='))
}

/// The files that `program` may be, in order.
pub fn candidates(program: &str, env: &[String]) -> Vec<String> {
    if program.contains('/') {
        return vec![program.to_owned()];
    }
    variable(env, "PATH")
        .unwrap_or(DEFAULT_PATH)
        .split(':')
        .map(|dir| if dir.is_empty() { format!("./{program}") } else { format!("{dir}/{program}") })
        .collect()
}

/// The home directory of `uid` in a passwd(5), `/` where there is none. A value that could be read
/// as two variables or two lines is not one.
pub fn home(passwd: &[u8], uid: u32) -> String {
    String::from_utf8_lossy(passwd)
        .lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            let number = fields.nth(2)?;
            let home = fields.nth(2)?;
            let plain = home.starts_with('/') && !home.contains(|c: char| c.is_control());
            (number.parse() == Ok(uid) && plain).then(|| home.to_owned())
        })
        .unwrap_or_else(|| "/".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_looked_for_in_path() {
        let env = ["PATH=/a".to_owned(), "PATH=/x::/y".to_owned()];
        assert_eq!(candidates("sh", &env), ["/x/sh", "./sh", "/y/sh"]);
        assert_eq!(candidates("./sh", &env), ["./sh"]);
        assert_eq!(candidates("sh", &[]), ["/bin/sh", "/usr/bin/sh"]);
    }

    #[test]
    fn a_home_is_the_one_of_the_users_line() {
        let passwd =
            b"root:x:0:0:root:/root:/bin/sh\nbroken\nweb:x:33:33::/srv:/bin/sh\n\xff:x:5:5::/h:";
        assert_eq!(home(passwd, 0), "/root");
        assert_eq!(home(passwd, 33), "/srv");
        assert_eq!(home(passwd, 7), "/");
        assert_eq!(home(b"a:x:+7:0::/x:\n", 8), "/");
        assert_eq!(home(b"a:x:8:0::relative:\n", 8), "/");
    }
}
