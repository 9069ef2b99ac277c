use super::*;

/// `(line, section, key, value)` of every assignment.
fn read(text: &str) -> Vec<(u32, String, String, String)> {
    let (sections, faults) = parse("a", text);
    assert_eq!(faults, []);
    sections
        .into_iter()
        .flat_map(|s| {
            let name = s.name;
            s.assignments.into_iter().map(move |a| (a.place.line, name.clone(), a.key, a.value))
        })
        .collect()
}

fn item(line: u32, section: &str, key: &str, value: &str) -> (u32, String, String, String) {
    (line, section.to_owned(), key.to_owned(), value.to_owned())
}

#[test]
fn an_item_knows_its_line_and_loses_the_space_around_it() {
    let text = "\u{feff}[Unit]\n\n  Description \t=  a = b  \r\n[Container]\nImage=x";
    assert_eq!(
        read(text),
        [item(3, "Unit", "Description", "a = b"), item(5, "Container", "Image", "x")]
    );
}

#[test]
fn comments_stand_alone_and_inside_continuations() {
    let text =
        "[S]\n# K=1\n  ; K=2\nK=a \\\n# not this \\\n  ; nor this\n   b \\\n c # kept\nL=1 ; kept";
    assert_eq!(
        read(text),
        [item(4, "S", "K", "a     b   c # kept"), item(9, "S", "L", "1 ; kept")]
    );
}

#[test]
fn a_continuation_ends_at_an_empty_line_and_at_the_end() {
    assert_eq!(read("[S]\nK=a\\\n\nL=b\\"), [item(2, "S", "K", "a"), item(4, "S", "L", "b")]);
    // An escaped backslash does not continue.
    assert_eq!(read("[S]\nK=a\\\\\nL=b"), [item(2, "S", "K", "a\\\\"), item(3, "S", "L", "b")]);
}

#[test]
fn empty_assignments_and_repeated_sections_are_kept_in_order() {
    assert_eq!(
        read("[S]\nK=1\nK=\n[T]\nK=2\n[S]\nK=3"),
        [
            item(2, "S", "K", "1"),
            item(3, "S", "K", ""),
            item(5, "T", "K", "2"),
            item(7, "S", "K", "3")
        ]
    );
}

#[test]
fn every_fault_of_a_file_is_told_with_its_line() {
    let (sections, faults) = parse("f", "K=1\n[S\n[]\n[S]\nno equals\n=v\nA=\0\nB=2\n");
    let told: Vec<String> = faults.iter().map(Fault::to_string).collect();
    assert_eq!(
        told,
        [
            "f:1: K= stands before any [SECTION]",
            "f:2: \"S\" is no section: [NAME]",
            "f:3: \"]\" is no section: [NAME]",
            "f:5: \"no equals\" is neither KEY=VALUE nor [SECTION]",
            "f:6: a key is missing before the =",
            "f:7: a NUL byte",
        ]
    );
    assert_eq!(sections[0].assignments.len(), 1);
}

#[test]
fn a_file_that_is_too_long_is_refused_whole() {
    let (_, faults) = parse("f", &"#".repeat(fleetd_api::MAX_UNIT_FILE + 1));
    assert_eq!(faults[0].to_string(), "f: 262145 bytes are over 262144");
}
