//! Answers on the control socket, one client at a time.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use eisbach_protocol::gpu_link::Detach;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::words::{Answer, Verb};
use crate::gpu::client::{GpuLink, HandOverWish};

/// Owner and group may ask.
const MODE: u32 = 0o660;
/// Longest time for a client to say what it wants, and to take its answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest time for the GPU process to do it. Letting go of a sick driver can take for ever.
const HAND_OVER: Duration = Duration::from_secs(15);
/// Longest line that is read.
const LONGEST: u64 = 4096;

/// Answers on `socket` until `token` is cancelled. Without a socket the agent goes on without verbs.
pub async fn serve(socket: PathBuf, gpu: GpuLink, token: CancellationToken) {
    let listener = match listen(&socket) {
        Ok(listener) => listener,
        Err(error) => {
            warn!(socket = %socket.display(), %error, "no control socket; `eisbach-agent detach` will not work");
            return;
        }
    };
    loop {
        let accepted = tokio::select! {
            () = token.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        if let Ok((stream, _)) = accepted {
            tokio::select! {
                () = token.cancelled() => break,
                () = answer(stream, &gpu) => {}
            }
        }
    }
    let _already_gone = std::fs::remove_file(&socket);
}

fn listen(socket: &std::path::Path) -> io::Result<UnixListener> {
    // A socket file of an agent that is gone would refuse everybody for ever.
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(socket)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(MODE))?;
    Ok(listener)
}

async fn answer(stream: UnixStream, gpu: &GpuLink) {
    let asker = stream.peer_cred().map_or(u32::MAX, |cred| cred.uid());
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    let mut reader = BufReader::new(reader.take(LONGEST));
    let Ok(Ok(_)) = timeout(PATIENCE, reader.read_line(&mut line)).await else { return };
    let answer = match serde_json::from_str(&line) {
        Ok(verb) => carry_out(verb, gpu).await,
        Err(error) => Answer::refused("malformed", format!("not understood: {error}")),
    };
    info!(
        uid = asker,
        asked = line.trim(),
        result = answer.result,
        took_ms = answer.took_ms,
        "asked at the control socket"
    );
    let mut text = serde_json::to_vec(&answer).unwrap_or_default();
    text.push(b'\n');
    // Whoever asked may have gone.
    let _gone_or_slow = timeout(PATIENCE, writer.write_all(&text)).await;
}

async fn carry_out(verb: Verb, gpu: &GpuLink) -> Answer {
    let wish = match verb {
        Verb::Detach { for_s } => HandOverWish::Detach(Detach { for_ms: for_s.saturating_mul(1000) }),
        Verb::Attach => HandOverWish::Attach,
    };
    match timeout(HAND_OVER, gpu.hand_over(wish)).await {
        Ok(Ok(handed_over)) => Answer::told(handed_over),
        Ok(Err(error)) => Answer::refused("not_heard", format!("not done: {error}")),
        Err(_elapsed) => Answer::refused(
            "no_answer",
            "the driver does not come back from being let go; see the log of eisbach-gpu.service",
        ),
    }
}
