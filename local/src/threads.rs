//! The worker threads of the local stack. Requests have one for each core but one, because hashes of passwords run on threads of
//! their own: with as many workers as cores, every worker waits for a hash now and then, and so do all requests in its queue. A
//! page of accounts takes as long as dozens of other requests, so `GET /users` has a dedicated runtime with one more worker.

use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError};
use std::{io, thread};

use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};
use tokio::task::JoinSet;

/// The runtime to start the stack in.
///
/// # Errors
/// When the system refuses what a runtime polls with, for example because too many files are open.
///
/// # Panics
/// When the system has no more threads.
pub fn runtime() -> io::Result<Runtime> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    Builder::new_multi_thread().worker_threads(cores.saturating_sub(1).max(1)).enable_all().build()
}

/// The dedicated runtime for pages of accounts. Under several concurrent ones the workers for requests take their share, so that
/// clients that list can use all cores.
pub struct Lists {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    /// How many workers there are for requests.
    workers: usize,
    in_flight: Arc<Mutex<InFlight>>,
}

/// Pages that are being read.
#[derive(Debug, Default, Clone, Copy)]
struct InFlight {
    dedicated: usize,
    shared: usize,
}

impl InFlight {
    /// Whether the dedicated worker has at most as many as each of the others.
    const fn goes_to_dedicated(self, workers: usize) -> bool {
        self.dedicated * workers <= self.shared
    }

    const fn of(&mut self, dedicated: bool) -> &mut usize {
        if dedicated { &mut self.dedicated } else { &mut self.shared }
    }
}

impl Lists {
    /// `None` in a current-thread runtime, as most tests have.
    ///
    /// # Errors
    /// As [`runtime`].
    pub fn start() -> io::Result<Option<Self>> {
        let requests = Handle::current();
        if requests.runtime_flavor() == RuntimeFlavor::CurrentThread {
            return Ok(None);
        }
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("lists").enable_all().build()?;
        let workers = requests.metrics().num_workers();
        Ok(Some(Self { runtime: Some(runtime), workers, in_flight: Arc::default() }))
    }

    /// Runs the work on one of the two runtimes, and cancels it if the caller goes away. `None` if it panicked on the dedicated
    /// one.
    pub async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let slot = Slot::take(&self.in_flight, self.workers);
        let dedicated = slot.dedicated;
        let counted = async move {
            let _slot = slot;
            work.await
        };
        match &self.runtime {
            Some(runtime) if dedicated => {
                // A set aborts its tasks when it is dropped.
                let mut task = JoinSet::new();
                task.spawn_on(counted, runtime.handle());
                task.join_next().await?.ok()
            }
            _ => Some(counted.await),
        }
    }
}

impl Drop for Lists {
    /// A runtime must not wait for another one to end.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// One page in flight.
struct Slot {
    dedicated: bool,
    in_flight: Arc<Mutex<InFlight>>,
}

impl Slot {
    fn take(in_flight: &Arc<Mutex<InFlight>>, workers: usize) -> Self {
        let mut counts = in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        let dedicated = counts.goes_to_dedicated(workers);
        *counts.of(dedicated) += 1;
        Self { dedicated, in_flight: Arc::clone(in_flight) }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).of(self.dedicated) -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::pin::pin;

    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn the_dedicated_worker_has_no_more_pages_than_each_other_one() {
        for (dedicated, shared, workers, expected) in
            [(0, 0, 1, true), (1, 0, 1, false), (1, 1, 1, true), (1, 2, 3, false), (1, 3, 3, true), (2, 5, 3, false)]
        {
            let counts = InFlight { dedicated, shared };
            assert_eq!(counts.goes_to_dedicated(workers), expected, "{counts:?}, {workers}");
        }
    }

    fn thread_name() -> String {
        thread::current().name().unwrap_or_default().to_owned()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn concurrent_pages_share_the_workers() {
        let lists = Lists::start().unwrap().unwrap();
        let (release, held) = oneshot::channel::<()>();
        let mut first = pin!(lists.run(async move { held.await.map(|()| thread_name()) }));
        assert!(first.as_mut().now_or_never().is_none());
        assert_ne!(lists.run(async { thread_name() }).await.unwrap(), "lists", "its worker has one");
        release.send(()).unwrap();
        assert_eq!(first.await.unwrap().unwrap(), "lists");
        assert_eq!(lists.run(async { thread_name() }).await.unwrap(), "lists");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn work_of_a_caller_who_left_is_cancelled_and_counted_until_then() {
        let lists = Lists::start().unwrap().unwrap();
        let (alive, mut cancelled) = oneshot::channel::<()>();
        let mut abandoned = Box::pin(lists.run(async move {
            let _alive = alive;
            pending::<()>().await;
        }));
        assert!(abandoned.as_mut().now_or_never().is_none());
        assert!(cancelled.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Empty));
        drop(abandoned);
        assert!(cancelled.await.is_err(), "it was dropped");
        // The work is dropped before its slot.
        while lists.in_flight.lock().unwrap().dedicated > 0 {
            tokio::task::yield_now().await;
        }
    }
}
