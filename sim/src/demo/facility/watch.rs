//! The MQTT task: polls, and hands every message to the board.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eisbach_nvml_sim::SharedState;
use eisbach_protocol::sparkplug::{
    Id, Message, Metric, NAMESPACE, Payload, REBIRTH, Topic, TopicError, Value,
};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::board::{Board, Wish};

/// Requests that wait for the connection; there are never more than two.
const REQUESTS: usize = 8;
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Pause before the next try to connect.
const AGAIN: Duration = Duration::from_millis(300);
/// Plant time between two requests for births, ms: a node answers with a birth each few seconds at most.
const BIRTHS_PAUSE_MS: u64 = 2000;
/// Longest packet either way: what a broker of the field passes on, far above any birth.
const PACKET_BYTES: usize = 256 * 1024;

/// Where the host listens, and to whom.
#[derive(Clone, Debug)]
pub(crate) struct HostSettings {
    /// Host of the broker.
    pub(crate) host: String,
    /// Port of the broker.
    pub(crate) port: u16,
    /// Sparkplug group.
    pub(crate) group: String,
    /// Sparkplug node.
    pub(crate) node: String,
}

/// The host's knowledge, shared with its task.
#[derive(Clone, Debug)]
pub(crate) struct Host(Arc<Mutex<Board>>);

impl Host {
    /// What the host knows now. Hold it briefly.
    pub(crate) fn board(&self) -> MutexGuard<'_, Board> {
        // Every holder leaves plain values behind, so a panic elsewhere cannot have broken them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts to listen, until `token` is cancelled. Messages are stamped with the plant time of `nvml`.
///
/// # Errors
/// If group or node are no Sparkplug ids.
pub(crate) fn spawn(
    tasks: &mut JoinSet<()>,
    settings: &HostSettings,
    nvml: Arc<SharedState>,
    token: CancellationToken,
) -> Result<Host, TopicError> {
    let (group, node) = (Id::new(&settings.group)?, Id::new(&settings.node)?);
    let command = Topic::Node { group, message: Message::Command, node }.to_string();
    let filter = format!("{NAMESPACE}/{group}/#");
    let id = format!("eisbach-demo-host-{}", std::process::id());
    let mut options = MqttOptions::new(id, settings.host.clone(), settings.port);
    options.set_keep_alive(KEEP_ALIVE).set_max_packet_size(PACKET_BYTES, PACKET_BYTES);
    let (client, connection) = AsyncClient::new(options, REQUESTS);
    let host = Host(Arc::new(Mutex::new(Board::new(&settings.group, &settings.node))));
    let listener = Listener { host: host.clone(), client, filter, command, nvml, asked_ms: None };
    tasks.spawn(async move {
        tokio::select! {
            () = token.cancelled() => {}
            () = listener.listen(connection) => {}
        }
    });
    Ok(host)
}

struct Listener {
    host: Host,
    client: AsyncClient,
    filter: String,
    command: String,
    nvml: Arc<SharedState>,
    asked_ms: Option<u64>,
}

impl Listener {
    async fn listen(mut self, mut connection: EventLoop) {
        loop {
            match connection.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    self.host.board().set_connected(true, self.nvml.plant_time_ms());
                    if let Err(error) = self.client.try_subscribe(&self.filter, QoS::AtMostOnce) {
                        debug!(%error, "the demo's host cannot subscribe yet");
                    }
                }
                Ok(Event::Incoming(Packet::Publish(message))) => {
                    let now_ms = self.nvml.plant_time_ms();
                    let wish = self.host.board().hear(&message.topic, &message.payload, now_ms);
                    match wish {
                        Wish::Nothing => {}
                        Wish::Births => self.ask_for_births(now_ms),
                    }
                }
                Ok(Event::Incoming(_) | Event::Outgoing(_)) => {}
                Err(error) => {
                    self.host.board().set_connected(false, self.nvml.plant_time_ms());
                    debug!(%error, "the demo's host has lost the broker");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    fn ask_for_births(&mut self, now_ms: u64) {
        if self.asked_ms.is_some_and(|asked| now_ms.saturating_sub(asked) < BIRTHS_PAUSE_MS) {
            return;
        }
        let metrics = vec![Metric::named(REBIRTH, Value::Boolean(true))];
        let payload = Payload { metrics, ..Payload::default() }.encode();
        if self.client.try_publish(&self.command, QoS::AtMostOnce, false, payload).is_ok() {
            self.asked_ms = Some(now_ms);
        }
    }
}
