//! RTU frames: on a serial port, or through a gateway that hands bytes through.
//!
//! ```text
//!   request ─► codec ─► shim ─► wire ─► shim ─► codec ─► is that all that was heard? ─► response
//!                                                                     └─ no ─► CallError
//! ```
//!
//! The codec looks for a frame in whatever it hears: it skips up to 20 bytes before one and leaves what follows. So
//! a late answer before the right one would be taken, and a broken one searched for something that fits. Here an
//! answer counts only if the frame is all that was heard since the request.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_modbus::Slave;
use tokio_modbus::client::{Context, rtu};

use super::address::LineSettings;
use super::call::call;
use super::shim::{Meter, Shim};
use crate::modbus::bus::{Bus, CallError, Request, Response};

/// Unit, function, error code, checksum.
const EXCEPTION_BYTES: usize = 5;
/// Unit, function, address, word, checksum.
const ECHO_BYTES: usize = 8;
/// Unit, function, length, checksum.
const AROUND_DATA: usize = 5;

/// A line with RTU devices.
pub(super) struct RtuBus {
    context: Context,
    meter: Arc<Meter>,
}

impl RtuBus {
    pub(super) fn attach(
        wire: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        line: LineSettings,
    ) -> Self {
        let shim = Shim::new(wire, line);
        let meter = shim.meter();
        // The unit is set by each call; until then nobody is addressed.
        Self { context: rtu::attach_slave(shim, Slave(0)), meter }
    }

    /// `bytes` are the whole frame.
    fn alone(&self, bytes: usize) -> Result<(), CallError> {
        match self.meter.answered() {
            heard if heard == bytes => Ok(()),
            heard => Err(CallError::Header(format!(
                "the answer has {bytes} bytes, but {heard} were heard; look for noise on the line or a second master"
            ))),
        }
    }
}

impl Bus for RtuBus {
    async fn call(&mut self, unit: u8, request: Request) -> Result<Response, CallError> {
        let answer = call(&mut self.context, unit, request).await;
        match &answer {
            Ok(Response::Holding(words) | Response::Input(words)) => {
                self.alone(AROUND_DATA + 2 * words.len())?;
            }
            Ok(Response::Coil(bits) | Response::Discrete(bits)) => {
                self.alone(AROUND_DATA + bits.len().div_ceil(8))?;
            }
            Ok(Response::Written { .. }) => self.alone(ECHO_BYTES)?,
            Err(CallError::Exception(_)) => self.alone(EXCEPTION_BYTES)?,
            Ok(Response::Other(_))
            | Err(CallError::Transport(_) | CallError::Header(_) | CallError::Broadcast) => {}
        }
        answer
    }

