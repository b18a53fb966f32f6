//! An MQTT client that writes down everything it sees, in order.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use eisbach_protocol::sparkplug;
use rumqttc::{Client, Event, Incoming, MqttOptions, QoS};

use crate::gpus::MINUTE;
use crate::wait::{until, until_some};

/// One message.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Topic.
    pub topic: String,
    /// Payload.
    pub payload: Vec<u8>,
    /// It was sent before we subscribed.
    pub retained: bool,
}

impl Seen {
    /// The Sparkplug message type in the topic, for example `NBIRTH`.
    pub fn kind(&self) -> &str {
        self.topic.split('/').nth(2).unwrap_or("")
    }

    /// The payload, decoded.
    ///
    /// # Panics
    /// If it is no Sparkplug payload.
    pub fn payload(&self) -> sparkplug::Payload {
        sparkplug::Payload::decode(&self.payload).unwrap_or_else(|error| panic!("{}: {error}", self.topic))
    }
}

/// Everything a subscriber to all topics sees.
pub struct Observer {
    client: Client,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observer").finish_non_exhaustive()
    }
}

impl Observer {
    /// Connects to the broker on `port` and waits until it is subscribed. It reconnects when the broker does.
    ///
    /// # Panics
    /// If the broker does not answer.
    pub fn start(port: u16) -> Self {
        Self::start_as("observer", port)
    }

    /// The same, under a name of its own: one that comes later sees what a broker has kept.
    ///
    /// # Panics
    /// If the broker does not answer.
    pub fn start_as(name: &str, port: u16) -> Self {
        Self::with(MqttOptions::new(name, "127.0.0.1", port))
    }

    /// The same with these options, for instance with a certificate.
    ///
    /// # Panics
    /// If the broker does not answer.
    pub fn with(mut options: MqttOptions) -> Self {
        options.set_keep_alive(Duration::from_secs(5)).set_max_packet_size(1 << 20, 1 << 20);
        let (client, mut connection) = Client::new(options, 64);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let subscribed = Arc::new(Mutex::new(false));
        let (log, ready, again) = (Arc::clone(&seen), Arc::clone(&subscribed), client.clone());
        // Ends with the process: it owns nothing but a socket.
        std::thread::spawn(move || {
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                        let _full = again.try_subscribe("#", QoS::AtLeastOnce);
                    }
                    Ok(Event::Incoming(Incoming::SubAck(_))) => *ready.lock().unwrap() = true,
                    Ok(Event::Incoming(Incoming::Publish(publish))) => log.lock().unwrap().push(Seen {
                        topic: publish.topic,
                        payload: publish.payload.to_vec(),
                        retained: publish.retain,
                    }),
                    Ok(_) => {}
                    Err(_) => std::thread::sleep(Duration::from_millis(50)),
                }
            }
        });
        until_some("the observer is subscribed", MINUTE, || subscribed.lock().unwrap().then_some(()));
        Self { client, seen }
    }

    /// Everything so far.
    pub fn all(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many messages of this Sparkplug kind there were.
    pub fn count(&self, kind: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|seen| seen.kind() == kind).count()
    }

    /// Publishes something itself.
    pub fn publish(&self, topic: &str, payload: Vec<u8>, retain: bool) {
        self.client.publish(topic, QoS::AtMostOnce, retain, payload).expect("the observer is connected");
    }

    /// Publishes something that the broker keeps, once it has confirmed it.
    pub fn keep(&self, topic: &str, payload: Vec<u8>) {
        self.client.publish(topic, QoS::AtLeastOnce, true, payload).expect("the observer is connected");
        let came = || self.seen.lock().unwrap().iter().any(|seen| seen.topic == topic);
        until("it is kept", MINUTE, came, |came| *came);
    }
}
