//! What an input may cost: memory in proportion to its size, and a second. The allocator counts
//! what the thread that reads the input holds.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// The allocator of the system, with a count for each thread.
#[derive(Debug)]
pub struct CountingAllocator;

fn count(bytes: usize, sign: isize) {
    // A thread that ends still frees memory, when its own counts are gone already.
    let _ = HELD.try_with(|held| {
        let now = held.get() + sign * isize::try_from(bytes).unwrap_or(isize::MAX);
        held.set(now);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(now)));
    });
}

// SAFETY: every call goes to the allocator of the system as it came.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, 1);
        count(layout.size(), -1);
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// What one input may cost.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    memory: usize,
    time: Duration,
}

impl Bounds {
    /// What every input may take, however short.
    const BASE: usize = 4 << 20;
    /// How many bytes may be held for each byte of the input. A list of samples has dozens for
    /// each.
    const FACTOR: usize = 256;

    /// For this input.
    pub fn new(data: &[u8]) -> Self {
        Bounds {
            memory: Self::BASE + Self::FACTOR * data.len(),
            time: Duration::from_secs(1),
        }
    }

    /// Reads an input with `read`.
    ///
    /// # Panics
    ///
    /// When it costs too much.
    pub fn check(self, read: impl Fn()) {
        let before = HELD.get();
        PEAK.set(before);
        let start = Instant::now();
        read();
        let peak = usize::try_from(PEAK.get() - before).unwrap_or_default();
        assert!(
            peak <= self.memory,
            "the input takes {peak} bytes of memory, more than {}",
            self.memory
        );
        if start.elapsed() > self.time {
            // Perhaps the machine was busy: the time of the processor counts.
            let before = processor_time();
            read();
            let took = processor_time().saturating_sub(before);
            assert!(took <= self.time, "the input takes {took:?}");
        }
    }
}

/// How long this thread has run; zero where the system does not say.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "bytes of memory")]
    fn memory_is_counted() {
        Bounds::new(b"x").check(|| drop(std::hint::black_box(vec![1u8; 5 << 20])));
    }

    #[test]
    fn what_is_freed_counts_once() {
        Bounds::new(b"x").check(|| {
            for _ in 0..10 {
                drop(std::hint::black_box(vec![1u8; 1 << 20]));
            }
        });
    }

    #[test]
    #[should_panic(expected = "the input takes")]
    fn time_is_counted() {
        Bounds::new(b"x").check(|| {
            let before = processor_time();
            while processor_time() - before < Duration::from_millis(1050) {}
        });
    }
}
