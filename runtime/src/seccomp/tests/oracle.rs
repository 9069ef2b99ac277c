//! Compiled against direct, over every number that means something and arguments near every comparison.

use crate::seccomp::arch::{Abi, Machine};
use crate::seccomp::compile_for;
use crate::spec::seccomp::{ArgumentCondition, Seccomp, SyscallRule};

use super::default_profile;
use super::direct::{Direct, multiplexer};
use super::interpreter::{Call, run};
use super::random::Random;

const ARCHITECTURES: [u32; 5] = [0xc000_003e, 0x4000_0003, 0xc000_00b7, 0x4000_0028, 0xc000_00f3];

/// 0 to 1023, the same for x32, ARM's private calls, and the edges between them.
fn numbers() -> Vec<u32> {
    let edges = [
        0x3fff_ffff,
        0x4000_0000 + 1024,
        0x7fff_ffff,
        0x8000_0000,
        0xbfff_ffff,
        u32::MAX - 1,
        u32::MAX,
        0xf_0000 - 1,
    ];
    (0..1024)
        .chain(0x4000_0000..0x4000_0000 + 1024)
        .chain(0xf_0000..0xf_0010)
        .chain(edges)
        .collect()
}

/// Compares for every number, `times` times with other arguments. Returns how many answers were seen.
fn compare(machine: Machine, profile: &Seccomp, times: usize, random: &mut Random) -> usize {
    let program = compile_for(machine, profile).unwrap();
    let compared: Vec<u64> = profile
        .syscalls
        .iter()
        .flatten()
        .flat_map(|rule| rule.args.iter().flatten())
        .flat_map(|condition| [condition.value, condition.value_two.unwrap_or(0)])
        .collect();
    let direct = Direct::new(machine, profile);
    let mut seen = std::collections::BTreeSet::new();
    for number in numbers() {
        for architecture in ARCHITECTURES {
            let about = direct.about(architecture, number);
            for _ in 0..times {
                let mut arguments = random.arguments(&compared);
                if random.one_in(2) {
                    // So that `socketcall` and `ipc` meet the calls they know.
                    arguments[0] = random.below(26) as u64;
                }
                let call = Call { number, architecture, arguments };
                let answer = run(&program.filter, &call);
                seen.insert(answer);
                assert_eq!(
                    answer,
                    direct.answer(&about, &arguments),
                    "{call:#x?} under {}",
                    serde_json::to_string(profile).unwrap()
                );
            }
        }
    }
    seen.len()
}

#[test]
fn the_default_profile_is_compiled_to_what_it_says() {
    for machine in [Machine::X86_64, Machine::Aarch64] {
        let answers = compare(machine, &default_profile::get(), 20, &mut Random(1));
        // Allowed, refused, refused as unknown, killed.
        assert_eq!(answers, 4);
    }
}

#[test]
fn random_profiles_are_compiled_to_what_they_say() {
    for seed in 0..60 {
        let mut random = Random(seed);
        let machine = random.of(&[Machine::X86_64, Machine::X86_64, Machine::Aarch64]);
        let profile = random.profile(machine);
        compare(machine, &profile, 1, &mut random);
    }
}

#[test]
fn every_call_behind_socketcall_and_ipc_is_found() {
    for number in [102, 117] {
        for name in multiplexer(Abi::X86, number).iter().filter(|name| !name.is_empty()) {
            let profile = Seccomp {
                default_action: "SCMP_ACT_ALLOW".to_owned(),
                architectures: Some(vec!["SCMP_ARCH_X86".to_owned()]),
                syscalls: Some(vec![SyscallRule {
                    names: vec![name.to_string()],
                    action: "SCMP_ACT_TRAP".to_owned(),
                    ..SyscallRule::default()
                }]),
                ..Seccomp::default()
            };
            let filter = compile_for(Machine::X86_64, &profile).unwrap().filter;
            let direct = Direct::new(Machine::X86_64, &profile);
            let about = direct.about(0x4000_0003, number);
            for which in 0..32 {
                let arguments = [which, 0, 0, 0, 0, 0];
                let answer = run(&filter, &Call { number, architecture: 0x4000_0003, arguments });
                assert_eq!(answer, direct.answer(&about, &arguments), "{name} {which}");
            }
        }
    }
}

/// Every call has a condition of its own, so that blocks and tree lie farther apart than a byte reaches.
#[test]
fn a_program_too_long_for_byte_jumps_is_compiled_to_what_it_says() {
    let machine = Machine::X86_64;
    let rules = (0_u64..).zip(machine.rows().iter().take(350)).map(|(at, row)| SyscallRule {
        names: vec![row.0.to_owned()],
        action: "SCMP_ACT_ALLOW".to_owned(),
        errno_ret: None,
        args: Some(vec![ArgumentCondition {
            index: at as u32 % 6,
            value: at << 30,
            value_two: None,
            op: "SCMP_CMP_GT".to_owned(),
        }]),
    });
    let profile = Seccomp {
        default_action: "SCMP_ACT_ERRNO".to_owned(),
        architectures: Some(vec!["SCMP_ARCH_X86".to_owned(), "SCMP_ARCH_X32".to_owned()]),
        syscalls: Some(rules.collect()),
        ..Seccomp::default()
    };
    assert!(compile_for(machine, &profile).unwrap().filter.len() > 3000);
    compare(machine, &profile, 4, &mut Random(7));
}
