//! A tap between MQTT clients and a broker: writes down every packet of both directions, whole and in order.
//!
//! ```text
//!   client ──► tap ──► broker        each packet: into the capture first, then on its way
//!          ◄──     ◄──
//! ```
//!
//! A subscriber sees neither CONNECT nor SUBSCRIBE nor DISCONNECT, and of a message the lower of two `QoS` and a
//! cleared retain flag. The tap sees what was sent. It dials the broker only once it has the client's CONNECT, so a
//! broker that is away still has its attempts written down.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use rumqttc::Packet;
use rumqttc::mqttbytes::Error;

use crate::clock::wall_ms;
use crate::conformance::{Capture, Cast, Record, What};

/// Longest packet that is looked into.
const MAX_PACKET_BYTES: usize = 1 << 20;
/// Taken from a socket at once.
const READ_BYTES: usize = 1 << 16;

/// What all taps of a test write to, in one order.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    records: Arc<Mutex<Vec<Record>>>,
    connections: Arc<AtomicUsize>,
}

/// One tapped broker.
#[derive(Debug)]
pub struct Tap {
    port: u16,
}

impl Tape {
    /// Everything so far, with who is who.
    pub fn capture(&self, cast: &Cast) -> Capture {
        Capture { cast: cast.clone(), records: self.records.lock().unwrap().clone() }
    }

    /// How many records `which` holds for.
    pub fn count(&self, which: impl Fn(&Record) -> bool) -> usize {
        self.records.lock().unwrap().iter().filter(|record| which(record)).count()
    }

    fn write(&self, server: usize, connection: usize, what: What) {
        let mut records = self.records.lock().unwrap();
        // Within the lock, so that time and order agree.
        records.push(Record { at_ms: wall_ms(), server, connection, what });
    }
}

impl Tap {
    /// Listens before the broker on `broker`; in the capture it is the server of this number.
    pub fn before(broker: u16, server: usize, tape: &Tape) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let tape = tape.clone();
        // Ends with the process, as do the threads of its connections: they own nothing but sockets.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let tape = tape.clone();
                std::thread::spawn(move || serve(&client, broker, server, &tape));
            }
        });
        Self { port }
    }

    /// Where clients connect to.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// One connection, from its CONNECT to its end.
fn serve(client: &TcpStream, broker: u16, server: usize, tape: &Tape) {
    let connection = tape.connections.fetch_add(1, Ordering::Relaxed);
    let write = |what| tape.write(server, connection, what);
    let mut buffer = BytesMut::new();
    let Some(first) = first_packet(client, &mut buffer, |packet| write(What::Sent(packet))) else { return };
    // Written down before either side can see it.
    let once = AtomicBool::new(false);
    let end = || {
        if !once.swap(true, Ordering::Relaxed) {
            write(What::Ended);
        }
    };
    if let Ok(upstream) = TcpStream::connect(("127.0.0.1", broker)) {
        let _can_be_slow = (client.set_nodelay(true), upstream.set_nodelay(true));
        if (&upstream).write_all(&first).is_ok() {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    pass_on(&upstream, client, BytesMut::new(), |packet| write(What::Received(packet)), &end);
                });
                pass_on(client, &upstream, buffer, |packet| write(What::Sent(packet)), &end);
            });
        }
    }
    end();
    let _gone_already = client.shutdown(Shutdown::Both);
}

fn first_packet(client: &TcpStream, buffer: &mut BytesMut, log: impl Fn(Packet)) -> Option<Vec<u8>> {
    loop {
        if let Some((packet, bytes)) = next_packet(buffer).ok()? {
            log(packet);
            return Some(bytes);
        }
        fill(client, buffer)?;
    }
}

/// Until either side ends; then both do.
fn pass_on(
    mut from: &TcpStream,
    mut to: &TcpStream,
    mut buffer: BytesMut,
    log: impl Fn(Packet),
    end: &(impl Fn() + Sync),
) {
    'open: loop {
        loop {
            match next_packet(&mut buffer) {
                Ok(Some((packet, bytes))) => {
                    log(packet);
                    if to.write_all(&bytes).is_err() {
                        break 'open;
                    }
                }
                Ok(None) => break,
                // Not ours to judge: it goes on as it is.
                Err(_) => {
                    let _sent = to.write_all(&buffer);
                    let _copied = std::io::copy(&mut from, &mut to);
                    break 'open;
                }
            }
        }
        if fill(from, &mut buffer).is_none() {
            break;
        }
    }
    end();
    let _gone_already = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

/// The next whole packet and its bytes, if it is all there.
fn next_packet(buffer: &mut BytesMut) -> Result<Option<(Packet, Vec<u8>)>, Error> {
    let before = buffer.to_vec();
    match Packet::read(buffer, MAX_PACKET_BYTES) {
        Ok(packet) => {
            let taken = before.len() - buffer.len();
            Ok(Some((packet, before[..taken].to_vec())))
        }
        Err(Error::InsufficientBytes(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn fill(mut from: &TcpStream, buffer: &mut BytesMut) -> Option<()> {
    let mut chunk = [0; READ_BYTES];
    let read = from.read(&mut chunk).ok().filter(|read| *read > 0)?;
    buffer.extend_from_slice(&chunk[..read]);
    Some(())
}
