//! Runs a filter as the kernel would, for one call.

use libc::sock_filter;

/// What a filter is shown: `seccomp_data` of linux/seccomp.h.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) number: u32,
    pub(super) architecture: u32,
    pub(super) arguments: [u64; 6],
}

impl Call {
    fn word(&self, offset: u32) -> u32 {
        match offset {
            0 => self.number,
            4 => self.architecture,
            16..64 if offset.is_multiple_of(4) => {
                let argument = self.arguments[(offset as usize - 16) / 8];
                (if offset.is_multiple_of(8) { argument } else { argument >> 32 }) as u32
            }
            _ => panic!("load from offset {offset}"),
        }
    }
}

/// The filter's answer. Panics where the kernel would have refused the program.
pub(super) fn run(filter: &[sock_filter], call: &Call) -> u32 {
    let mut accumulator = 0_u32;
    let mut next = 0;
    loop {
        let sock_filter { code, jt, jf, k } = filter[next];
        next += 1;
        let mut jump = |condition| next += usize::from(if condition { jt } else { jf });
        match u32::from(code) {
            0x20 => accumulator = call.word(k),
            0x54 => accumulator &= k,
            0x14 => accumulator = accumulator.wrapping_sub(k),
            0x05 => next += k as usize,
            0x15 => jump(accumulator == k),
            0x25 => jump(accumulator > k),
            0x35 => jump(accumulator >= k),
            0x45 => jump(accumulator & k != 0),
            0x06 => return k,
            unknown => panic!("instruction {unknown:#x}"),
        }
    }
}
