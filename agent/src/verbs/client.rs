//! Asks a running agent.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::words::{Answer, Verb};

/// Longest time for the agent to answer: longer than it waits for the GPU process.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest answer that is read.
const LONGEST: u64 = 64 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum VerbError {
    /// Nobody answers.
    #[error(
        "{}: no agent answers ({source}); is eisbach-agent.service running, and may you use its control socket? \
         Without it, `systemctl stop eisbach-gpu` frees the driver",
        socket.display()
    )]
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The answer makes no sense.
    #[error("{}: the answer is not understood ({source}); is the agent of another version?", socket.display())]
    Unreadable {
        /// The socket.
        socket: PathBuf,
        /// What does not parse.
        source: serde_json::Error,
    },
}

/// Asks the agent behind `socket`, and waits for its answer.
///
/// # Errors
/// If nobody answers in time, or not with an answer.
pub fn ask(socket: &Path, verb: &Verb) -> Result<Answer, VerbError> {
    let unreadable = |source| VerbError::Unreadable { socket: socket.to_owned(), source };
    let question = serde_json::to_string(verb).map_err(unreadable)?;
    let line = exchange(socket, &question)
        .map_err(|source| VerbError::Unreachable { socket: socket.to_owned(), source })?;
    serde_json::from_str(&line).map_err(unreadable)
}

fn exchange(socket: &Path, question: &str) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{question}\n").as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream.take(LONGEST)).read_line(&mut line)?;
    Ok(line)
}
