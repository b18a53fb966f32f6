//! What may block the thread, done aside: opening a port, reading certificates.
//!
//! One job at a time and under a deadline. A job that hangs in a driver cannot be ended, so the next is refused
//! until it does: attempts do not pile up behind it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Opening a port and reading three small files take milliseconds.
const DEADLINE: Duration = Duration::from_millis(800);

/// The place for one blocking job.
#[derive(Debug)]
pub(crate) struct Aside(Arc<Semaphore>);

impl Aside {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }

    /// The outcome of `job`, which is called `what` in messages.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        what: &str,
        job: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let Ok(permit) = Arc::clone(&self.0).try_acquire_owned() else {
            return Err(hung(what));
        };
        let job = spawn_blocking(move || {
            let _until_done = permit;
            job()
        });
        match timeout(DEADLINE, job).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(fallen)) => Err(io::Error::other(fallen)),
            Err(_elapsed) => Err(hung(what)),
        }
    }
}

fn hung(what: &str) -> io::Error {
    let message = format!("{what} hangs in the system; look at the kernel's log and at the hardware");
    io::Error::new(io::ErrorKind::TimedOut, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[tokio::test]
    async fn a_job_that_hangs_is_told_and_no_second_piles_up_behind_it() {
        let aside = Aside::new();
        let (release, hang) = channel::<()>();
        let first = aside.run("the port", move || hang.recv().map_err(io::Error::other)).await;
        let told = "the port hangs in the system; look at the kernel's log and at the hardware";
        assert_eq!(first.unwrap_err().to_string(), told);
        assert_eq!(aside.run("the port", || Ok(())).await.unwrap_err().to_string(), told);

        drop(release);
        let done = Arc::clone(&aside.0).acquire_owned().await.unwrap();
        drop(done);
        assert_eq!(aside.run("the port", || Ok(7)).await.unwrap(), 7);
    }
}
