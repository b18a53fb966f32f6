//! Plain MQTT clients that publish as many bytes as the nodes do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use eisbach_hil_tests::{Mosquitto, Stopwatch, known_as};
use rumqttc::{AsyncClient, Event, Incoming, QoS};
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

/// Clients that are connected.
pub(crate) struct Plain {
    clients: Vec<(String, AsyncClient)>,
    payload: Vec<u8>,
    _polls: JoinSet<()>,
}

impl Plain {
    /// Connects all, and waits until they are.
    pub(crate) async fn start(broker: &Mosquitto, names: &[String], bytes: usize, limit: Duration) -> Self {
        let (mut polls, connected) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
        let folder = broker.certificates();
        let clients = names.iter().map(|name| {
            let mut options = known_as(name, name, &folder, broker.port());
            options.set_keep_alive(Duration::from_secs(30));
            let (client, mut event_loop) = AsyncClient::new(options, 64);
            let connected = Arc::clone(&connected);
            polls.spawn(async move {
                loop {
                    if let Ok(Event::Incoming(Incoming::ConnAck(_))) = event_loop.poll().await {
                        connected.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
            (format!("spBv1.0/bench/NDATA/{name}"), client)
        });
        let clients = clients.collect();
        let watch = Stopwatch::start();
        while connected.load(Ordering::Relaxed) < names.len() {
            assert!(watch.elapsed() < limit, "{connected:?} plain clients are connected");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Self { clients, payload: vec![0; bytes], _polls: polls }
    }

    /// Each publishes once a second.
    pub(crate) async fn publish_for(&self, time: Duration) {
        let mut ticks = interval(Duration::from_secs(1));
        let publishing = async {
            loop {
                ticks.tick().await;
                for (topic, client) in &self.clients {
                    client.try_publish(topic, QoS::AtMostOnce, false, self.payload.clone()).unwrap();
                }
            }
        };
        let _always_elapses = timeout(time, publishing).await;
    }
}
