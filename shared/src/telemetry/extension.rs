//! An internal Lambda extension that ships the logs after each answer: Lambda freezes a function when its handler has
//! answered and all its extensions have asked for the next event, so an extension can work without anybody waiting
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>).

use std::sync::Arc;

use lambda_extension::{Error, Extension, LambdaEvent, NextEvent, service_fn};
use tokio::sync::Semaphore;

use super::Shipper;

/// Dropped when an invocation is over, however it ends: the extension waits for it. Were it not signalled on some
/// path, the function would hang until its timeout.
pub struct Finished(Arc<Semaphore>);

impl Drop for Finished {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

/// Registers the extension and runs it in the background. The function returned makes the guard of one invocation.
///
/// # Errors
/// When Lambda does not take the registration.
pub async fn ship_after_each_answer(shipper: Shipper) -> Result<impl Fn() -> Finished + Clone + Send + 'static, Error> {
    let answered = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&answered);
    let on_invoke = service_fn(move |event: LambdaEvent| {
        let (shipper, waiting) = (shipper.clone(), Arc::clone(&waiting));
        async move {
            if let NextEvent::Invoke(invocation) = event.next {
                let left = shipper.until(invocation.deadline_ms);
                // An invocation that never reached the handler signals nothing; it must not cost the whole timeout.
                if let Ok(answered) = tokio::time::timeout(left, waiting.acquire()).await {
                    answered?.forget();
                }
                shipper.ship().await;
            }
            Ok::<_, Error>(())
        }
    });
    let extension =
        Extension::new().with_extension_name("logs").with_events(&["INVOKE"]).with_events_processor(on_invoke);
    let registered = extension.register().await?;
    tokio::spawn(registered.run());
    Ok(move || Finished(Arc::clone(&answered)))
}
