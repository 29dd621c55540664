//! Which threads there are: for requests one for each core but one, and one for pages of accounts, which take as long as dozens of
//! other requests. Hashes of passwords and pictures have their own. Were there as many threads for requests as cores, each would
//! wait for a hash now and then, and everybody behind it.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{io, thread};

use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};

/// The runtime that the stack is to be started in.
///
/// # Errors
/// When the system has no more threads.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(for_requests()).enable_all().build()
}

fn for_requests() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).saturating_sub(1).max(1)
}

/// The thread for pages of accounts. While it has as many as each thread for requests, these take the next: several clients that
/// list have all cores.
pub struct Lists {
    /// Always there until it is dropped.
    runtime: Option<Runtime>,
    there: AtomicUsize,
    here: AtomicUsize,
}

impl Lists {
    /// `None` in a runtime of one thread, as most tests have: everything is done there.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub fn start() -> io::Result<Option<Self>> {
        if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
            return Ok(None);
        }
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("lists").enable_all().build()?;
        Ok(Some(Self { runtime: Some(runtime), there: AtomicUsize::new(0), here: AtomicUsize::new(0) }))
    }

    /// Does the work there or here. `None` if it panicked there.
    pub async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (there, here) = (self.there.load(Ordering::Relaxed), self.here.load(Ordering::Relaxed));
        match &self.runtime {
            Some(runtime) if there * for_requests() <= here => {
                let _counted = Counted::new(&self.there);
                runtime.spawn(work).await.ok()
            }
            _ => {
                let _counted = Counted::new(&self.here);
                Some(work.await)
            }
        }
    }
}

impl Drop for Lists {
    /// In a runtime, where nothing may wait for another one to end.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// One more for as long as it lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn lists_take_turns_between_their_thread_and_those_of_requests() {
        let lists = Lists::start().unwrap().unwrap();
        let named = || thread::current().name().unwrap_or_default().to_owned();
        let (release, held) = oneshot::channel::<()>();
        let mut first = pin!(lists.run(async move { held.await.map(|()| named()) }));
        assert!(first.as_mut().now_or_never().is_none());
        let second = lists.run(async move { named() }).await.unwrap();
        assert_ne!(second, "lists", "the thread has one already");
        release.send(()).unwrap();
        assert_eq!(first.await.unwrap().unwrap(), "lists");
        assert_eq!(lists.run(async move { named() }).await.unwrap(), "lists");
    }
}
