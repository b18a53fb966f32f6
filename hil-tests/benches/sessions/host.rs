//! The primary host: says that it is there, and counts what it is told and what is missing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eisbach_hil_tests::{Mosquitto, Stopwatch, known_as};
use rumqttc::{Client, Event, Incoming, QoS};

/// Name of the thread that counts.
pub(crate) const THREAD: &str = "host";
const STATE: &str = "spBv1.0/STATE/scada";
const ONLINE: &str = r#"{"online":true,"timestamp":1}"#;

/// A primary host that counts.
pub(crate) struct Host {
    seen: Arc<Mutex<Seen>>,
}

/// What it has seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Messages of data.
    pub(crate) data: u64,
    /// Messages that are missing by their number.
    pub(crate) gaps: u64,
}

#[derive(Default)]
struct Seen {
    /// The number of each born node's last message.
    nodes: BTreeMap<String, u8>,
    counts: Counts,
    data_bytes: usize,
}

impl Host {
    pub(crate) fn start(broker: &Mosquitto) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let log = Arc::clone(&seen);
        let mut options = known_as("scada", "scada", &broker.certificates(), broker.port());
        options.set_max_packet_size(1 << 20, 1 << 20);
        let count = move || {
            let (client, mut connection) = Client::new(options, 64);
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                        client.try_subscribe("spBv1.0/#", QoS::AtLeastOnce).unwrap();
                    }
                    // Not before: a birth that it asked for would be missed.
                    Ok(Event::Incoming(Incoming::SubAck(_))) => {
                        client.try_publish(STATE, QoS::AtLeastOnce, true, ONLINE).unwrap();
                    }
                    Ok(Event::Incoming(Incoming::Publish(publish))) => {
                        log.lock().unwrap().take(&publish.topic, &publish.payload);
                    }
                    Ok(_) => {}
                    Err(_) => std::thread::sleep(Duration::from_millis(50)),
                }
            }
        };
        // Ends with the process.
        std::thread::Builder::new().name(THREAD.to_owned()).spawn(count).unwrap();
        Self { seen }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.seen.lock().unwrap().counts
    }

    /// Bytes of the last message of data.
    pub(crate) fn data_bytes(&self) -> usize {
        self.seen.lock().unwrap().data_bytes
    }

    /// No node is born any more.
    pub(crate) fn forget(&self) {
        self.seen.lock().unwrap().nodes.clear();
    }

    /// Waits until so many nodes are born.
    pub(crate) async fn all_born(&self, nodes: usize, limit: Duration) {
        let watch = Stopwatch::start();
        loop {
            let born = self.seen.lock().unwrap().nodes.len();
            if born >= nodes {
                return;
            }
            assert!(watch.elapsed() < limit, "{born} of {nodes} are born");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Counts {
    pub(crate) fn since(self, before: Self) -> Self {
        Self { data: self.data - before.data, gaps: self.gaps - before.gaps }
    }
}

impl Seen {
    fn take(&mut self, topic: &str, payload: &[u8]) {
        let mut levels = topic.split('/').skip(2);
        let (Some(kind), Some(node)) = (levels.next(), levels.next()) else { return };
        if kind == "NDATA" {
            self.counts.data += 1;
            self.data_bytes = payload.len();
        }
        let Some(seq) = seq(payload) else { return };
        if kind == "NBIRTH" {
            self.nodes.insert(node.to_owned(), seq);
        } else if let Some(last) = self.nodes.get_mut(node) {
            self.counts.gaps += u64::from(seq.wrapping_sub(*last).wrapping_sub(1));
            *last = seq;
        }
    }
}

/// Field 3 of the payload, without reading what it carries.
fn seq(mut bytes: &[u8]) -> Option<u8> {
    let mut seq = None;
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let value = varint(&mut bytes)?;
        match key & 7 {
            0 if key >> 3 == 3 => seq = u8::try_from(value).ok(),
            0 => {}
            2 => bytes = bytes.get(usize::try_from(value).ok()?..)?,
            _ => return None,
        }
    }
    seq
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7F) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
