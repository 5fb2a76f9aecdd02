//! Parallel loops whose results do not depend on the number of threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Returns `work(0), work(1), ...` in order. Each thread takes the next free index. If the system refuses a thread, the
/// others do its work.
pub fn map<R: Send>(threads: usize, count: usize, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
    if threads <= 1 || count <= 1 {
        return (0..count).map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let run = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return done;
            }
            done.push((index, work(index)));
        }
    };
    let mut all: Vec<(usize, R)> = std::thread::scope(|scope| {
        let spawn = |_| std::thread::Builder::new().spawn_scoped(scope, run).ok();
        let helpers: Vec<_> = (1..threads.min(count)).map_while(spawn).collect();
        let mut all = run();
        for helper in helpers {
            match helper.join() {
                Ok(done) => all.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    all.sort_unstable_by_key(|&(index, _)| index);
    all.into_iter().map(|(_, result)| result).collect()
}

/// Calls `work(i, chunk)` for every chunk of `size` elements.
pub fn for_chunks<T: Send>(threads: usize, data: &mut [T], size: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    for_chunks_beside(threads, data, size, work, || ());
}

/// As `for_chunks`, but this thread runs `own` first, while the others begin.
pub fn for_chunks_beside<T: Send, R>(
    threads: usize,
    data: &mut [T],
    size: usize,
    work: impl Fn(usize, &mut [T]) + Sync,
    own: impl FnOnce() -> R,
) -> R {
    let chunks = Mutex::new(data.chunks_mut(size).enumerate());
    let run = || {
        loop {
            let next = match chunks.lock() {
                Ok(mut chunks) => chunks.next(),
                Err(_) => None, // another thread panicked; its panic is on its way
            };
            match next {
                Some((index, chunk)) => work(index, chunk),
                None => return,
            }
        }
    };
    std::thread::scope(|scope| {
        let spawn = |_| std::thread::Builder::new().spawn_scoped(scope, run).ok();
        let helpers: Vec<_> = (1..threads).map_while(spawn).collect();
        let result = own();
        run();
        for helper in helpers {
            if let Err(panic) = helper.join() {
                std::panic::resume_unwind(panic);
            }
        }
        result
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        for threads in [1, 2, 5] {
            assert_eq!(map(threads, 100, |i| i * i), (0..100).map(|i| i * i).collect::<Vec<_>>());
            let mut data = vec![0; 103];
            for_chunks(threads, &mut data, 10, |chunk, part| part.fill(chunk));
            assert_eq!(data, (0..103).map(|i| i / 10).collect::<Vec<_>>());
            let own = for_chunks_beside(threads, &mut data, 10, |_, part| part.fill(1), std::thread::current);
            assert_eq!((own.id(), data), (std::thread::current().id(), vec![1; 103]));
        }
    }
}
