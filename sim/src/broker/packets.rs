//! Packets out of a stream of bytes, and what a client may not send.
//!
//! The client library's codec does the reading. It does not look at the flag bits of the fixed header, which the
//! standard wants checked (MQTT 3.1.1, 2.2.2), so that is done first.

use bytes::BytesMut;
use rumqttc::{Packet, QoS, mqttbytes};

use super::router;

/// Why a connection is closed by the broker, and what the client should do otherwise.
#[derive(Debug, thiserror::Error)]
pub(super) enum Violation {
    #[error("not an MQTT 3.1.1 packet: {0}")]
    Malformed(#[source] mqttbytes::Error),
    #[error("first byte {0:#04x} has flags that its packet type does not allow")]
    Flags(u8),
    #[error("first packet is not CONNECT")]
    NotConnect,
    #[error("second CONNECT on one connection")]
    SecondConnect,
    #[error("packet that only a broker sends")]
    BrokerPacket,
    #[error("QoS 2, which this broker does not offer: use QoS 0 or 1")]
    QosTwo,
    #[error("topic {0:?} is empty or has a wildcard")]
    Topic(String),
    #[error("{0:?} is not a topic filter")]
    Filter(String),
    #[error("packet identifier 0")]
    PacketId,
    #[error("asks for retained messages faster than it takes them")]
    Greedy,
}

/// The next whole packet in `buffer`, or `None` if more bytes are needed.
///
/// # Errors
/// If the bytes are no packet or announce one of more than `most` bytes. Nothing after that can be read.
pub(super) fn next_packet(buffer: &mut BytesMut, most: usize) -> Result<Option<Packet>, Violation> {
    if let Some(first) = buffer.first() {
        check_flags(*first)?;
    }
    match Packet::read(buffer, most) {
        Ok(packet) => Ok(Some(packet)),
        Err(mqttbytes::Error::InsufficientBytes(_)) => Ok(None),
        Err(error) => Err(Violation::Malformed(error)),
    }
}

/// Appends a packet to the bytes to send.
///
/// # Errors
/// If the packet cannot be written, which none of ours is.
pub(super) fn put(output: &mut BytesMut, packet: &Packet) -> Result<(), Violation> {
    packet.write(output, usize::MAX).map(drop).map_err(Violation::Malformed)
}

/// Whether a message or will may be published.
///
/// # Errors
/// If its topic or its QoS is not for publishing here.
pub(super) fn check_publish(topic: &str, qos: QoS) -> Result<(), Violation> {
    if qos == QoS::ExactlyOnce {
        return Err(Violation::QosTwo);
    }
    if router::is_topic(topic) { Ok(()) } else { Err(Violation::Topic(topic.to_owned())) }
}

/// Whether this may be subscribed to or unsubscribed from.
///
/// # Errors
/// If the packet identifier is 0, or something is not a filter.
pub(super) fn check_filters<'a>(
    id: u16,
    mut filters: impl Iterator<Item = &'a String>,
) -> Result<(), Violation> {
    if id == 0 {
        return Err(Violation::PacketId);
    }
    match filters.find(|filter| !router::is_filter(filter)) {
        Some(filter) => Err(Violation::Filter(filter.clone())),
        None => Ok(()),
    }
}

fn check_flags(first: u8) -> Result<(), Violation> {
    const PUBLISH: u8 = 3;
    const WITH_FLAG_TWO: [u8; 3] = [6, 8, 10]; // PUBREL, SUBSCRIBE, UNSUBSCRIBE
    let (packet_type, flags) = (first >> 4, first & 0x0F);
    let expected = if WITH_FLAG_TWO.contains(&packet_type) { 2 } else { 0 };
    if packet_type == PUBLISH || flags == expected { Ok(()) } else { Err(Violation::Flags(first)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::{RngCore, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rumqttc::{Connect, LastWill, Publish, Subscribe, Unsubscribe};

    const MOST: usize = 4096;

    #[test]
    fn a_packet_is_found_only_when_it_is_whole() {
        let mut whole = BytesMut::new();
        Packet::Connect(Connect::new("n")).write(&mut whole, MOST).unwrap();
        let mut buffer = BytesMut::new();
        for byte in &whole[..whole.len() - 1] {
            buffer.extend_from_slice(&[*byte]);
            assert!(next_packet(&mut buffer, MOST).unwrap().is_none());
        }
        buffer.extend_from_slice(&whole[whole.len() - 1..]);
        assert!(matches!(next_packet(&mut buffer, MOST), Ok(Some(Packet::Connect(_)))));
        assert!(buffer.is_empty());
    }

    #[test]
    fn a_packet_too_long_is_refused_as_soon_as_it_says_so() {
        let announced = [0x30, 0xFF, 0xFF, 0x7F];
        let mut buffer = BytesMut::from(announced.as_slice());
        assert!(matches!(next_packet(&mut buffer, MOST), Err(Violation::Malformed(_))));
    }

    #[test]
    fn flags_that_a_type_does_not_allow_are_refused() {
        for first in [0x11, 0x80, 0x83, 0xA0, 0xC1, 0xE8] {
            let mut buffer = BytesMut::from([first, 0].as_slice());
            assert!(matches!(next_packet(&mut buffer, MOST), Err(Violation::Flags(_))), "{first:#x}");
        }
    }

    #[test]
    fn ten_thousand_random_streams_never_panic_and_always_end() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(0x0E15_BAC4);
        let valid = valid_packets();
        for round in 0..10_000 {
            let mut buffer = if round % 2 == 0 { noise(&mut random) } else { damaged(&valid, &mut random) };
            loop {
                let before = buffer.len();
                match next_packet(&mut buffer, MOST) {
                    Ok(Some(_)) => assert!(buffer.len() < before, "a packet consumes bytes"),
                    Ok(None) | Err(_) => break,
                }
            }
        }
    }

    fn noise(random: &mut Xoshiro256PlusPlus) -> BytesMut {
        let mut bytes = vec![0; below(random, 64)];
        random.fill_bytes(&mut bytes);
        BytesMut::from(bytes.as_slice())
    }

    fn damaged(valid: &[BytesMut], random: &mut Xoshiro256PlusPlus) -> BytesMut {
        let mut bytes = valid[below(random, valid.len())].clone();
        for _ in 0..=below(random, 3) {
            let at = below(random, bytes.len());
            bytes[at] = random.next_u32().to_le_bytes()[0];
        }
        bytes
    }

    fn below(random: &mut Xoshiro256PlusPlus, limit: usize) -> usize {
        random.next_u32() as usize % limit
    }

    fn valid_packets() -> Vec<BytesMut> {
        let mut connect = Connect::new("node-7");
        connect.last_will = Some(LastWill::new("a/b", "gone", QoS::AtLeastOnce, true));
        connect.set_login("user", "password");
        let mut publish = Publish::new("a/b", QoS::AtLeastOnce, "payload");
        publish.pkid = 7;
        let packets = [
            Packet::Connect(connect),
            Packet::Publish(publish),
            Packet::Subscribe(Subscribe::new("a/+/#", QoS::AtLeastOnce)),
            Packet::Unsubscribe(Unsubscribe::new("a/+/#")),
            Packet::PubAck(rumqttc::PubAck::new(7)),
            Packet::PingReq,
            Packet::Disconnect,
        ];
        let written = packets.iter().map(|packet| {
            let mut bytes = BytesMut::new();
            packet.write(&mut bytes, MOST).unwrap();
            bytes
        });
        written.collect()
    }
}
