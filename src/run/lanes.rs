//! Jobs side by side: one a core, as a cohort trains on the CPU, or one a device.
//!
//! Students are small and their kernels short; one student on two cores leaves much of both idle, two
//! students on one core each do not. Each lane is a thread with a rayon pool of its own, so that kernels
//! inside it use the lane's share of the cores and no more.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::{Observer, RunError, Stage};

/// A job until it is taken, and its result once it is there.
type Slot<T, R> = (Option<T>, Option<Result<R, RunError>>);

/// Runs every job, up to one a core at a time, and gives the results in the order of the jobs. With
/// fewer jobs than cores each has several.
///
/// # Errors
/// As [`side_by_side`].
pub fn run<T: Send, R: Send>(
    jobs: Vec<T>,
    observer: &dyn Observer,
    work: impl Fn(T, &dyn Observer) -> Result<R, RunError> + Sync,
) -> Result<Vec<R>, RunError> {
    let lanes = jobs.len().min(rayon::current_num_threads());
    side_by_side(lanes, jobs, observer, |_, job, observer| work(job, observer))
}

/// Runs every job, as many at a time as there are lanes, and gives the results in the order of the jobs. `work` is told the number
/// of its lane, from 0, and has an observer of its own: once a job has failed it asks the others to stop, as a user would.
///
/// # Errors
/// The error of the first job, in order, that failed by itself; others may then not have run. [`RunError::Stopped`] where all that
/// failed were asked to stop, and [`RunError::Threads`] where the system gives no threads.
pub fn side_by_side<T: Send, R: Send>(
    lanes: usize,
    jobs: Vec<T>,
    observer: &dyn Observer,
    work: impl Fn(usize, T, &dyn Observer) -> Result<R, RunError> + Sync,
) -> Result<Vec<R>, RunError> {
    let threads = rayon::current_num_threads();
    let lanes = lanes.max(1);
    let slots: Vec<Mutex<Slot<T, R>>> = jobs.into_iter().map(|job| Mutex::new((Some(job), None))).collect();
    let next = AtomicUsize::new(0);
    let joined = Joined { observer, failed: AtomicBool::new(false) };
    let lane = |lane: usize| -> Result<(), RunError> {
        let share = threads / lanes + usize::from(lane < threads % lanes);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(share.max(1))
            .build()
            .map_err(|why| RunError::Threads(why.to_string()))?;
        pool.install(|| {
            while !joined.failed.load(Ordering::SeqCst) {
                let Some(slot) = slots.get(next.fetch_add(1, Ordering::SeqCst)) else {
                    return;
                };
                let job = slot.lock().ok().and_then(|mut slot| slot.0.take());
                let result = job.map(|job| work(lane, job, &joined));
                if matches!(result, Some(Err(_))) {
                    joined.failed.store(true, Ordering::SeqCst);
                }
                if let Ok(mut slot) = slot.lock() {
                    slot.1 = result;
                }
            }
        });
        Ok(())
    };
    std::thread::scope(|scope| {
        let lane = &lane;
        let handles: Vec<_> = (0..lanes).map(|i| scope.spawn(move || lane(i))).collect();
        handles.into_iter().try_for_each(|handle| match handle.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    let (mut results, mut stopped) = (Vec::with_capacity(slots.len()), None);
    for slot in slots {
        match slot.into_inner().ok().and_then(|slot| slot.1) {
            Some(Ok(result)) => results.push(result),
            Some(Err(RunError::Stopped)) => stopped = Some(RunError::Stopped),
            Some(Err(error)) => return Err(error),
            None => {}
        }
    }
    stopped.map_or(Ok(results), Err)
}

/// The observer of jobs side by side, which stops all when one has failed.
struct Joined<'a> {
    observer: &'a dyn Observer,
    failed: AtomicBool,
}

impl Observer for Joined<'_> {
    fn say(&self, text: &str) {
        self.observer.say(text);
    }

    fn warn(&self, text: &str) {
        self.observer.warn(text);
    }

    fn stage(&self, name: &'static str, unit: &'static str, total: usize) -> Box<dyn Stage + '_> {
        self.observer.stage(name, unit, total)
    }

    fn wants_stop(&self) -> bool {
        self.failed.load(Ordering::SeqCst) || self.observer.wants_stop()
    }

    fn seconds(&self) -> f64 {
        self.observer.seconds()
    }

    fn clock(&self) -> fn() -> f64 {
        self.observer.clock()
    }

    fn began(&self) {
        self.observer.began();
    }

    fn free_memory(&self) -> Option<u64> {
        self.observer.free_memory()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Silent;

    #[test]
    fn results_keep_the_order_of_the_jobs() {
        let jobs: Vec<u64> = (0..17).collect();
        let results = run(jobs.clone(), &Silent, |job, _| {
            std::thread::sleep(std::time::Duration::from_millis(17 - job));
            Ok(job * job)
        });
        let squares: Vec<u64> = jobs.iter().map(|job| job * job).collect();
        assert_eq!(results.expect("no job fails"), squares);
    }

    #[test]
    fn a_failing_job_stops_the_ones_that_have_not_begun() {
        let begun = AtomicUsize::new(0);
        let result = run((0..1000).collect(), &Silent, |job: usize, _| {
            begun.fetch_add(1, Ordering::SeqCst);
            if job == 3 {
                return Err(RunError::Threads("job 3".to_owned()));
            }
            // On a busy machine the lane of job 3 may wait a while before it tells the others.
            std::thread::sleep(std::time::Duration::from_millis(2));
            Ok(())
        });
        assert_eq!(result.expect_err("job 3 fails").to_string(), "threads cannot be started: job 3");
        assert!(begun.load(Ordering::SeqCst) < 1000);
    }

    #[test]
    fn a_failing_job_asks_those_in_progress_to_stop_and_its_error_is_the_one_told() {
        let result = side_by_side(2, vec![0, 1], &Silent, |_, job, observer| {
            if job == 1 {
                return Err(RunError::Threads("job 1".to_owned()));
            }
            // Without being asked it would go on for ever.
            while !observer.wants_stop() {
                std::thread::yield_now();
            }
            observer.go_on()
        });
        assert_eq!(result.expect_err("job 1 fails").to_string(), "threads cannot be started: job 1");
    }

    #[test]
    fn a_lane_has_its_share_of_the_threads() {
        let share = |jobs| run(vec![(); jobs], &Silent, |(), _| Ok(rayon::current_num_threads()));
        let threads = rayon::current_num_threads();
        assert_eq!(share(1).expect("no job fails"), [threads]);
        assert!(share(threads).expect("no job fails").iter().all(|&share| share == 1));
    }

    #[test]
    fn more_lanes_than_threads_have_a_thread_each_and_know_their_number() {
        let lanes = rayon::current_num_threads() + 3;
        let waiting = std::sync::Barrier::new(lanes);
        let mut seen = side_by_side(lanes, vec![(); lanes], &Silent, |lane, (), _| {
            // All of them are at work at once.
            waiting.wait();
            Ok(lane)
        })
        .expect("no job fails");
        seen.sort_unstable();
        assert_eq!(seen, (0..lanes).collect::<Vec<_>>());
    }
}
