//! A control socket: a Unix socket that answers a line with a line.
//!
//! ```text
//!   client ──► "pump-trip\n" ──► Answer::answer ──► "ok\n"
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Connections at the same time.
const MOST_CLIENTS: usize = 16;
/// Longest line that is read, bytes.
const LONGEST_LINE: u64 = 1024;

/// The socket cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {}: {source}; the path may be too long for a socket, try a shorter folder", path.display())]
pub struct ControlError {
    /// The socket.
    path: PathBuf,
    /// What the system says.
    source: io::Error,
}

/// Who knows the answers.
pub(crate) trait Answer: Send + Sync + 'static {
    /// The answer to one line, without its end.
    fn answer(&self, line: &str) -> impl Future<Output = String> + Send;
}

/// Open the socket at `path`.
///
/// # Errors
/// If the system refuses.
pub(crate) fn listen(path: &Path) -> Result<UnixListener, ControlError> {
    let failed = |source| ControlError { path: path.to_owned(), source };
    // A socket that an earlier run left behind would refuse everybody for ever.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    UnixListener::bind(path).map_err(failed)
}

/// Answers on `listener` until `token` is cancelled.
pub(crate) async fn serve(listener: UnixListener, answers: impl Answer, token: CancellationToken) {
    let answers = Arc::new(answers);
    let mut clients = JoinSet::new();
    loop {
        let room = clients.len() < MOST_CLIENTS;
        tokio::select! {
            () = token.cancelled() => break,
            Some(_ended) = clients.join_next() => {}
            accepted = listener.accept(), if room => match accepted {
                Ok((stream, _)) => drop(clients.spawn(talk(stream, Arc::clone(&answers)))),
                Err(error) => warn!(%error, "the control socket cannot accept"),
            }
        }
    }
    clients.shutdown().await;
}

async fn talk(stream: UnixStream, answers: Arc<impl Answer>) {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut line = String::new();
    loop {
        line.clear();
        match (&mut read).take(LONGEST_LINE).read_line(&mut line).await {
            Ok(1..) if line.ends_with('\n') => {}
            // The end, half a line at the end, a line that is too long, or not UTF-8.
            Ok(_) | Err(_) => return,
        }
        let answer = answers.answer(line.trim()).await + "\n";
        if write.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
