//! The control sockets of the simulator's programs: a line there, a line back.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Says `line` and returns the answer.
///
/// # Panics
/// If nobody answers.
pub(crate) fn ask(socket: impl AsRef<Path>, line: &str) -> String {
    let mut stream = UnixStream::connect(socket).expect("the control socket answers");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout can be set");
    writeln!(stream, "{line}").expect("a line can be written");
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).expect("an answer comes");
    answer.trim_end().to_owned()
}