    fn drained(&self) -> u64 {
        self.meter.drained()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modbus::bus::Span;
    use eisbach_protocol::registers::Table;
    use proptest::prelude::*;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::timeout;
    use tokio_serial::SerialStream;

    const UNIT: u8 = 7;

    fn line() -> (RtuBus, DuplexStream) {
        let (near, far) = duplex(4096);
        (RtuBus::attach(near, LineSettings::default()), far)
    }

    /// A frame made by hand: nothing here comes from the code under test.
    fn frame(body: &[u8]) -> Vec<u8> {
        let crc = body.iter().fold(0xFFFF_u16, |crc, &byte| {
            (0..8).fold(crc ^ u16::from(byte), |crc, _bit| (crc >> 1) ^ (0xA001 * (crc & 1)))
        });
        [body, &crc.to_le_bytes()].concat()
    }

    /// A frame with the words of holding registers.
    fn holding(words: &[u16]) -> Vec<u8> {
        let data: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        frame(&[&[UNIT, 3, u8::try_from(data.len()).unwrap()], &*data].concat())
    }

    fn read(address: u16) -> Request {
        Request::Read(Span::register(address))
    }

    fn read_bits(table: Table) -> Request {
        Request::Read(Span { table, first: 4, count: 10 })
    }

    /// Hears one request and says `answer`.
    async fn answer(far: &mut (impl AsyncRead + AsyncWrite + Unpin), answer: impl AsRef<[u8]>) -> [u8; 8] {
        let mut request = [0; 8];
        far.read_exact(&mut request).await.unwrap();
        far.write_all(answer.as_ref()).await.unwrap();
        request
    }

    /// What a call brings within its deadline when the device answers with these bytes.
    async fn exchange(request: Request, bytes: &[u8]) -> Result<Response, CallError> {
        let (mut bus, mut far) = line();
        let call = timeout(Duration::from_millis(500), bus.call(UNIT, request));
        let (outcome, _) = tokio::join!(call, answer(&mut far, bytes));
        outcome.unwrap_or_else(|late| Err(CallError::Transport(late.into())))
    }

    #[tokio::test(start_paused = true)]
    async fn each_request_is_the_frame_of_the_standard_and_each_answer_its_values() {
        let bits: Vec<bool> = (0..16).map(|bit| bit % 3 == 0).collect();
        let bit_data = [2, 0b0100_1001, 0b1001_0010];
        for (request, asked, answered, expected) in [
            (read(0x0102), vec![3, 1, 2, 0, 1], vec![3, 2, 0xAB, 0xCD], Response::Holding(vec![0xABCD])),
            (
                Request::Read(Span { table: Table::Input, first: 300, count: 2 }),
                vec![4, 1, 44, 0, 2],
                vec![4, 4, 0, 1, 0, 2],
                Response::Input(vec![1, 2]),
            ),
            (
                read_bits(Table::Coil),
                vec![1, 0, 4, 0, 10],
                [&[1], &bit_data[..]].concat(),
                Response::Coil(bits.clone()),
            ),
            (
                read_bits(Table::Discrete),
                vec![2, 0, 4, 0, 10],
                [&[2], &bit_data[..]].concat(),
                Response::Discrete(bits),
            ),
            (
                Request::Write { address: 10, word: 0x0506 },
                vec![6, 0, 10, 5, 6],
                vec![6, 0, 10, 5, 6],
                Response::Written { address: 10, word: 0x0506 },
            ),
        ] {
            let (mut bus, mut far) = line();
            let reply = frame(&[&[UNIT], &*answered].concat());
            let (heard, sent) = tokio::join!(bus.call(UNIT, request), answer(&mut far, &reply));
            assert_eq!(sent, *frame(&[&[UNIT], &*asked].concat()));
            assert_eq!(heard.unwrap(), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_exception_leaves_the_line_sound() {
        let (mut bus, mut far) = line();
        let exception = frame(&[UNIT, 0x83, 2]);
        let (declined, _) = tokio::join!(bus.call(UNIT, read(1)), answer(&mut far, &exception));
        assert!(matches!(declined, Err(CallError::Exception(2))));
        let (heard, _) = tokio::join!(bus.call(UNIT, read(2)), answer(&mut far, holding(&[200])));
        assert_eq!(heard.unwrap(), Response::Holding(vec![200]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_answer_before_the_next_request_is_never_read() {
        let (mut bus, mut far) = line();
        timeout(Duration::from_millis(500), bus.call(UNIT, read(1))).await.unwrap_err();
        let mut lost = [0; 8];
        far.read_exact(&mut lost).await.unwrap();
        far.write_all(&holding(&[100])).await.unwrap();

        let (heard, _) = tokio::join!(bus.call(UNIT, read(2)), answer(&mut far, holding(&[200])));
        assert_eq!(heard.unwrap(), Response::Holding(vec![200]));
        assert_eq!(bus.drained(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_with_anything_around_it_is_none() {
        let good = holding(&[200]);
        for heard in
            [[&*holding(&[100]), &*good].concat(), [&[0], &*good].concat(), [&*good, &[0xFF]].concat()]
        {
            let outcome = exchange(read(2), &heard).await;
            assert!(matches!(outcome, Err(CallError::Header(_))), "{heard:02X?} gave {outcome:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_of_another_unit_or_function_is_none() {
        for body in [&[UNIT + 1, 3, 2, 0, 200][..], &[UNIT, 4, 2, 0, 200], &[UNIT, 6, 0, 2, 0, 200]] {
            let outcome = exchange(read(2), &frame(body)).await;
            assert!(matches!(outcome, Err(CallError::Header(_))), "{body:02X?} gave {outcome:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn noise_ends_the_call_with_an_error() {
        let outcome = exchange(read(2), &[0x55; 64]).await;
        assert!(matches!(outcome, Err(CallError::Transport(_))), "{outcome:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_ends_is_told() {
        let (mut bus, mut far) = line();
        let device = async {
            answer(&mut far, []).await;
            drop(far);
        };
        let (outcome, ()) = tokio::join!(bus.call(UNIT, read(1)), device);
        assert_eq!(outcome.unwrap_err().to_string(), "the device closed the connection");
    }

    #[tokio::test]
    async fn it_works_on_a_terminal_of_the_system_too() {
        let (near, mut far) = SerialStream::pair().unwrap();
        let mut bus = RtuBus::attach(near, LineSettings::default());
        for word in [100, 200, 300] {
            far.write_all(&holding(&[666])).await.unwrap();
            let (heard, _) = tokio::join!(bus.call(UNIT, read(word)), answer(&mut far, holding(&[word])));
            assert_eq!(heard.unwrap(), Response::Holding(vec![word]));
        }
        assert_eq!(bus.drained(), 21);
    }

    proptest! {
        #[test]
        fn no_bytes_but_the_right_frame_are_an_answer(noise in prop::collection::vec(any::<u8>(), 0..40), at in 0..3_usize) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap();
            let good = holding(&[200]);
            let heard = match at {
                0 => noise.clone(),
                1 => [&*noise, &*good].concat(),
                _ => [&*good, &*noise].concat(),
            };
            let outcome = runtime.block_on(exchange(read(2), &heard));
            let right = at > 0 && noise.is_empty();
            prop_assert_eq!(outcome.is_ok(), right, "{:02X?} gave {:?}", heard, outcome);
        }
    }
}
