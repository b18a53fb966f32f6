//! A simulated Sparkplug primary host at one broker: tells by STATE that it is there, and sends commands.
//!
//! ```text
//!   CONNECT (will: STATE offline, time T) ──► subscribe ──► STATE online, time T ──► commands
//!                                                           STATE offline, time T ◄── goes
//! ```

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rumqttc::{Client, Event, Incoming, LastWill, MqttOptions, Outgoing, QoS};

use crate::clock::wall_ms;
use crate::wait::until;

/// How long it may take to be there.
const UP: Duration = Duration::from_secs(10);
/// Between tries while the broker is away.
const RETRY: Duration = Duration::from_millis(500);

/// A primary host. It comes back when its broker does.
pub struct Host {
    client: Client,
    topic: String,
    stamp: u64,
    /// How often the broker has confirmed what the host said.
    confirmed: Arc<Mutex<usize>>,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("topic", &self.topic).field("stamp", &self.stamp).finish_non_exhaustive()
    }
}

impl Host {
    /// Connects to the broker on `port` as the host `id`, and waits until its STATE is there.
    ///
    /// # Panics
    /// If the broker does not answer.
    pub fn start(port: u16, id: &str) -> Self {
        let (topic, stamp) = (format!("spBv1.0/STATE/{id}"), wall_ms());
        let mut options = MqttOptions::new(id, "127.0.0.1", port);
        options
            .set_keep_alive(Duration::from_secs(5))
            .set_max_packet_size(1 << 20, 1 << 20)
            .set_last_will(LastWill::new(&topic, state(false, stamp), QoS::AtLeastOnce, true));
        let (client, mut connection) = Client::new(options, 64);
        let confirmed = Arc::new(Mutex::new(0));
        let (count, again, birth) = (Arc::clone(&confirmed), client.clone(), topic.clone());
        // Ends when the host leaves, or with the process.
        std::thread::spawn(move || {
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                        let _full = again.try_subscribe("spBv1.0/#", QoS::AtLeastOnce);
                        let _full = again.try_publish(&birth, QoS::AtLeastOnce, true, state(true, stamp));
                    }
                    Ok(Event::Incoming(Incoming::PubAck(_))) => *count.lock().unwrap() += 1,
                    // Otherwise it would come back.
                    Ok(Event::Outgoing(Outgoing::Disconnect)) => break,
                    Ok(_) => {}
                    Err(_) => std::thread::sleep(RETRY),
                }
            }
        });
        let host = Self { client, topic, stamp, confirmed };
        host.until_confirmed(1);
        host
    }

    /// Says that it is there, or gone, with the time of its will.
    pub fn says(&self, online: bool) {
        let before = *self.confirmed.lock().unwrap();
        let state = state(online, self.stamp);
        self.client.publish(&self.topic, QoS::AtLeastOnce, true, state).expect("the host runs");
        self.until_confirmed(before + 1);
    }

    /// Its topic, and a STATE offline from a moment before it came, as the will of its connection before would be.
    pub fn old_death(&self) -> (String, Vec<u8>) {
        (self.topic.clone(), state(false, self.stamp - 1))
    }

    /// Sends a command.
    pub fn commands(&self, topic: &str, payload: Vec<u8>) {
        self.client.publish(topic, QoS::AtMostOnce, false, payload).expect("the host runs");
    }

    /// Says that it goes, and goes.
    pub fn leave(&self) {
        self.says(false);
        self.client.disconnect().expect("the host runs");
    }

    fn until_confirmed(&self, times: usize) {
        until(
            "the broker has the host's STATE",
            UP,
            || *self.confirmed.lock().unwrap(),
            |seen| *seen >= times,
        );
    }
}

fn state(online: bool, stamp: u64) -> Vec<u8> {
    serde_json::json!({ "online": online, "timestamp": stamp }).to_string().into_bytes()
}
