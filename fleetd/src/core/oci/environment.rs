//! The program's environment. Nothing of the host's or the daemon's environment is in it
//! (CVE-2026-57231, CVE-2020-14370).

use std::path::Path;

/// What a program finds its commands in when neither image nor unit says so.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// `NAME=value` in this order, of which the last of a name wins: defaults, image, files,
/// `Environment=`. The unit's own lines win over its files, as with podman.
pub fn merge(
    hostname: &str,
    image: &[String],
    files: &[(String, String)],
    unit: &[(String, String)],
) -> Vec<String> {
    let defaults = [PATH.to_owned(), format!("HOSTNAME={hostname}")];
    let pairs = |list: &[(String, String)]| {
        list.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
    };
    let mut merged: Vec<String> = Vec::new();
    for line in
        defaults.into_iter().chain(image.iter().cloned()).chain(pairs(files)).chain(pairs(unit))
    {
        let name = line.split('=').next().unwrap_or("");
        match merged.iter_mut().find(|known| known.split('=').next() == Some(name)) {
            Some(known) => *known = line,
            None => merged.push(line),
        }
    }
    merged
}

/// Reads an environment file: `NAME=value` a line, taken as it is written; empty lines and lines
/// that begin with `#` or `;` are passed over. A name without `=` is an error: taking its value
/// from the daemon's environment would leak it.
pub fn parse_file(path: &Path, text: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        let place = || format!("read {}, line {}", path.display(), number + 1);
        let (name, value) =
            trimmed.split_once('=').ok_or_else(|| format!("{}: no = in it", place()))?;
        let name = name.trim_end();
        if name.is_empty() || name.contains(char::is_whitespace) || line.contains('\0') {
            return Err(format!("{}: {name:?} is no name of a variable", place()));
        }
        pairs.push((name.to_owned(), value.to_owned()));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn the_unit_wins_over_files_and_files_over_the_image() {
        let image = ["A=image".to_owned(), "B=image".to_owned(), "PATH=/x".to_owned()];
        let env =
            merge("web", &image, &[pair("B", "file"), pair("C", "file")], &[pair("C", "unit")]);
        assert_eq!(env, ["PATH=/x", "HOSTNAME=web", "A=image", "B=file", "C=unit"]);
    }

    #[test]
    fn nothing_of_the_daemon_is_inside() {
        // cargo sets this for every test: a sentinel that must not come through.
        assert!(std::env::var("CARGO_PKG_NAME").is_ok());
        assert!(merge("h", &[], &[], &[]).iter().all(|line| !line.starts_with("CARGO")));
    }

    #[test]
    fn a_file_is_read_line_by_line() {
        let text = "# comment\n\n A=1\nB= x \"y\" \nC=a=b\n;D=1\n";
        let pairs = parse_file(Path::new("/e"), text).unwrap();
        assert_eq!(pairs, [pair("A", "1"), pair("B", " x \"y\" "), pair("C", "a=b")]);
    }

    #[test]
    fn a_bad_line_is_named() {
        assert_eq!(
            parse_file(Path::new("/e"), "A=1\nHOME\n").unwrap_err(),
            "read /e, line 2: no = in it"
        );
        assert!(parse_file(Path::new("/e"), "A B=1\n").is_err());
        assert!(parse_file(Path::new("/e"), "=1\n").is_err());
    }
}
