//! In which keys two versions of a unit differ: what is assigned to a key, whatever the order of the
//! keys, and without comments.

use super::syntax;
use fleetd_api::KeyChange;
use std::collections::{BTreeMap, BTreeSet};

/// By section and key; of a key every assignment, in order, with those of drop-ins behind.
type Assigned = BTreeMap<(String, String), Vec<String>>;

/// A file with its drop-ins, by name.
pub type Files<'a> = (&'a str, &'a BTreeMap<String, String>);

/// Keys whose assignments differ, by section and name. Empty: the files mean the same.
pub fn difference(before: Files<'_>, after: Files<'_>) -> Vec<KeyChange> {
    let (before, after) = (assigned(before), assigned(after));
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let of = |files: &Assigned, key| files.get(key).cloned().unwrap_or_default();
    let differs = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
    differs
        .map(|key| KeyChange {
            section: key.0.clone(),
            key: key.1.clone(),
            before: of(&before, key),
            after: of(&after, key),
        })
        .collect()
}

fn assigned((text, drop_ins): Files<'_>) -> Assigned {
    let mut all = Assigned::new();
    for text in std::iter::once(text).chain(drop_ins.values().map(String::as_str)) {
        for section in syntax::parse("", text).0 {
            for assignment in section.assignments {
                let key = (section.name.clone(), assignment.key);
                all.entry(key).or_default().push(assignment.value);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: &BTreeMap<String, String> = &BTreeMap::new();

    fn texts(before: &str, after: &str) -> Vec<String> {
        let changes = difference((before, NONE), (after, NONE));
        let text = |c: &KeyChange| format!("{}.{} {:?} {:?}", c.section, c.key, c.before, c.after);
        changes.iter().map(text).collect()
    }

    #[test]
    fn what_is_assigned_counts_and_neither_order_nor_comments() {
        let before = "[Container]\nImage=a\nPublishPort=80:80\n[Service]\nRestart=always\n";
        let same = "# new\n[Service]\nRestart = always\n[Container]\nPublishPort=80:80\nImage=a\n";
        assert_eq!(texts(before, same), [""; 0]);
        let after = "[Container]\nImage=b\nPublishPort=80:80\nPublishPort=81:81\n";
        let expected = [
            "Container.Image [\"a\"] [\"b\"]",
            "Container.PublishPort [\"80:80\"] [\"80:80\", \"81:81\"]",
            "Service.Restart [\"always\"] []",
        ];
        assert_eq!(texts(before, after), expected);
    }

    #[test]
    fn a_drop_in_is_a_part_of_the_file() {
        let drop_ins = [("10.conf".to_owned(), "[Container]\nImage=b\n".to_owned())].into();
        let text = "[Container]\nImage=a\n";
        let changes = difference((text, NONE), (text, &drop_ins));
        assert_eq!(changes[0].after, ["a", "b"]);
    }
}
