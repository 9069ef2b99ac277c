//! Where in a JSON document a parse error lies, as `process.args[1]`.
//!
//! serde_json reports a line and a column. Walking the text up to there gives the path without a
//! second set of deserializers in the binary.

/// The path of the value that byte `offset` of `text` lies in or just behind. Empty at the top.
pub(crate) fn at(text: &[u8], offset: usize) -> String {
    let mut levels: Vec<Level> = Vec::new();
    let mut position = 0;
    let end = offset.min(text.len());
    while position < end {
        match text[position] {
            b'{' => levels.push(Level::Object { key: None, expects_key: true }),
            b'[' => levels.push(Level::Array { index: 0 }),
            // An error is often noticed only at the end of its object: stay in it.
            b'}' | b']' if position + 1 < end => {
                levels.pop();
            }
            b',' => match levels.last_mut() {
                Some(Level::Object { expects_key, .. }) => *expects_key = true,
                Some(Level::Array { index }) => *index += 1,
                None => {}
            },
            b'"' => {
                let start = position + 1;
                position = start;
                while position < text.len() && text[position] != b'"' {
                    position += if text[position] == b'\\' { 2 } else { 1 };
                }
                if let Some(Level::Object { key, expects_key }) = levels.last_mut()
                    && *expects_key
                {
                    let name = &text[start..position.min(text.len())];
                    *key = Some(String::from_utf8_lossy(name).into_owned());
                    *expects_key = false;
                }
            }
            _ => {}
        }
        position += 1;
    }
    print(&levels)
}

enum Level {
    Object { key: Option<String>, expects_key: bool },
    Array { index: usize },
}

fn print(levels: &[Level]) -> String {
    let mut path = String::new();
    for level in levels {
        match level {
            Level::Object { key: Some(key), .. } => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
            }
            Level::Object { key: None, .. } => {}
            Level::Array { index } => path.push_str(&format!("[{index}]")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::at;

    #[test]
    fn a_place_in_the_text_has_a_path() {
        let text = br#"{"a":{"b":[1,{"c":"x,]}"},true]},"d":7}"#;
        let place = |needle: &str| {
            let text = std::str::from_utf8(text).unwrap();
            at(text.as_bytes(), text.find(needle).unwrap() + 1)
        };
        assert_eq!(place("true"), "a.b[2]");
        assert_eq!(place("\"x,"), "a.b[1].c");
        assert_eq!(place("7"), "d");
        assert_eq!(at(text, 0), "");
    }

    #[test]
    fn a_broken_text_is_no_fault_here() {
        at(b"{\"a\\", 100);
        at(b"]]}}", 4);
    }
}
