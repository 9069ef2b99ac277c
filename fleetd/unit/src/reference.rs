//! `docs/units.md`, made from the table of keys.

use super::keys::{FLEET, KEYS, Key, SECTIONS};
use super::keys_not_yet::{NOT_YET, REFUSED};
use super::specifier::SPECIFIERS;
use std::fmt::Write;

const INTRODUCTION: &str = "\
# Unit files

<!-- Made from fleetd/unit/src/: `cargo run -p fleetd-unit --example units_reference > docs/units.md` -->

A unit file says what a container is and how it is kept running. Its syntax is systemd's, its container keys
are Quadlet's:

```ini
[Unit]
Description=Web server

[Container]
Image=web
PublishPort=8080:80
Volume=/srv/www:/var/www:ro

[Service]
Restart=on-failure
MemoryMax=256M
```

- `NAME.container`, or `NAME@.container`: a template, started as `NAME@INSTANCE`.
- Drop-ins, `NAME.container.d/*.conf`, change it, in the order of their names; for an instance those of its template
  too. An assignment to nothing (`Environment=`) takes back what was said before it.
- A line may go on after a backslash; `#` or `;` begins a comment line, also between continued lines.
- Words are split at white space outside of quotes; C escapes such as `\\n`, `\\x41`, `\\u00e9` are understood.
- Times: `30` (seconds), `1min 30s`, `500ms`, `infinity`. Sizes: `512M`, `1.5G`, base 1024. Booleans: `yes`, `no`.
- A value that is not allowed is an error and the unit is not taken: `web.container:7: ReadOnly=maybe: it takes yes or no`.
  A key that is not known, or not honoured yet, is a warning with its line. Other sections and
  keys that begin with `X-` than those below are other programs' and passed over.
";

const FLEET_INTRODUCTION: &str = "
Where the unit may run: fleet's keys, and more. Three instances, each on a host of its own with a fast disk, in
different zones if they can be, rather not in the old racks:

```ini
# web@.container
[Container]
Image=web
PublishPort=80:8080

[Service]
MemoryMax=512M
CPUQuota=50%

[X-Fleet]
Replicas=3
MachineMetadata=disk=ssd disk=nvme
Conflicts=web@*
Spread=zone
Prefer=rack=old:-50
```

- `MemoryMax=`, `CPUQuota=` and `TasksMax=` are also what the unit asks of its host; a part of the host's (`25%`) asks for
  nothing, and what is not said neither. A port that it publishes is its own on that host. [How a host is chosen](schedule.md).
- A glob is fleet's: `*`, `?`, `[a-z]`, `[^a-z]`; a backslash takes the next letter as it is. What a specifier stands for
  matches only itself.
- No host is chosen when these keys and `PublishPort=` are read: specifiers of the host are errors there.
";

fn sentence(key: &Key) -> String {
    let older: Vec<String> = key.aliases().map(|old| format!(" Also `{old}=`.")).collect();
    format!("{}{}", key.doc, older.concat()).replace('|', "\\|")
}

/// The whole page.
pub fn page() -> String {
    let mut out = INTRODUCTION.to_owned();
    for section in SECTIONS {
        let keys: Vec<_> = KEYS.iter().filter(|key| key.section == *section).collect();
        if keys.is_empty() {
            continue;
        }
        let introduction = if *section == FLEET { FLEET_INTRODUCTION } else { "" };
        let _ = write!(out, "\n## `[{section}]`\n{introduction}\n| Key | |\n|---|---|\n");
        for key in keys {
            let _ = writeln!(out, "| `{}=` | {} |", key.name, sentence(key));
        }
    }
    out.push_str("\n## Specifiers\n\n| | Stands for |\n|---|---|\n");
    for (specifier, meaning) in SPECIFIERS {
        let _ = writeln!(out, "| {specifier} | {meaning} |");
    }
    out.push_str(
        "\nAny other is an error. They are replaced in every value that is text: not in times, sizes, numbers.\n\n\
         ## Not honoured yet\n\n\
         Known keys of Quadlet, systemd and fleet: each is a warning that says this.\n\n\
         | Section | Keys | Consequence |\n|---|---|---|\n",
    );
    for group in NOT_YET {
        let names = group.names.split_whitespace().map(|n| format!("`{n}`")).collect::<Vec<_>>();
        let _ = writeln!(out, "| `[{}]` | {} | {} |", group.section, names.join(" "), group.why);
    }
    out.push_str("\n## Refused\n\nThese are errors that say what to write instead.\n\n");
    for key in REFUSED {
        let _ = writeln!(out, "- `[{}]` `{}=`", key.section, key.name);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::tests::name;

    #[test]
    fn the_example_of_a_template_is_read_without_a_word_on_it() {
        let (_, example) = super::FLEET_INTRODUCTION.split_once("```ini\n").unwrap();
        let (example, _) = example.split_once("```").unwrap();
        let (template, none) = (name("web@.container"), Default::default());
        assert_eq!(super::super::replicas(&template, example, &none), Ok(Some(3)));
        let asks = super::super::placement(&name("web@1.container"), example, &none).unwrap();
        assert_eq!((asks.requests.cpu, asks.ports.len(), asks.prefer[0].weight), (500, 1, -50));
        assert_eq!(super::super::verify(&template, example, &none).unwrap(), []);
    }

    #[test]
    fn the_page_on_units_is_the_one_that_the_table_makes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/units.md");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == super::page(),
            "docs/units.md is old: cargo run -p fleetd-unit --example units_reference > docs/units.md"
        );
    }
}
