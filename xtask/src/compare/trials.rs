//! Trials: run several at a time, and what their times come to.
//!
//! Separate, because every part consists of them. Most of a trial is waiting, so that a few at once do not
//! disturb each other; more would measure the machine.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Runs `count` trials, numbered from 0, on so many threads; the first that cannot be run ends them.
pub(super) fn run<T: Send>(
    count: usize,
    threads: usize,
    trial: impl Fn(usize) -> Result<T, String> + Sync,
) -> Result<Vec<T>, String> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if count <= number {
                return Ok(done);
            }
            // After a failure the others have nothing to add.
            done.push(trial(number).inspect_err(|_| next.store(count, Ordering::Relaxed))?);
        }
    };
    let results: Result<Vec<Vec<T>>, String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.min(count)).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err("a trial panicked".to_owned())))
            .collect()
    });
    Ok(results?.into_iter().flatten().collect())
}

/// The median and the longest of some times, in words; a dash where there are none.
pub(super) fn median_and_worst(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    match (times.get(times.len() / 2), times.last()) {
        (Some(median), Some(worst)) => format!("{} / {}", seconds(*median), seconds(*worst)),
        _ => "–".to_owned(),
    }
}

fn seconds(time: Duration) -> String {
    if time < Duration::from_millis(100) {
        format!("{:.3} s", time.as_secs_f64())
    } else {
        format!("{:.2} s", time.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trial_is_run_once() {
        let mut numbers = run(10, 3, Ok).unwrap();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn a_trial_that_cannot_be_run_is_told() {
        let trial = |number| if number == 2 { Err("no network".to_owned()) } else { Ok(number) };
        assert_eq!(run(5, 2, trial), Err("no network".to_owned()));
    }

    #[test]
    fn times_are_told_by_their_middle_and_their_worst() {
        let times = [3000, 16_020, 42].map(Duration::from_millis).to_vec();
        assert_eq!(median_and_worst(times), "3.00 s / 16.02 s");
        assert_eq!(median_and_worst(vec![Duration::from_millis(37)]), "0.037 s / 0.037 s");
        assert_eq!(median_and_worst(Vec::new()), "–");
    }
}
