//! A running broker, a library client and a raw client.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::{AsyncClient, Connect, ConnectReturnCode, Event, LastWill, MqttOptions, Packet, Publish, QoS};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::broker::{Broker, BrokerControl, Limits};

/// A failing test ends after this instead of hanging.
const LONG: Duration = Duration::from_secs(20);
/// How long nothing has to happen before a test believes that nothing happens.
const SHORT: Duration = Duration::from_millis(100);

pub(super) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("this should have happened long ago")
}

pub(super) async fn never<T>(future: impl Future<Output = T>) {
    assert!(tokio::time::timeout(SHORT, future).await.is_err(), "this should not have happened");
}

pub(super) async fn until(mut condition: impl FnMut() -> bool) {
    let poll = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    within(poll).await;
}

pub(super) struct Bench {
    pub(super) control: BrokerControl,
    pub(super) address: SocketAddr,
    pub(super) stop: CancellationToken,
    pub(super) tasks: JoinSet<()>,
}

impl Bench {
    pub(super) async fn start() -> Self {
        Self::with(Limits::default()).await
    }

    pub(super) async fn with(limits: Limits) -> Self {
        let broker = Broker::bind_with("127.0.0.1:0", limits).await.unwrap();
        let (control, address) = (broker.control(), broker.local_addr());
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        tasks.spawn(broker.run(stop.clone()));
        Self { control, address, stop, tasks }
    }

    pub(super) fn options(&self, id: &str) -> MqttOptions {
        MqttOptions::new(id, self.address.ip().to_string(), self.address.port())
    }

    pub(super) async fn client(&self, id: &str) -> Client {
        Client::connect(self.options(id)).await
    }

    /// A library client whose will is `gone/{id}`.
    pub(super) async fn client_with_will(&self, id: &str) -> Client {
        let mut options = self.options(id);
        options.set_last_will(LastWill::new(format!("gone/{id}"), "gone", QoS::AtLeastOnce, false));
        Client::connect(options).await
    }

    pub(super) async fn raw(&self) -> Raw {
        Raw { stream: TcpStream::connect(self.address).await.unwrap(), input: BytesMut::new() }
    }

    /// A raw client that has been taken in.
    pub(super) async fn raw_client(&self, connect: Connect) -> Raw {
        let mut raw = self.raw().await;
        raw.send(&Packet::Connect(connect)).await;
        raw.expect_welcome().await;
        raw
    }
}

/// A client of the library. One task does nothing but poll, as the library wants; dropping the client aborts it,
/// which closes the connection without DISCONNECT.
pub(super) struct Client {
    pub(super) mqtt: AsyncClient,
    events: mpsc::Receiver<Packet>,
    _polling: JoinSet<()>,
}

impl Client {
    pub(super) async fn connect(options: MqttOptions) -> Self {
        let (mqtt, mut eventloop) = AsyncClient::new(options, 64);
        let (sender, events) = mpsc::channel(1024);
        let mut polling = JoinSet::new();
        polling.spawn(async move {
            while let Ok(event) = eventloop.poll().await {
                if let Event::Incoming(packet) = event
                    && sender.send(packet).await.is_err()
                {
                    return;
                }
            }
        });
        let mut client = Self { mqtt, events, _polling: polling };
        client.wait(|packet| matches!(packet, Packet::ConnAck(_)).then_some(())).await;
        client
    }

    pub(super) async fn subscribe(&mut self, filter: &str, qos: QoS) {
        self.mqtt.subscribe(filter, qos).await.unwrap();
        self.wait(|packet| matches!(packet, Packet::SubAck(_)).then_some(())).await;
    }

    pub(super) async fn unsubscribe(&mut self, filter: &str) {
        self.mqtt.unsubscribe(filter).await.unwrap();
        self.wait(|packet| matches!(packet, Packet::UnsubAck(_)).then_some(())).await;
    }

    /// Publishes with QoS 1 and waits until the broker has it.
    pub(super) async fn publish(&mut self, topic: &str, payload: &str, retain: bool) {
        self.mqtt.publish(topic, QoS::AtLeastOnce, retain, payload).await.unwrap();
        self.wait(|packet| matches!(packet, Packet::PubAck(_)).then_some(())).await;
    }

    pub(super) async fn published(&mut self) -> Publish {
        self.wait(|packet| match packet {
            Packet::Publish(message) => Some(message),
            _ => None,
        })
        .await
    }

    /// Waits for the end of the connection.
    pub(super) async fn closed(&mut self) {
        within(async { while self.events.recv().await.is_some() {} }).await;
    }

    async fn wait<T>(&mut self, mut wanted: impl FnMut(Packet) -> Option<T>) -> T {
        within(async {
            loop {
                let packet = self.events.recv().await.expect("connection should not have ended");
                if let Some(found) = wanted(packet) {
                    return found;
                }
            }
        })
        .await
    }
}

/// A client that says what it is told.
pub(super) struct Raw {
    stream: TcpStream,
    input: BytesMut,
}

impl Raw {
    pub(super) async fn send(&mut self, packet: &Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, usize::MAX).unwrap();
        self.send_bytes(&bytes).await;
    }

    /// Sends what the broker takes; it may have closed before.
    pub(super) async fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = within(self.stream.write_all(bytes)).await;
    }

    /// The next packet, or `None` once the broker has closed. Cancel-safe.
    pub(super) async fn receive(&mut self) -> Option<Packet> {
        loop {
            if let Ok(packet) = Packet::read(&mut self.input, usize::MAX) {
                return Some(packet);
            }
            if matches!(self.stream.read_buf(&mut self.input).await, Ok(0) | Err(_)) {
                return None;
            }
        }
    }

    pub(super) async fn expect_welcome(&mut self) {
        let Some(Packet::ConnAck(ack)) = within(self.receive()).await else {
            panic!("no CONNACK");
        };
        assert_eq!((ack.code, ack.session_present), (ConnectReturnCode::Success, false));
    }

    pub(super) async fn expect_closed(&mut self) {
        let last = within(self.receive()).await;
        assert!(last.is_none(), "{last:?}");
    }
}
