//! `EnvironmentFile=`: text to variables, as systemd.exec(5) reads it.

/// Reads `NAME=value` lines. Empty lines and lines that begin with `#` or `;` are left out; a value
/// may be quoted; a backslash at the end goes on with the next line. The error names the line.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut variables = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let mut line = line.trim_start().to_owned();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        while line.ends_with('\\') && !line.ends_with("\\\\") {
            line.pop();
            match lines.next() {
                Some((_, next)) => line.push_str(next),
                None => break,
            }
        }
        let at = |cause: &str| format!("line {}: {cause}", number + 1);
        let (name, value) =
            line.split_once('=').ok_or_else(|| at("there is no `=` after the name"))?;
        let name = name.trim_end();
        let name = name.strip_prefix("export ").unwrap_or(name);
        if !is_name(name) {
            return Err(at(&format!("{name:?} is no name of a variable")));
        }
        let value = unquote(value.trim()).ok_or_else(|| at("the quotation does not end"))?;
        variables.push((name.to_owned(), value));
    }
    Ok(variables)
}

fn is_name(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    first && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn unquote(value: &str) -> Option<String> {
    let quote = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => quote,
        _ => return Some(value.to_owned()),
    };
    let mut text = String::new();
    let mut rest = value.chars().skip(1);
    while let Some(c) = rest.next() {
        match c {
            '\\' if quote == '"' => text.push(rest.next()?),
            c if c == quote => return Some(text),
            c => text.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_variables_is_read() {
        let text =
            "# a note\nA=1\n\n; another\nB = two words \nC=\"x \\\"y\\\"\"\nD='$A'\nE=a\\\nb\n";
        let read = parse(text).unwrap();
        let expected = [("A", "1"), ("B", "two words"), ("C", "x \"y\""), ("D", "$A"), ("E", "ab")];
        assert_eq!(read, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn a_fault_names_its_line() {
        assert!(parse("A=1\nnonsense\n").unwrap_err().starts_with("line 2:"));
        assert!(parse("1A=1").unwrap_err().contains("1A"));
        assert!(parse("A=\"open").is_err());
    }
}
