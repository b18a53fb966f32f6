//! A broker in the hands of the test: it does what the test says, packet by packet.

use std::sync::Arc;
use std::time::Duration;

use eisbach_protocol::sparkplug::Payload;
use rumqttc::{ConnAck, Connect, ConnectReturnCode, Packet, Publish, QoS, SubAck, SubscribeReasonCode};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::bytes::BytesMut;

use super::world::Sent;

/// Longest wait for anything that must come.
const PATIENCE: Duration = Duration::from_secs(20);
const MAX_PACKET: usize = 256 * 1024;

/// Waits for what must come.
pub(super) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it must come")
}

/// A listening port.
#[derive(Debug)]
pub(super) struct Broker(TcpListener);

/// What a connection is made of.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// One client's connection.
pub(super) struct Peer {
    stream: Box<dyn Stream>,
    buffer: BytesMut,
}

impl Broker {
    /// On a port of its own.
    pub(super) async fn listen() -> Self {
        Self::listen_on(0).await
    }

    /// On a given port.
    pub(super) async fn listen_on(port: u16) -> Self {
        Self(TcpListener::bind(("127.0.0.1", port)).await.unwrap())
    }

    pub(super) fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// The next connection, with its CONNECT, not yet answered.
    pub(super) async fn connect(&self) -> (Peer, Connect) {
        let (stream, _) = soon(self.0.accept()).await.unwrap();
        Peer::greeted(Box::new(stream)).await
    }

    /// The next connection within TLS, with its CONNECT; `None` if there is no handshake.
    pub(super) async fn connect_within(&self, config: Arc<ServerConfig>) -> Option<(Peer, Connect)> {
        let (stream, _) = soon(self.0.accept()).await.unwrap();
        let stream = soon(TlsAcceptor::from(config).accept(stream)).await.ok()?;
        Some(Peer::greeted(Box::new(stream)).await)
    }

    /// The next connection, accepted.
    pub(super) async fn accept(&self) -> (Peer, Connect) {
        let (mut peer, connect) = self.connect().await;
        peer.answer(ConnectReturnCode::Success).await;
        (peer, connect)
    }

    /// Whether another client knocks within the time.
    pub(super) async fn is_knocked_at(&self, within: Duration) -> bool {
        timeout(within, self.0.accept()).await.is_ok()
    }
}

impl Peer {
    async fn greeted(stream: Box<dyn Stream>) -> (Self, Connect) {
        let mut peer = Self { stream, buffer: BytesMut::new() };
        match peer.packet().await {
            Some(Packet::Connect(connect)) => (peer, connect),
            packet => panic!("{packet:?} is no CONNECT"),
        }
    }

    pub(super) async fn answer(&mut self, code: ConnectReturnCode) {
        self.write(&Packet::ConnAck(ConnAck::new(code, false))).await;
    }

    /// The next message of the session; pings and subscriptions are answered on the way.
    pub(super) async fn next(&mut self) -> Sent {
        loop {
            match self.packet().await.expect("the connection stands") {
                Packet::Publish(publish) => {
                    assert_eq!((publish.qos, publish.retain), (QoS::AtMostOnce, false));
                    let payload = Payload::decode(&publish.payload).unwrap();
                    return Sent::Publish { topic: publish.topic, payload };
                }
                Packet::Subscribe(subscribe) => {
                    let codes = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce)];
                    self.write(&Packet::SubAck(SubAck::new(subscribe.pkid, codes))).await;
                    return Sent::Subscribe(subscribe.filters[0].path.clone());
                }
                Packet::PingReq => self.write(&Packet::PingResp).await,
                Packet::Disconnect => return Sent::Disconnect,
                packet => panic!("{packet:?}"),
            }
        }
    }

    /// Takes the next packet, and answers it if it is a ping or a subscription; `None` at the end.
    pub(super) async fn packet_answered(&mut self) -> Option<()> {
        match soon(self.packet()).await? {
            Packet::Subscribe(subscribe) => {
                let codes = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce)];
                self.write(&Packet::SubAck(SubAck::new(subscribe.pkid, codes))).await;
            }
            Packet::PingReq => self.write(&Packet::PingResp).await,
            _other => {}
        }
        Some(())
    }

    /// The next so many messages, as words.
    pub(super) async fn words(&mut self, count: usize) -> Vec<String> {
        let mut words = Vec::new();
        for _ in 0..count {
            words.push(soon(self.next()).await.word());
        }
        words
    }

    /// Publishes to the client.
    pub(super) async fn publish(&mut self, topic: &str, payload: Vec<u8>, retained: bool) {
        let mut publish = Publish::new(topic, QoS::AtMostOnce, payload);
        publish.retain = retained;
        self.write(&Packet::Publish(publish)).await;
    }

    async fn write(&mut self, packet: &Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, MAX_PACKET).unwrap();
        soon(self.stream.write_all(&bytes)).await.unwrap();
    }

    /// The next packet, or `None` at the end of the connection.
    async fn packet(&mut self) -> Option<Packet> {
        loop {
            match Packet::read(&mut self.buffer, MAX_PACKET) {
                Ok(packet) => return Some(packet),
                Err(rumqttc::Error::InsufficientBytes(_)) => {}
                Err(error) => panic!("{error}"),
            }
            match soon(self.stream.read_buf(&mut self.buffer)).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }
}
