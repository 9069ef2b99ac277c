//! Variables in a command, as systemd replaces them (systemd.service(5), "Command lines").

/// Replaces `${NAME}` anywhere in a word by the variable's value, and a word that is `$NAME` alone
/// by the value's words. `$$` is a dollar sign; a variable that is not set is empty. A `$NAME`
/// inside a longer word stays, so that `sh -c "echo $HOME"` is the shell's business.
pub fn substitute(words: &[String], variable: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut out = Vec::with_capacity(words.len());
    for word in words {
        match word.strip_prefix('$').filter(|name| is_name(name)) {
            Some(name) => {
                let value = variable(name).unwrap_or_default();
                out.extend(value.split_whitespace().map(str::to_owned));
            }
            None => out.push(inside(word, &variable)),
        }
    }
    out
}

fn inside(word: &str, variable: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let braced = after.strip_prefix('{').and_then(|text| text.split_once('}'));
        rest = match (after.strip_prefix('$'), braced) {
            (Some(after), _) => {
                out.push('$');
                after
            }
            (None, Some((name, after))) if is_name(name) => {
                out.push_str(&variable(name).unwrap_or_default());
                after
            }
            _ => {
                out.push('$');
                after
            }
        };
    }
    out.push_str(rest);
    out
}

/// What systemd takes for the name of a variable.
fn is_name(text: &str) -> bool {
    let first = |b: &u8| b.is_ascii_alphabetic() || *b == b'_';
    text.as_bytes().first().is_some_and(first)
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(words: &[&str]) -> Vec<String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let variable = |name: &str| match name {
            "ONE" => Some("one".to_owned()),
            "TWO" => Some(" a  b ".to_owned()),
            _ => None,
        };
        substitute(&words, variable)
    }

    #[test]
    fn variables_are_replaced_as_systemd_does() {
        assert_eq!(done(&["x", "$ONE", "$TWO", "$NONE"]), ["x", "one", "a", "b"]);
        assert_eq!(done(&["${TWO}", "${NONE}", "<${ONE}>"]), [" a  b ", "", "<one>"]);
        assert_eq!(done(&["echo $ONE", "$$ONE", "$$", "a$"]), ["echo $ONE", "$ONE", "$", "a$"]);
        assert_eq!(done(&["${", "${1}", "$1", "$"]), ["${", "${1}", "$1", "$"]);
    }
}
