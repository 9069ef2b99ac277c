//! Instructions, written from the program's end to its beginning.
//!
//! Classic BPF only jumps forward, so that what a jump leads to is always written before the jump: distances are
//! known at once. Nothing runs on into the next instruction but a load into the comparison behind it.

use libc::sock_filter;

/// Where a branch leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The program ends with this answer.
    Return(u32),
    /// An instruction that is written: its place counted from the program's end.
    At(usize),
}

/// The word that is compared in the branches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    Equal,
    Greater,
    GreaterOrEqual,
    AnyBit,
}

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const AND: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
const SUBTRACT: u16 = (libc::BPF_ALU | libc::BPF_SUB | libc::BPF_K) as u16;
const JUMP: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// The farthest a conditional jump goes: its distance is a byte.
const REACH: usize = 255;

#[derive(Default)]
pub(super) struct Code {
    /// The last instruction first.
    reversed: Vec<sock_filter>,
    /// Where each answer, and each jump to a far place, was written last. Few: searched from the end.
    written: Vec<(Target, usize)>,
}

impl Code {
    /// A comparison of the accumulator with `k`.
    pub(super) fn branch(&mut self, test: Test, k: u32, yes: Target, no: Target) -> Target {
        if yes == no {
            return yes;
        }
        // What makes `no` near may put one instruction between `yes` and the branch.
        let yes = self.near(yes, 1);
        let no = self.near(no, 0);
        let code = libc::BPF_JMP
            | libc::BPF_K
            | match test {
                Test::Equal => libc::BPF_JEQ,
                Test::Greater => libc::BPF_JGT,
                Test::GreaterOrEqual => libc::BPF_JGE,
                Test::AnyBit => libc::BPF_JSET,
            };
        let here = self.reversed.len();
        let distance = |place: usize| (here - place - 1) as u8;
        self.push(code as u16, distance(yes), distance(no), k)
    }

    /// Loads the word at `offset` of `seccomp_data` into the accumulator, then goes on at `next`.
    pub(super) fn load(&mut self, offset: u32, next: Target) -> Target {
        self.before(next, LOAD, offset)
    }

    pub(super) fn and(&mut self, mask: u32, next: Target) -> Target {
        self.before(next, AND, mask)
    }

    pub(super) fn subtract(&mut self, number: u32, next: Target) -> Target {
        self.before(next, SUBTRACT, number)
    }

    /// The program, which begins at `start`.
    pub(super) fn finish(mut self, start: Target) -> Vec<sock_filter> {
        self.adjoin(start);
        self.reversed.reverse();
        self.reversed
    }

    /// An instruction that runs on into `next`.
    fn before(&mut self, next: Target, code: u16, k: u32) -> Target {
        self.adjoin(next);
        self.push(code, 0, 0, k)
    }

    /// Makes `target` the instruction that was written last.
    fn adjoin(&mut self, target: Target) {
        match target {
            Target::At(place) if place + 1 == self.reversed.len() => {}
            target => {
                self.write(target);
            }
        }
    }

    /// A place that leads to `target`, in reach of a branch that comes after `room` more instructions.
    fn near(&mut self, target: Target, room: usize) -> usize {
        let end = self.reversed.len() + room;
        let in_reach = |place: usize| end - place - 1 <= REACH;
        if let Target::At(place) = target
            && in_reach(place)
        {
            return place;
        }
        let known = self.written.iter().rfind(|(known, _)| *known == target);
        match known {
            Some((_, place)) if in_reach(*place) => *place,
            _ => self.write(target),
        }
    }

    /// Writes a return, or a jump of any distance.
    fn write(&mut self, target: Target) -> usize {
        let here = self.reversed.len();
        match target {
            Target::Return(answer) => self.push(RETURN, 0, 0, answer),
            Target::At(place) => self.push(JUMP, 0, 0, (here - place - 1) as u32),
        };
        self.written.push((target, here));
        here
    }

    fn push(&mut self, code: u16, jt: u8, jf: u8, k: u32) -> Target {
        self.reversed.push(sock_filter { code, jt, jf, k });
        Target::At(self.reversed.len() - 1)
    }
}
