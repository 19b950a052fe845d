//! One job a core: how a cohort trains on the CPU.
//!
//! Students are small and their kernels short; one student on two cores leaves much of both idle, two
//! students on one core each do not. Each lane is a thread with a rayon pool of its own, so that kernels
//! inside it use the lane's share of the cores and no more.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::RunError;

/// A job until it is taken, and its result once it is there.
type Slot<T, R, E> = (Option<T>, Option<Result<R, E>>);

/// Runs every job, up to one a core at a time, and gives the results in the order of the jobs. With
/// fewer jobs than cores each has several.
///
/// # Errors
/// The error of the first job, in order, that failed; others may then not have run. [`RunError::Threads`] where the system
/// gives no threads.
pub fn run<T, R, E>(jobs: Vec<T>, work: impl Fn(T) -> Result<R, E> + Sync) -> Result<Vec<R>, E>
where
    T: Send,
    R: Send,
    E: From<RunError> + Send,
{
    let threads = rayon::current_num_threads();
    let lanes = jobs.len().clamp(1, threads);
    let slots: Vec<Mutex<Slot<T, R, E>>> =
        jobs.into_iter().map(|job| Mutex::new((Some(job), None))).collect();
    let next = AtomicUsize::new(0);
    let lane = |lane: usize| -> Result<(), E> {
        let share = threads / lanes + usize::from(lane < threads % lanes);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(share)
            .build()
            .map_err(|why| RunError::Threads(why.to_string()))?;
        pool.install(|| {
            loop {
                let Some(slot) = slots.get(next.fetch_add(1, Ordering::SeqCst)) else {
                    return;
                };
                let job = slot.lock().ok().and_then(|mut slot| slot.0.take());
                let result = job.map(&work);
                let failed = matches!(result, Some(Err(_)));
                if let Ok(mut slot) = slot.lock() {
                    slot.1 = result;
                }
                if failed {
                    // No further job begins.
                    next.store(slots.len(), Ordering::SeqCst);
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
    let results: Vec<_> =
        slots.into_iter().filter_map(|slot| slot.into_inner().ok().and_then(|slot| slot.1)).collect();
    results.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_the_jobs() {
        let jobs: Vec<u64> = (0..17).collect();
        let results = run(jobs.clone(), |job| {
            std::thread::sleep(std::time::Duration::from_millis(17 - job));
            Ok::<_, RunError>(job * job)
        });
        let squares: Vec<u64> = jobs.iter().map(|job| job * job).collect();
        assert_eq!(results.expect("no job fails"), squares);
    }

    #[test]
    fn a_failing_job_stops_the_ones_that_have_not_begun() {
        let begun = AtomicUsize::new(0);
        let result = run((0..1000).collect(), |job: usize| {
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
    fn a_lane_has_its_share_of_the_threads() {
        let threads = rayon::current_num_threads();
        let seen = run(vec![()], |()| Ok::<_, RunError>(rayon::current_num_threads())).expect("no job fails");
        assert_eq!(seen, [threads]);
        let seen = run(vec![(); threads], |()| Ok::<_, RunError>(rayon::current_num_threads()))
            .expect("no job fails");
        assert!(seen.iter().all(|&share| share == 1));
    }
}
