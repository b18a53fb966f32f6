//! The Modbus TCP frame.
//!
//! ```text
//!   transaction u16 │ protocol u16 = 0 │ length u16 │ unit u8 │ PDU of length − 1 bytes, 253 at most
//! ```

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest PDU that the specification allows.
const MAX_PDU: u16 = 253;
/// Bytes before the PDU.
const HEADER: usize = 7;

/// One request or reply as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Chosen by the master, to be sent back; 0 on a serial line, which has none.
    pub(crate) transaction: u16,
    /// The device that is meant.
    pub(crate) unit: u8,
    /// Function code and data, at least one byte.
    pub(crate) pdu: Vec<u8>,
}

/// A header that is not Modbus. The stream has lost its frame boundaries, so it has to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the header is not Modbus TCP")]
pub(crate) struct NotModbus;

impl From<NotModbus> for io::Error {
    fn from(not_modbus: NotModbus) -> Self {
        Self::new(io::ErrorKind::InvalidData, not_modbus)
    }
}

impl Frame {
    /// Read the next frame. Not cancel-safe; where that is needed there is [`Deframer`].
    ///
    /// # Errors
    /// Those of the stream, and `InvalidData` for [`NotModbus`].
    pub(crate) async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Self> {
        let mut header = [0; HEADER];
        stream.read_exact(&mut header).await?;
        let (mut frame, length) = Self::headed(header)?;
        frame.pdu.resize(length, 0);
        stream.read_exact(&mut frame.pdu).await?;
        Ok(frame)
    }

    /// The answer to this frame, as bytes.
    pub(crate) fn answer(&self, pdu: &[u8]) -> Vec<u8> {
        Self { pdu: pdu.to_vec(), ..*self }.encode()
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        // No answer is longer than a PDU may be; `pdu.rs` proves it.
        let length = u16::try_from(self.pdu.len() + 1).unwrap_or(u16::MAX);
        let mut bytes = Vec::with_capacity(HEADER + self.pdu.len());
        bytes.extend(self.transaction.to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(length.to_be_bytes());
        bytes.push(self.unit);
        bytes.extend(&self.pdu);
        bytes
    }

    /// The function code.
    pub(crate) fn function(&self) -> u8 {
        self.pdu.first().copied().unwrap_or_default()
    }

    /// A frame that has no PDU yet, and the length of its PDU.
    fn headed([t0, t1, p0, p1, l0, l1, unit]: [u8; HEADER]) -> Result<(Self, usize), NotModbus> {
        let length = u16::from_be_bytes([l0, l1]);
        if (p0, p1) != (0, 0) || !(2..=1 + MAX_PDU).contains(&length) {
            return Err(NotModbus);
        }
        let frame = Self { transaction: u16::from_be_bytes([t0, t1]), unit, pdu: Vec::new() };
        Ok((frame, usize::from(length) - 1))
    }
}

/// Finds frames in bytes that come in any portions.
#[derive(Debug, Default)]
pub(crate) struct Deframer {
    buffer: Vec<u8>,
}

impl Deframer {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend(bytes);
    }

    /// The next whole frame.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, NotModbus> {
        let Some((header, rest)) = self.buffer.split_first_chunk() else { return Ok(None) };
        let (mut frame, length) = Frame::headed(*header)?;
        let Some(pdu) = rest.get(..length) else { return Ok(None) };
        frame.pdu = pdu.to_vec();
        self.buffer.drain(..HEADER + length);
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    async fn read(mut bytes: &[u8]) -> Result<Frame, io::ErrorKind> {
        Frame::read(&mut bytes).await.map_err(|error| error.kind())
    }

    #[tokio::test]
    async fn a_frame_is_read_whole() {
        let frame = read(&[0x12, 0x34, 0, 0, 0, 6, 9, 3, 0, 1, 0, 2]).await.unwrap();
        assert_eq!(frame, Frame { transaction: 0x1234, unit: 9, pdu: vec![3, 0, 1, 0, 2] });
        assert_eq!(frame.answer(&[3, 2, 0, 7]), [0x12, 0x34, 0, 0, 0, 5, 9, 3, 2, 0, 7]);
    }

    #[tokio::test]
    async fn a_header_that_is_not_modbus_is_invalid() {
        assert_eq!(read(&[0, 1, 0, 9, 0, 2, 1, 3]).await, Err(io::ErrorKind::InvalidData), "protocol");
        assert_eq!(read(&[0, 1, 0, 0, 0, 1, 1]).await, Err(io::ErrorKind::InvalidData), "no PDU");
        assert_eq!(read(&[0, 1, 0, 0, 0, 255, 1]).await, Err(io::ErrorKind::InvalidData), "too long");
        assert_eq!(read(&[0, 1, 0, 0, 0, 6, 1, 3]).await, Err(io::ErrorKind::UnexpectedEof), "cut off");
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_frames(
            sent in prop::collection::vec((any::<u16>(), any::<u8>(), prop::collection::vec(any::<u8>(), 1..254)), 1..5),
            portion in 1_usize..300,
        ) {
            let sent: Vec<_> =
                sent.into_iter().map(|(transaction, unit, pdu)| Frame { transaction, unit, pdu }).collect();
            let stream: Vec<u8> = sent.iter().flat_map(Frame::encode).collect();
            let mut deframer = Deframer::default();
            let mut found = Vec::new();
            for bytes in stream.chunks(portion) {
                deframer.push(bytes);
                found.extend(std::iter::from_fn(|| deframer.next().unwrap()));
            }
            prop_assert_eq!(found, sent);
            prop_assert!(deframer.buffer.is_empty());
        }
    }
}
