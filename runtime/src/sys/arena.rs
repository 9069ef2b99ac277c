//! The memory of a program that soon ends.
//!
//! A start allocates some hundred small things and ends, or waits. musl's allocator asks the kernel for a few
//! pages at a time and gives them back as soon as they are empty: a seventh of all system calls of a `run`, each
//! `munmap` with a flush of the address cache. Here the first allocations come from a space in the program's own
//! memory, one behind the other; only the last one can be given back. What does not fit is musl's as before.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Enough for a start with an engine's seccomp profile; the template's document needs a fifth of it. Only the pages
/// that are used exist, but they stay as long as the program, which may be a supervisor.
const SIZE: usize = 128 << 10;

/// An allocator, for `#[global_allocator]`.
pub struct Arena {
    space: UnsafeCell<MaybeUninit<[u8; SIZE]>>,
    /// How much of the space is given out, from its beginning.
    used: AtomicUsize,
}

// SAFETY: who gets a part of `space` is decided by an atomic exchange of `used`, so that no two threads get the same.
unsafe impl Sync for Arena {}

impl Arena {
    #[expect(clippy::new_without_default, reason = "a static needs a constant function")]
    pub const fn new() -> Self {
        Self { space: UnsafeCell::new(MaybeUninit::uninit()), used: AtomicUsize::new(0) }
    }

    fn start(&self) -> *mut u8 {
        self.space.get().cast()
    }

    /// Where in the space `pointer` lies.
    fn offset(&self, pointer: *mut u8) -> Option<usize> {
        let offset = pointer.addr().wrapping_sub(self.start().addr());
        (offset < SIZE).then_some(offset)
    }

    /// Takes what `layout` asks for behind what is used.
    fn take(&self, layout: Layout) -> Option<*mut u8> {
        let mut used = self.used.load(Ordering::Relaxed);
        loop {
            let begin =
                (self.start().addr() + used).next_multiple_of(layout.align()) - self.start().addr();
            let end = begin.checked_add(layout.size()).filter(|end| *end <= SIZE)?;
            match self.used.compare_exchange_weak(used, end, Ordering::AcqRel, Ordering::Relaxed) {
                // SAFETY: `begin` is within the space, or at its end for a size of 0.
                Ok(_) => return Some(unsafe { self.start().add(begin) }),
                Err(now) => used = now,
            }
        }
    }

    /// Moves the end of the last allocation. False if it is not the last, or does not fit.
    fn resize_last(&self, begin: usize, old: usize, new: usize) -> bool {
        begin.checked_add(new).is_some_and(|end| {
            end <= SIZE
                && self
                    .used
                    .compare_exchange(begin + old, end, Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok()
        })
    }
}

// SAFETY: a block is either a part of the space that nobody else has, of the size and alignment asked for, or one of
// `System`; which one it is, its address tells.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise about the layout is passed on.
        self.take(layout).unwrap_or_else(|| unsafe { System.alloc(layout) })
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        match self.offset(pointer) {
            Some(begin) => {
                self.resize_last(begin, layout.size(), 0);
            }
            // SAFETY: it is not of the space, so `System` gave it, for this layout.
            None => unsafe { System.dealloc(pointer, layout) },
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(begin) = self.offset(pointer) else {
            // SAFETY: it is not of the space, so `System` gave it, for this layout.
            return unsafe { System.realloc(pointer, layout, size) };
        };
        if self.resize_last(begin, layout.size(), size) || size <= layout.size() {
            return pointer;
        }
        // SAFETY: the caller promises that `size` is a valid size for this alignment.
        let larger = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: the layout has a size above zero, since it is more than the old one.
        let moved = unsafe { self.alloc(larger) };
        if !moved.is_null() {
            // SAFETY: the old block has this many bytes, the new one more, and they are different blocks.
            unsafe { pointer.copy_to_nonoverlapping(moved, layout.size()) };
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn blocks_are_aligned_and_apart() {
        let arena = Box::new(Arena::new());
        let mut end = 0;
        for (size, align) in [(1, 1), (8, 8), (3, 1), (100, 64), (5, 2)] {
            let block = arena.take(layout(size, align)).unwrap();
            assert!(block.addr().is_multiple_of(align));
            assert!(block.addr() >= end);
            end = block.addr() + size;
        }
    }

    #[test]
    fn the_last_block_grows_in_place_and_is_given_back() {
        let arena = Box::new(Arena::new());
        let first = arena.take(layout(16, 8)).unwrap();
        // SAFETY: the block is from this arena and has this layout.
        let grown = unsafe { arena.realloc(first, layout(16, 8), 64) };
        assert_eq!(grown, first);
        // SAFETY: as above.
        unsafe { arena.dealloc(grown, layout(64, 8)) };
        assert_eq!(arena.used.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_block_that_is_not_the_last_moves_with_its_content() {
        let arena = Box::new(Arena::new());
        let first = arena.take(layout(4, 1)).unwrap();
        // SAFETY: the block has four bytes.
        unsafe { first.copy_from_nonoverlapping(b"abcd".as_ptr(), 4) };
        arena.take(layout(1, 1)).unwrap();
        // SAFETY: the block is from this arena and has this layout.
        let moved = unsafe { arena.realloc(first, layout(4, 1), 8) };
        assert_ne!(moved, first);
        // SAFETY: the first four bytes were copied.
        assert_eq!(unsafe { std::slice::from_raw_parts(moved, 4) }, b"abcd");
    }

    #[test]
    fn what_does_not_fit_comes_from_the_system() {
        let arena = Box::new(Arena::new());
        // SAFETY: the layout has a size.
        let large = unsafe { arena.alloc(layout(SIZE + 1, 1)) };
        assert_eq!(arena.offset(large), None);
        // SAFETY: the block is from this arena's `System` and has this layout.
        unsafe { arena.dealloc(large, layout(SIZE + 1, 1)) };
        assert_eq!(arena.used.load(Ordering::Relaxed), 0);
    }
}
