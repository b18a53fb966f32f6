//! Faults that come from the device's side: a foreign writer, a unit that restarts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::fault::WireFault;
use super::framing::Framing;
use super::state::State;
use crate::devices::mbap::Frame;
use crate::devices::rtu::Speaker;

/// One write, from connecting to its echo, takes no longer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two attempts to bring a restarted unit to its default.
const AGAIN: Duration = Duration::from_millis(100);
/// Write single register.
const WRITE: u8 = 6;

/// Do what the set fault asks for, until `token` is cancelled.
pub(super) async fn intrude(state: Arc<State>, upstream: SocketAddr, token: CancellationToken) {
    tokio::select! {
        () = token.cancelled() => {}
        () = work(&state, upstream) => {}
    }
}

async fn work(state: &State, upstream: SocketAddr) {
    let mut setting = state.watch();
    loop {
        let fault = setting.borrow_and_update().injection.map(|injection| injection.fault);
        let pause = match fault {
            Some(fault @ WireFault::ForeignWriter { unit, address, value, every_ms }) => {
                if write(state.framing(), upstream, unit, (address, value)).await {
                    state.changed(fault);
                }
                Some(Duration::from_millis(every_ms))
            }
            Some(fault @ WireFault::UnitRestart { unit, address, value }) => {
                if write(state.framing(), upstream, unit, (address, value)).await {
                    state.changed(fault);
                }
                Some(AGAIN)
            }
            Some(_) | None => None,
        };
        // The channel lives as long as `state`: it cannot close.
        let changed = setting.changed();
        match pause {
            Some(pause) => drop(timeout(pause, changed).await),
            None => drop(changed.await),
        }
    }
}

/// Write a register on a connection of our own; whether the device has echoed it.
async fn write(framing: Framing, upstream: SocketAddr, unit: u8, register: (u16, u16)) -> bool {
    timeout(PATIENCE, exchange(framing, upstream, unit, register)).await.ok().flatten().is_some()
}

async fn exchange(
    framing: Framing,
    upstream: SocketAddr,
    unit: u8,
    (address, value): (u16, u16),
) -> Option<()> {
    let mut stream = TcpStream::connect(upstream).await.ok()?;
    let ([a0, a1], [v0, v1]) = (address.to_be_bytes(), value.to_be_bytes());
    let request = Frame { transaction: 1, unit, pdu: vec![WRITE, a0, a1, v0, v1] };
    stream.write_all(&framing.encode(&request)).await.ok()?;
    let mut replies = framing.deframer(Speaker::Unit);
    let mut buffer = [0; 64];
    loop {
        match stream.read(&mut buffer).await.ok()? {
            0 => return None,
            read => replies.push(buffer.get(..read)?),
        }
        if let Some(reply) = replies.next().ok()? {
            return (reply.pdu == request.pdu).then_some(());
        }
    }
}
