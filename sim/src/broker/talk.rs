//! A client that has been taken in, from CONNACK to the end.
//!
//! ```text
//!   socket ──► input ──► answer ──┐
//!                                 ├──► output ──► socket
//!   hub ──► queue ──► deliver ────┘
//! ```
//!
//! All of its state lives in one task: bytes in, bytes out, messages waiting, identifiers not yet acknowledged. It
//! stops reading while it cannot write, so a client that does not listen cannot make it grow.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::{
    ConnAck, ConnectReturnCode, Packet, PubAck, Publish, QoS, SubAck, Subscribe, UnsubAck, Unsubscribe,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::Limits;
use super::hub::{Hub, Joined, Membership};
use super::packets::{Violation, check_filters, check_publish, next_packet, put};
use super::session::End;

/// Above this many unsent bytes nothing is read and no message is taken from the queue.
const UNSENT_MARK: usize = 64 * 1024;
/// QoS 1 messages sent and not yet acknowledged.
const MAX_UNACKED: usize = 64;
/// Room made for each read, bytes.
const READ_BYTES: usize = 4096;

/// One client's conversation.
#[derive(Debug)]
pub(super) struct Talk {
    membership: Membership,
    queue: mpsc::Receiver<Publish>,
    stop: CancellationToken,
    /// Retained messages on their way; they go before the queue, being older.
    backlog: VecDeque<Publish>,
    output: BytesMut,
    unacked: BTreeSet<u16>,
    last_id: u16,
    limits: Limits,
}

impl Talk {
    pub(super) fn new(joined: Joined, hub: &Hub) -> Self {
        let Joined { membership, queue, stop } = joined;
        Self {
            membership,
            queue,
            stop,
            backlog: VecDeque::new(),
            output: BytesMut::new(),
            unacked: BTreeSet::new(),
            last_id: 0,
            limits: *hub.limits(),
        }
    }

    /// Talks until the end, then leaves the hub in the way that fits.
    pub(super) async fn run(
        mut self,
        mut stream: TcpStream,
        mut input: BytesMut,
        patience: Option<Duration>,
    ) -> End {
        let Err(end) = self.talk(&mut stream, &mut input, patience).await;
        debug!(client = self.membership.id(), %end, "session over");
        if matches!(end, End::Disconnect) {
            self.membership.disconnect();
        }
        end
    }

    async fn talk(
        &mut self,
        stream: &mut TcpStream,
        input: &mut BytesMut,
        patience: Option<Duration>,
    ) -> Result<Infallible, End> {
        let (mut reader, mut writer) = stream.split();
        let mut silent = pin!(silence(patience));
        put(&mut self.output, &Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, false)))?;
        loop {
            while self.can_answer()
                && let Some(packet) = next_packet(input, self.limits.packet_bytes)?
            {
                silent.set(silence(patience));
                self.answer(packet)?;
            }
            self.take_messages()?;
            let (listening, taking) = (self.can_answer(), self.can_take());
            input.reserve(READ_BYTES);
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(End::Stopped),
                written = writer.write_buf(&mut self.output), if !self.output.is_empty() => {
                    written?;
                }
                read = reader.read_buf(input), if listening => if read? == 0 {
                    return Err(End::Closed);
                },
                Some(message) = self.queue.recv(), if taking => self.deliver(message)?,
                // Last, so that bytes that lie in the socket after a freeze count as a sign of life.
                () = &mut silent => return Err(End::KeepAlive),
            }
        }
    }

    fn can_answer(&self) -> bool {
        self.output.len() < UNSENT_MARK
    }

    fn can_take(&self) -> bool {
        self.output.len() < UNSENT_MARK && self.unacked.len() < MAX_UNACKED
    }

    fn take_messages(&mut self) -> Result<(), Violation> {
        while self.can_take() {
            let Some(message) = self.backlog.pop_front().or_else(|| self.queue.try_recv().ok()) else {
                break;
            };
            self.deliver(message)?;
        }
        Ok(())
    }

    fn deliver(&mut self, mut message: Publish) -> Result<(), Violation> {
        if message.qos != QoS::AtMostOnce {
            message.pkid = self.next_id();
            self.unacked.insert(message.pkid);
        }
        put(&mut self.output, &Packet::Publish(message))
    }

    /// An identifier that is not in use. There is one, as far fewer than 65,535 are ever unacknowledged.
    fn next_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            if self.last_id != 0 && !self.unacked.contains(&self.last_id) {
                return self.last_id;
            }
        }
    }

    fn answer(&mut self, packet: Packet) -> Result<(), End> {
        match packet {
            Packet::Publish(message) => self.publish(&message)?,
            Packet::PubAck(ack) => {
                self.unacked.remove(&ack.pkid);
            }
            Packet::Subscribe(subscribe) => self.subscribe(&subscribe)?,
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(&unsubscribe)?,
            Packet::PingReq => put(&mut self.output, &Packet::PingResp)?,
            Packet::Disconnect => return Err(End::Disconnect),
            Packet::Connect(_) => return Err(Violation::SecondConnect.into()),
            Packet::PubRec(_) | Packet::PubRel(_) | Packet::PubComp(_) => {
                return Err(Violation::QosTwo.into());
            }
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
                return Err(Violation::BrokerPacket.into());
            }
        }
        Ok(())
    }

    fn publish(&mut self, message: &Publish) -> Result<(), Violation> {
        check_publish(&message.topic, message.qos)?;
        self.membership.publish(message);
        if message.qos == QoS::AtLeastOnce {
            put(&mut self.output, &Packet::PubAck(PubAck::new(message.pkid)))?;
        }
        Ok(())
    }

    fn subscribe(&mut self, request: &Subscribe) -> Result<(), Violation> {
        check_filters(request.pkid, request.filters.iter().map(|filter| &filter.path))?;
        if self.backlog.len() > self.limits.retained {
            return Err(Violation::Greedy);
        }
        let (codes, retained) = self.membership.subscribe(&request.filters);
        self.backlog.extend(retained);
        put(&mut self.output, &Packet::SubAck(SubAck::new(request.pkid, codes)))
    }

    fn unsubscribe(&mut self, request: &Unsubscribe) -> Result<(), Violation> {
        check_filters(request.pkid, request.topics.iter())?;
        self.membership.unsubscribe(&request.topics);
        put(&mut self.output, &Packet::UnsubAck(UnsubAck { pkid: request.pkid }))
    }
}

async fn silence(patience: Option<Duration>) {
    match patience {
        Some(patience) => sleep(patience).await,
        None => pending().await,
    }
}
