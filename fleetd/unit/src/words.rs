//! How systemd splits a value into words: quotes and C escapes (systemd.service(5), "Command
//! lines"; systemd.syntax(7), "Quoting").

/// The words of a value, and the escapes in it that are not known, such as `\d`: they are kept as
/// they stand, which is what systemd does, so that regular expressions survive.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Words {
    pub words: Vec<String>,
    pub unknown_escapes: Vec<String>,
}

/// Splits at white space outside of quotes. An error is a sentence on what is wrong.
pub fn split(value: &str) -> Result<Words, String> {
    let mut reader = Reader { rest: value.chars(), names: false, out: Words::default() };
    while let Some(word) = reader.word()? {
        reader.out.words.push(word);
    }
    Ok(reader.out)
}

/// As [`split`], for names of units: a backslash is a letter of them, as in systemd's own lists.
pub fn split_names(value: &str) -> Result<Vec<String>, String> {
    let mut reader = Reader { rest: value.chars(), names: true, out: Words::default() };
    while let Some(word) = reader.word()? {
        reader.out.words.push(word);
    }
    Ok(reader.out.words)
}

/// A text with its escapes resolved, and those that are not known. Quotes and white space are letters
/// of it.
pub fn unescape(value: &str) -> Result<(String, Vec<String>), String> {
    let mut reader = Reader { rest: value.chars(), names: false, out: Words::default() };
    let mut text = Vec::new();
    while let Some(c) = reader.rest.next() {
        match c {
            '\\' => reader.escape(&mut text)?,
            c => push(&mut text, c),
        }
    }
    Ok((utf8(text)?, reader.out.unknown_escapes))
}

/// One word that reads back as itself.
pub fn quote(word: &str) -> String {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"\"'\\".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let mut out = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

struct Reader<'a> {
    rest: std::str::Chars<'a>,
    /// A backslash escapes nothing.
    names: bool,
    out: Words,
}

impl Reader<'_> {
    fn word(&mut self) -> Result<Option<String>, String> {
        let trimmed = self.rest.as_str().trim_start_matches([' ', '\t', '\n', '\r']);
        self.rest = trimmed.chars();
        if trimmed.is_empty() {
            return Ok(None);
        }
        // Escapes such as \xff give bytes, which together must be UTF-8.
        let mut word = Vec::new();
        let mut quote = None;
        while let Some(c) = self.rest.next() {
            match (c, quote) {
                ('\\', _) if !self.names => self.escape(&mut word)?,
                (' ' | '\t' | '\n' | '\r', None) => return utf8(word).map(Some),
                ('"' | '\'', None) => quote = Some(c),
                (c, Some(q)) if c == q => quote = None,
                (c, _) => push(&mut word, c),
            }
        }
        match quote {
            Some(q) => Err(format!("the quote {q} is not closed")),
            None => utf8(word).map(Some),
        }
    }

    /// What follows a backslash.
    fn escape(&mut self, word: &mut Vec<u8>) -> Result<(), String> {
        let Some(c) = self.rest.next() else {
            return Err("a backslash stands at the end".to_owned());
        };
        let plain = match c {
            'a' => 0x07,
            'b' => 0x08,
            'f' => 0x0c,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 0x0b,
            's' => b' ',
            '\\' | '"' | '\'' => c as u8,
            'x' => return self.number(word, c, 2, 16),
            'u' => return self.number(word, c, 4, 16),
            'U' => return self.number(word, c, 8, 16),
            '0'..='7' => return self.number(word, c, 3, 8),
            _ => {
                push(word, '\\');
                push(word, c);
                self.out.unknown_escapes.push(format!("\\{c}"));
                return Ok(());
            }
        };
        word.push(plain);
        Ok(())
    }

    /// `\xHH` and `\NNN` are bytes, `\uHHHH` and `\UHHHHHHHH` characters; none is NUL.
    fn number(&mut self, word: &mut Vec<u8>, c: char, len: usize, base: u32) -> Result<(), String> {
        let octal = base == 8;
        let rest = self.rest.as_str();
        let end = if octal { len - 1 } else { len };
        let taken = rest.get(..end).filter(|t| t.chars().all(|d| d.is_digit(base)));
        let digits = taken.map(|t| if octal { format!("{c}{t}") } else { t.to_owned() });
        let value = digits.and_then(|d| u32::from_str_radix(&d, base).ok());
        let wrong = || format!("the escape \\{c} takes {len} digits of a value other than 0");
        let value = value.filter(|v| *v != 0).ok_or_else(wrong)?;
        self.rest = rest[end..].chars();
        if octal || c == 'x' {
            word.push(u8::try_from(value).map_err(|_| wrong())?);
        } else {
            push(word, char::from_u32(value).ok_or_else(|| format!("\\{c} is no character"))?);
        }
        Ok(())
    }
}

fn push(word: &mut Vec<u8>, c: char) {
    word.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn utf8(word: Vec<u8>) -> Result<String, String> {
    String::from_utf8(word).map_err(|_| "its escapes are not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(value: &str) -> Vec<String> {
        split(value).unwrap().words
    }

    #[test]
    fn words_are_split_as_systemd_splits_them() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("  a \t b  ", &["a", "b"]),
            ("'a b' \"c d\" e", &["a b", "c d", "e"]),
            ("\"\" x ''", &["", "x", ""]),
            ("a\"b c\"d", &["ab cd"]),
            ("\"it's\" 'say \"x\"'", &["it's", "say \"x\""]),
            (r#""a\"b" 'a\'b' a\sb"#, &["a\"b", "a'b", "a b"]),
            (r"\x41\102\u00e9\U0001F600\n", &["AB\u{e9}\u{1f600}\n"]),
            (r"\xc3\xa9", &["é"]),
            ("sh -c 'echo $HOME; exit 1'", &["sh", "-c", "echo $HOME; exit 1"]),
        ];
        for (value, expected) in cases {
            assert_eq!(words(value), *expected, "{value}");
        }
    }

    #[test]
    fn a_backslash_is_a_letter_of_a_name() {
        let names = split_names(r#"  a\x2db@* "c\d" 'e f'\"#).unwrap();
        assert_eq!(names, [r"a\x2db@*", r"c\d", r"e f\"]);
        assert_eq!(split_names("'a"), Err("the quote ' is not closed".to_owned()));
    }

    #[test]
    fn an_unknown_escape_is_kept_and_told() {
        let got = split(r"grep \d\.txt").unwrap();
        assert_eq!(got.words, ["grep", r"\d\.txt"]);
        assert_eq!(got.unknown_escapes, [r"\d", r"\."]);
    }

    #[test]
    fn open_quotes_and_broken_escapes_are_refused() {
        for bad in
            ["'a", "\"a b", "a\\", r"\x0", r"\x00", r"\xzz", r"\9\u12", r"\400", r"\ud800", r"\xff"]
        {
            assert!(split(bad).is_err(), "{bad:?} was taken");
        }
        assert_eq!(split("'a b"), Err("the quote ' is not closed".to_owned()));
    }

    proptest! {
        #[test]
        fn a_quoted_word_reads_back(list in proptest::collection::vec("[^\0]{0,12}", 0..6)) {
            let text = list.iter().map(|w| quote(w)).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(words(&text), list);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}|[\\\\'\"xuU0-9a-f ]{0,30}") {
            let _ = split(&text);
        }
    }
}
