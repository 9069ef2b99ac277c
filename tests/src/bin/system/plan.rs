//! Which tests there are.
//!
//! From Cargo's messages (`cargo test --no-run --message-format=json`) come the test programs,
//! from each program's `--list` its tests. A program of this package is a system test, but for
//! `architecture`, which only reads the sources.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The system test program whose tests need systemd as the first process.
const NEEDS_SYSTEMD: &str = "systemd";
/// The one whose tests make whole fleets.
const WHOLE_FLEETS: &str = "fleet";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) executable: PathBuf,
    /// Where its tests are run: the folder of its package.
    pub(crate) folder: PathBuf,
    pub(crate) kind: Kind,
    pub(crate) tests: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Unit,
    System,
    /// A system test that takes long, and of which little depends on the kernel.
    Fleet,
    Systemd,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) programs: Vec<Program>,
    /// Those of `make soak`.
    #[serde(default)]
    pub(crate) long: bool,
}

/// How much longer a test of `make soak` may take than another one.
const LONG: u64 = 40;

impl Plan {
    /// The seconds that a test may take where an ordinary one gets `seconds`.
    pub(crate) fn deadline(&self, seconds: u64) -> u64 {
        if self.long { seconds * LONG } else { seconds }
    }

    /// What a test is called in records and reports.
    pub(crate) fn name(program: &Program, test: &str) -> String {
        format!("{}::{test}", program.name)
    }

    pub(crate) fn tests(&self) -> impl Iterator<Item = (&Program, &str)> {
        self.programs.iter().flat_map(|p| p.tests.iter().map(move |test| (p, test.as_str())))
    }

    pub(crate) fn of(&self, kinds: &[Kind]) -> Self {
        let programs = self.programs.iter().filter(|p| kinds.contains(&p.kind)).cloned().collect();
        Self { programs, long: self.long }
    }

    /// Keeps the tests whose name contains `part`.
    pub(crate) fn retain(&mut self, part: &str) {
        for program in &mut self.programs {
            let name = program.name.clone();
            program.tests.retain(|test| format!("{name}::{test}").contains(part));
        }
        self.programs.retain(|program| !program.tests.is_empty());
    }

    /// Every `count`th of the fleet tests, from the `first` on, and all others.
    pub(crate) fn share(&self, first: usize, count: usize) -> Self {
        let mut share = self.clone();
        let fleet = share.programs.iter_mut().filter(|p| p.kind == Kind::Fleet);
        let mut turns = (0..count).cycle();
        for program in fleet {
            program.tests.retain(|_| turns.next() == Some(first));
        }
        share.programs.retain(|program| !program.tests.is_empty());
        share
    }

    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read(path).map_err(|e| format!("read {}: {e}", path.display()))?;
        serde_json::from_slice(&text).map_err(|e| format!("read {}: {e}", path.display()))
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), String> {
        let text = serde_json::to_vec(self).map_err(|e| e.to_string())?;
        std::fs::write(path, text).map_err(|e| format!("write {}: {e}", path.display()))
    }
}

/// Reads Cargo's messages and asks each program for its tests: those that `#[ignore]` marks when
/// `ignored`, else the others.
pub(crate) fn make(messages: &Path, ignored: bool) -> Result<Plan, String> {
    let text = std::fs::read_to_string(messages)
        .map_err(|e| format!("read {}: {e}", messages.display()))?;
    let mut programs = text.lines().filter_map(program).collect::<Vec<_>>();
    for program in &mut programs {
        let marked = list(program, true)?;
        program.tests = if ignored {
            marked
        } else {
            let mut all = list(program, false)?;
            all.retain(|test| !marked.contains(test));
            all
        };
    }
    programs.retain(|program| !program.tests.is_empty());
    Ok(Plan { programs, long: ignored })
}

