//! Memory for two kinds of work. An event runs for hours and must stay small: it takes the allocator of
//! the C library, which GStreamer uses anyway, told to give back what is free. A recording is over in a
//! second and makes and drops small values by the million: it takes mimalloc, told to give nothing back.
//!
//! What both are worth stands in `docs/performance.md`: with mimalloc an event needs twice the memory,
//! and with the C library a recording twice the time.

// The two allocators are foreign functions, and so is what they are told.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, Ordering};

use libmimalloc_sys::{mi_is_in_heap_region, mi_option_set};
use mimalloc::MiMalloc;

/// Where values are allocated from now on.
static QUICK: AtomicBool = AtomicBool::new(false);

/// The allocator of the process.
pub struct Allocator;

fn is_quick() -> bool {
    QUICK.load(Ordering::Relaxed)
}

/// Whether a value is mimalloc's; none is before [`be_quick`].
fn is_quick_at(pointer: *mut u8) -> bool {
    // SAFETY: the function looks the address up in a map and does not follow it.
    is_quick() && unsafe { mi_is_in_heap_region(pointer.cast()) }
}

// SAFETY: every value goes back to the allocator that it came from; both keep the contract.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is that of the allocator.
        unsafe {
            match is_quick() {
                true => MiMalloc.alloc(layout),
                false => System.alloc(layout),
            }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe {
            match is_quick() {
                true => MiMalloc.alloc_zeroed(layout),
                false => System.alloc_zeroed(layout),
            }
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above, and it was allocated there.
        unsafe {
            match is_quick_at(pointer) {
                true => MiMalloc.dealloc(pointer, layout),
                false => System.dealloc(pointer, layout),
            }
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above, and it was allocated there.
        unsafe {
            match is_quick_at(pointer) {
                true => MiMalloc.realloc(pointer, layout, size),
                false => System.realloc(pointer, layout, size),
            }
        }
    }
}

/// For work that is over soon: memory is taken and not given back.
pub fn be_quick() {
    /// The number of `mi_option_purge_delay`, which the binding does not name.
    const PURGE_DELAY: i32 = 15;
    const NEVER: std::ffi::c_long = -1;
    // SAFETY: sets an option of a number type.
    unsafe { mi_option_set(PURGE_DELAY, NEVER) };
    QUICK.store(true, Ordering::Relaxed);
}

/// For work that goes on for hours: what is free does not stay with the process.
pub fn be_small() {
    #[cfg(target_env = "gnu")]
    // SAFETY: sets options of the C library.
    unsafe {
        // Blocks that many threads share are fuller than blocks of each.
        libc::mallopt(libc::M_ARENA_MAX, 2);
        // Values of a chunk's size come and go as a whole.
        libc::mallopt(libc::M_MMAP_THRESHOLD, 64 << 10);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 128 << 10);
    }
}

/// Gives back what is free between values that stay. Takes about a millisecond.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: has no arguments that could be wrong.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_allocated_before_goes_back_to_where_it_came_from() {
        let mut before: Vec<u64> = (0..1000).collect();
        let kept = Box::new(7);
        assert!(!is_quick_at(before.as_mut_ptr().cast()));
        be_quick();
        let mut after: Vec<u64> = (0..1000).collect();
        assert!(is_quick_at(after.as_mut_ptr().cast()));
        assert!(!is_quick_at(before.as_mut_ptr().cast()));
        // Grows where it is.
        before.extend(0..100_000);
        assert!(!is_quick_at(before.as_mut_ptr().cast()));
        assert_eq!(before[1000..2000], after[..]);
        drop((before, kept, after));
    }
}
