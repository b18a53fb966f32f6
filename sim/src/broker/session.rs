//! One connection, from accept to close.
//!
//! ```text
//!   accept ──► CONNECT within 10 s ──► join ──► (delay) ──► CONNACK ──► talk ──► end
//!                  │                    │                                 │
//!                  └─ anything else:    └─ refused: CONNACK with code,    ├─ DISCONNECT: no will
//!                     close                close                          └─ anything else: will
//! ```
//!
//! This file brings a client in; `talk` serves it from CONNACK on.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::{ConnAck, Connect, ConnectReturnCode, Packet, Protocol, mqttbytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::hub::{Faults, Hub, Joined};
use super::packets::{Violation, check_publish, next_packet, put};
use super::talk::Talk;

/// How long a client may take to send CONNECT, and to take a refusal.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// Why a session is over.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("client disconnected")]
    Disconnect,
    #[error("connection closed by the client")]
    Closed,
    #[error("connection lost: {0}")]
    Lost(#[from] io::Error),
    #[error("silent for 1.5 times its keep-alive")]
    KeepAlive,
    #[error("taken over, cut or too slow")]
    Stopped,
    #[error("no CONNECT within {CONNECT_DEADLINE:?}")]
    NoConnect,
    #[error("refused: {0:?}")]
    Refused(ConnectReturnCode),
    #[error("protocol violated: {0}")]
    Violation(#[from] Violation),
}

/// Serves one connection until it ends. While the broker is frozen, nothing in it moves.
pub(super) async fn serve(stream: TcpStream, hub: Arc<Hub>) {
    let mut faults = hub.faults();
    let mut session = pin!(converse(stream, &hub));
    loop {
        // A future that is not polled reads nothing, writes nothing and does not notice time.
        until(&mut faults, |faults| !faults.hold()).await;
        tokio::select! {
            biased;
            () = until(&mut faults, Faults::hold) => {}
            () = &mut session => return,
        }
    }
}

async fn until(faults: &mut watch::Receiver<Faults>, state: impl FnMut(&Faults) -> bool) {
    // An error would mean that the hub is gone, but the session holds it.
    let _ = faults.wait_for(state).await;
}

async fn converse(mut stream: TcpStream, hub: &Arc<Hub>) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "messages may be delayed");
    }
    let mut input = BytesMut::new();
    let end = match greet(&mut stream, &mut input, hub).await {
        Ok((joined, patience)) => Talk::new(joined, hub).run(stream, input, patience).await,
        Err(End::Refused(code)) => refuse(&mut stream, code).await,
        Err(end) => end,
    };
    match end {
        End::KeepAlive => hub.count(|stats| stats.keep_alive_expired += 1),
        End::Violation(violation) => {
            warn!(%violation, "connection closed by the broker");
            hub.count(|stats| stats.violations += 1);
        }
        End::Refused(code) => {
            debug!(?code, "client refused");
            hub.count(|stats| stats.refused += 1);
        }
        End::Disconnect | End::Closed | End::Lost(_) | End::Stopped | End::NoConnect => {}
    }
}

/// Waits for CONNECT and takes the client in. Also says how long it may be silent.
async fn greet(
    stream: &mut TcpStream,
    input: &mut BytesMut,
    hub: &Arc<Hub>,
) -> Result<(Joined, Option<Duration>), End> {
    let first = first_packet(stream, input, hub.limits().packet_bytes);
    let connect = match timeout(CONNECT_DEADLINE, first).await {
        Ok(Ok(Packet::Connect(connect))) => check_connect(connect)?,
        Ok(Ok(_)) => return Err(Violation::NotConnect.into()),
        Ok(Err(end)) => return Err(end),
        Err(_) => return Err(End::NoConnect),
    };
    let patience = patience(connect.keep_alive);
    let joined = hub.join(connect).map_err(End::Refused)?;
    let delay = hub.faults().borrow().connack_delay;
    tokio::select! {
        () = joined.stop.cancelled() => Err(End::Stopped),
        () = sleep(delay) => Ok((joined, patience)),
    }
}

async fn first_packet(stream: &mut TcpStream, input: &mut BytesMut, most: usize) -> Result<Packet, End> {
    loop {
        match next_packet(input, most) {
            Ok(Some(packet)) => return Ok(packet),
            Ok(None) => {}
            Err(Violation::Malformed(mqttbytes::Error::InvalidProtocolLevel(_))) => {
                return Err(End::Refused(ConnectReturnCode::RefusedProtocolVersion));
            }
            Err(violation) => return Err(violation.into()),
        }
        if stream.read_buf(input).await? == 0 {
            return Err(End::Closed);
        }
    }
}

fn check_connect(connect: Connect) -> Result<Connect, End> {
    if connect.protocol != Protocol::V4 {
        return Err(End::Refused(ConnectReturnCode::RefusedProtocolVersion));
    }
    if let Some(will) = &connect.last_will {
        check_publish(&will.topic, will.qos)?;
    }
    Ok(connect)
}

async fn refuse(stream: &mut TcpStream, code: ConnectReturnCode) -> End {
    let mut output = BytesMut::new();
    if let Err(violation) = put(&mut output, &Packet::ConnAck(ConnAck::new(code, false))) {
        return violation.into();
    }
    // Whether it hears it or not, the connection is closed next.
    let _ = timeout(CONNECT_DEADLINE, stream.write_all(&output)).await;
    End::Refused(code)
}

/// How long a client may be silent: 1.5 times its keep-alive (MQTT 3.1.1, 3.1.2.10), for ever if that is 0.
fn patience(keep_alive_seconds: u16) -> Option<Duration> {
    (keep_alive_seconds > 0).then(|| Duration::from_millis(u64::from(keep_alive_seconds) * 1500))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_half_as_long_again_as_the_keep_alive() {
        assert_eq!(patience(10), Some(Duration::from_secs(15)));
        assert_eq!(patience(0), None);
        assert_eq!(patience(u16::MAX), Some(Duration::from_millis(98_302_500)));
    }
}
