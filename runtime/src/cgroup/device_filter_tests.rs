//! The compiled program against the rules, on random rules and every kind of request.

use std::io;

use super::*;
use crate::sys::bpf;

#[derive(Debug, Clone, Copy)]
struct Request {
    kind: u32,
    access: u32,
    major: u32,
    minor: u32,
}

/// Runs the program as the kernel would. Panics where its verifier would have refused.
fn allowed(program: &[Instruction], request: Request) -> bool {
    let mut registers: [Option<u64>; 11] = [None; 11];
    registers[1] = Some(0);
    let mut next = 0;
    loop {
        let Instruction { code, registers: pair, offset, immediate } = program[next];
        next += 1;
        let (to, from) = (usize::from(pair & 15), usize::from(pair >> 4));
        let value = |register: usize| registers[register].unwrap() as u32;
        let immediate = immediate as u32;
        let jump = |condition: bool| if condition { offset as usize } else { 0 };
        match code {
            0x61 => {
                assert_eq!(from, 1);
                registers[to] = Some(u64::from(match offset {
                    0 => request.access << 16 | request.kind,
                    4 => request.major,
                    8 => request.minor,
                    _ => panic!("load from {offset}"),
                }));
            }
            0xb4 => registers[to] = Some(immediate.into()),
            0xbc => registers[to] = Some(value(from).into()),
            0x54 => registers[to] = Some((value(to) & immediate).into()),
            0x74 => registers[to] = Some((value(to) >> immediate).into()),
            0x16 => next += jump(value(to) == immediate),
            0x56 => next += jump(value(to) != immediate),
            0x46 => next += jump(value(to) & immediate != 0),
            0x95 => return value(0) != 0,
            _ => panic!("instruction {code:#x}"),
        }
    }
}

/// Each wanted access by itself, from the document.
fn allowed_by_rules(rules: &[DeviceRule], request: Request) -> bool {
    [('m', 1), ('r', 2), ('w', 4)].into_iter().filter(|(_, bit)| request.access & bit != 0).all(
        |(letter, _)| {
            let about = |rule: &&DeviceRule| {
                let kind = match rule.kind.as_deref() {
                    Some("b") => request.kind == 1,
                    Some("c") => request.kind == 2,
                    _ => true,
                };
                let same = |number: Option<i64>, is: u32| {
                    number.is_none_or(|number| number == -1 || number == i64::from(is))
                };
                kind && same(rule.major, request.major)
                    && same(rule.minor, request.minor)
                    && rule.access.as_deref().unwrap_or("rwm").contains(letter)
            };
            rules.iter().rfind(about).is_some_and(|rule| rule.allow)
        },
    )
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }

    fn of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn rules(&mut self) -> Vec<DeviceRule> {
        let count = self.below(9);
        (0..count)
            .map(|_| DeviceRule {
                allow: self.below(2) == 0,
                kind: self.of(&[None, Some("a"), Some("b"), Some("c"), Some("c")]).map(Into::into),
                major: self.of(&[None, Some(-1), Some(1), Some(136), Some(0xffff_ffff)]),
                minor: self.of(&[None, Some(-1), Some(3), Some(0), Some(0x8000_0000)]),
                access: self
                    .of(&[
                        None,
                        Some("r"),
                        Some("w"),
                        Some("m"),
                        Some("rw"),
                        Some("rwm"),
                        Some("mw"),
                    ])
                    .map(Into::into),
            })
            .collect()
    }
}

fn requests() -> impl Iterator<Item = Request> {
    (1..=2).flat_map(|kind| {
        (0..8).flat_map(move |access| {
            [0, 1, 136, u32::MAX].into_iter().flat_map(move |major| {
                [0, 3, 0x8000_0000].map(|minor| Request { kind, access, major, minor })
            })
        })
    })
}

#[test]
fn random_rules_are_compiled_to_what_they_say() {
    let (mut yes, mut no) = (0, 0);
    for seed in 0..2000 {
        let rules = Random(seed).rules();
        let program = compile(&rules).unwrap();
        for request in requests() {
            let answer = allowed(&program, request);
            assert_eq!(answer, allowed_by_rules(&rules, request), "{request:?} under {rules:#?}");
            *if answer { &mut yes } else { &mut no } += 1;
        }
    }
    assert!(yes > 10_000 && no > 10_000);
}

fn rule(allow: bool, access: &str) -> DeviceRule {
    DeviceRule { allow, access: Some(access.into()), ..DeviceRule::default() }
}

#[test]
fn forbidding_to_write_forbids_to_open_for_reading_and_writing() {
    let program = compile(&[rule(true, "rwm"), rule(false, "w")]).unwrap();
    let request = |access| Request { kind: 2, access, major: 1, minor: 3 };
    assert!(allowed(&program, request(2)));
    assert!(!allowed(&program, request(2 | 4)));
}

#[test]
fn no_rules_forbid_everything() {
    let program = compile(&[]).unwrap();
    for request in requests().filter(|request| request.access != 0) {
        assert!(!allowed(&program, request));
    }
}

#[test]
fn rules_that_later_ones_hide_cost_nothing() {
    let mut rules = vec![rule(true, "r"); 100];
    rules.push(rule(false, "rwm"));
    assert!(compile(&rules).unwrap().len() < 15);
}

#[test]
fn a_wrong_rule_is_named() {
    let wrong = |change: fn(&mut DeviceRule)| {
        let mut rules = [rule(true, "r"), rule(true, "r")];
        change(&mut rules[1]);
        compile(&rules).unwrap_err().to_string()
    };
    assert_eq!(
        wrong(|rule| rule.kind = Some("p".into())),
        "linux.resources.devices[1].type: must be a, b or c"
    );
    assert_eq!(
        wrong(|rule| rule.major = Some(-2)),
        "linux.resources.devices[1].major: must be -1 or 0 to 4294967295"
    );
    assert_eq!(
        wrong(|rule| rule.minor = Some(1 << 32)),
        "linux.resources.devices[1].minor: must be -1 or 0 to 4294967295"
    );
    assert_eq!(
        wrong(|rule| rule.access = Some("rx".into())),
        "linux.resources.devices[1].access: may only hold r, w and m"
    );
    assert_eq!(
        wrong(|rule| rule.access = Some(String::new())),
        "linux.resources.devices[1].access: must hold r, w or m"
    );
}

#[test]
fn the_kernel_takes_the_programs() {
    let mut programs: Vec<_> =
        (0..50).map(|seed| compile(&Random(seed).rules()).unwrap()).collect();
    // Long, and no rule hides another: the verifier's work grows with the square of the length.
    let many: Vec<DeviceRule> = (0..300_i64)
        .map(|major| DeviceRule {
            allow: major % 2 == 0,
            kind: Some("c".into()),
            major: Some(major),
            minor: Some(major),
            access: Some(["r", "w", "rw", "rwm"][major as usize % 4].into()),
        })
        .collect();
    programs.push(compile(&many).unwrap());
    for program in programs {
        match bpf::load_device_filter(&program) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                println!("SKIPPED: loading programs needs CAP_BPF");
                return;
            }
            Err(error) => {
                let log = bpf::explain_device_filter(&program);
                panic!("{} instructions: {error}: {log}", program.len());
            }
        }
    }
}