/// The test program that one of Cargo's messages announces, without its tests.
fn program(message: &str) -> Option<Program> {
    let message = serde_json::from_str::<Value>(message).ok()?;
    if message["reason"] != "compiler-artifact" || message["profile"]["test"] != true {
        return None;
    }
    let executable = PathBuf::from(message["executable"].as_str()?);
    let folder = Path::new(message["manifest_path"].as_str()?).parent()?.to_owned();
    let target = message["target"]["name"].as_str()?;
    let target_kind = message["target"]["kind"][0].as_str()?;
    let system = folder.ends_with("tests") && target_kind == "test" && target != "architecture";
    let kind = match target {
        NEEDS_SYSTEMD if system => Kind::Systemd,
        WHOLE_FLEETS if system => Kind::Fleet,
        _ if system => Kind::System,
        _ => Kind::Unit,
    };
    // A package's library and its program may hold tests of the same name.
    let name = match target_kind {
        "bin" => format!("{target}/main"),
        _ => target.to_owned(),
    };
    Some(Program { name, executable, folder, kind, tests: Vec::new() })
}

fn list(program: &Program, ignored: bool) -> Result<Vec<String>, String> {
    let path = program.executable.display();
    let mut command = Command::new(&program.executable);
    command.current_dir(&program.folder).args(["--list", "--format", "terse"]);
    if ignored {
        command.arg("--ignored");
    }
    let output = command.output().map_err(|e| format!("run {path}: {e}"))?;
    if !output.status.success() {
        return Err(format!("list the tests of {path}: {}", output.status));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(|line| Some(line.strip_suffix(": test")?.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_about_a_test_program_becomes_a_program() {
        let message = r#"{"reason":"compiler-artifact","manifest_path":"/src/tests/Cargo.toml",
            "target":{"kind":["test"],"name":"ocirun"},"profile":{"test":true},
            "executable":"/target/debug/deps/ocirun-1"}"#;
        let found = program(message).unwrap();
        assert_eq!(found.kind, Kind::System);
        assert_eq!(found.name, "ocirun");
        assert_eq!(found.folder, Path::new("/src/tests"));
    }

    #[test]
    fn a_program_that_is_not_a_test_is_none() {
        let message = r#"{"reason":"compiler-artifact","manifest_path":"/src/netd/Cargo.toml",
            "target":{"kind":["bin"],"name":"netd"},"profile":{"test":false},
            "executable":"/target/debug/netd"}"#;
        assert_eq!(program(message), None);
        assert_eq!(program("warning: not json"), None);
    }

    fn holds(name: &str, kind: Kind, tests: &[&str]) -> Program {
        Program {
            name: name.to_owned(),
            executable: PathBuf::new(),
            folder: PathBuf::new(),
            kind,
            tests: tests.iter().map(|&test| test.to_owned()).collect(),
        }
    }

    fn names(plan: &Plan) -> Vec<String> {
        plan.tests().map(|(program, test)| Plan::name(program, test)).collect()
    }

    #[test]
    fn each_fleet_test_is_in_one_share_and_the_others_are_in_all() {
        let fleet = holds("fleet", Kind::Fleet, &["a", "b", "c"]);
        let programs = vec![fleet, holds("netd", Kind::System, &["d"])];
        let plan = Plan { programs, long: false };
        assert_eq!(names(&plan.share(0, 2)), ["fleet::a", "fleet::c", "netd::d"]);
        assert_eq!(names(&plan.share(1, 2)), ["fleet::b", "netd::d"]);
        assert_eq!(plan.share(0, 1), plan);
    }

    #[test]
    fn a_part_of_a_name_or_of_its_program_selects() {
        let program = |name, tests| holds(name, Kind::System, tests);
        let whole = Plan {
            programs: vec![program("netd", &["a", "b"]), program("x", &["netd_c"])],
            long: false,
        };
        let selected = |part: &str| {
            let mut plan = whole.clone();
            plan.retain(part);
            names(&plan)
        };
        assert_eq!(selected("netd"), ["netd::a", "netd::b", "x::netd_c"]);
        assert_eq!(selected("d::b"), ["netd::b"]);
        assert_eq!(selected("nothing").len(), 0);
    }
}
