//! One document a connection. A client that does not read is left alone.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::driver::Driver;
use super::json;
use crate::gpu::client::GpuLink;
use crate::report::Report;
use crate::unix_socket;

/// Longest time for one client.
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers on `socket` until `token` is cancelled. Without a socket the agent goes on without status.
pub async fn serve(
    socket: PathBuf,
    latest: watch::Receiver<Arc<Report>>,
    gpu: GpuLink,
    token: CancellationToken,
) {
    let listener = match unix_socket::listen(&socket, None) {
        Ok(listener) => listener,
        Err(error) => {
            warn!(socket = %socket.display(), %error, "no status socket; `eisbach-agent status` will not work");
            return;
        }
    };
    info!(socket = %socket.display(), "status is served");
    loop {
        let accepted = tokio::select! {
            () = token.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        // One client at a time: each takes a moment, and nobody can pile them up.
        if let Ok((stream, _)) = accepted {
            let report = Arc::clone(&latest.borrow());
            let document = json::document(&report, &Driver::of(&gpu)).to_string();
            let _gone_or_slow = tokio::time::timeout(PATIENCE, answer(stream, document)).await;
        }
    }
    let _already_gone = std::fs::remove_file(&socket);
}

async fn answer(mut stream: UnixStream, document: String) -> std::io::Result<()> {
    stream.write_all(document.as_bytes()).await?;
    stream.write_all(b"\n").await?;
    stream.shutdown().await
}
