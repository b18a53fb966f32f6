//! Connections of one listener, as many at a time as there is room for.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Pause after an accept that failed: the peer has gone, or this process has no descriptors left.
const PAUSE: Duration = Duration::from_millis(10);

/// Listen on `address`, and where that is. Has to be called within a tokio runtime that has I/O.
pub(crate) fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    Ok((TcpListener::from_std(listener)?, bound))
}

/// What becomes of a new connection, given how many are open: a conversation, or nothing, which closes it.
pub(crate) trait Host {
    /// Hold the conversation until it ends. `None` turns the peer away.
    fn receive(&self, stream: TcpStream, open: usize) -> Option<impl Future<Output = ()> + Send + 'static>;
}

/// Serve `listener` until `token` is cancelled. At the end no connection is left open.
pub(crate) async fn accept(listener: TcpListener, host: impl Host, token: CancellationToken) {
    let mut conversations = JoinSet::new();
    loop {
        tokio::select! {
            () = token.cancelled() => break,
            Some(_ended) = conversations.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    while conversations.try_join_next().is_some() {}
                    let _ = stream.set_nodelay(true); // without it answers are only slower
                    if let Some(conversation) = host.receive(stream, conversations.len()) {
                        conversations.spawn(conversation);
                    }
                }
                Err(_) => sleep(PAUSE).await,
            },
        }
    }
    conversations.shutdown().await;
}
