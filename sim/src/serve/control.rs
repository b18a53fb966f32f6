//! The control socket: events in, truth out, a line each.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::broker::BrokerControl;
use crate::world::{Event, Outside, WorldThread};

/// Connections at the same time.
const MOST_CLIENTS: usize = 16;
/// Longest line that is read, bytes.
const LONGEST_LINE: u64 = 1024;

/// Answers on `listener` until `token` is cancelled.
pub(super) async fn serve(
    listener: UnixListener,
    world: Arc<WorldThread>,
    broker: Option<BrokerControl>,
    token: CancellationToken,
) {
    let mut clients = JoinSet::new();
    loop {
        let room = clients.len() < MOST_CLIENTS;
        tokio::select! {
            () = token.cancelled() => break,
            Some(_ended) = clients.join_next() => {}
            accepted = listener.accept(), if room => match accepted {
                Ok((stream, _)) => drop(clients.spawn(talk(stream, Arc::clone(&world), broker.clone()))),
                Err(error) => warn!(%error, "the control socket cannot accept"),
            }
        }
    }
    clients.shutdown().await;
}

async fn talk(stream: UnixStream, world: Arc<WorldThread>, broker: Option<BrokerControl>) {
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
        let answer = answer(line.trim(), &world, broker.as_ref()).await + "\n";
        if write.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn answer(line: &str, world: &WorldThread, broker: Option<&BrokerControl>) -> String {
    if line == "truth" {
        let truth = world.truth();
        return serde_json::to_string(&*truth).unwrap_or_else(|error| format!("error: {error}"));
    }
    let event = match line.parse() {
        Ok(event) => event,
        Err(unknown) => return format!("error: {unknown}"),
    };
    if let Event::Outside(outside) = event {
        match outside {
            Outside::BrokerCut | Outside::BrokerOk if broker.is_some() => {}
            Outside::BrokerCut | Outside::BrokerOk => {
                return "error: there is no broker here; start with --with-broker".to_owned();
            }
            Outside::KillAgent | Outside::KillGpu => return "error: no agent is run here".to_owned(),
        }
    }
    match world.order(event).await {
        Ok(_at_ms) => "ok".to_owned(),
        Err(error) => format!("error: {error}"),
    }
}
