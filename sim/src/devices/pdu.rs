//! One request PDU in, one response PDU out, by the Modbus application protocol V1.1b3.
//!
//! ```text
//!   function known to the device? ──no──► 01
//!   length and quantity right?    ──no──► 03
//!   every address in the map?     ──no──► 02
//!   every value allowed?          ──no──► 03       only then is anything written
//! ```

use super::device::{Device, Exception, Function};

/// Most discrete inputs in one answer.
const MAX_INPUTS: u16 = 2000;
/// Most registers in one answer.
const MAX_READ: u16 = 125;
/// Most registers in one write.
const MAX_WRITE: usize = 123;

/// What a request leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The response PDU.
    pub(super) reply: Vec<u8>,
    /// The registers that were written, in order.
    pub(super) written: Vec<(u16, u16)>,
    /// The reply is an exception.
    pub(super) refused: bool,
}

/// Carry out the request in `pdu` on `device`.
pub(super) fn answer(pdu: &[u8], device: &mut dyn Device) -> Outcome {
    let (code, body) = pdu.split_first().map_or((0, pdu), |(code, body)| (*code, body));
    match execute(code, body, device) {
        Ok((mut reply, written)) => {
            reply.insert(0, code);
            Outcome { reply, written, refused: false }
        }
        Err(exception) => {
            Outcome { reply: vec![code | 0x80, exception as u8], written: Vec::new(), refused: true }
        }
    }
}

/// The body of a response, and what was written.
type Done = (Vec<u8>, Vec<(u16, u16)>);

fn execute(code: u8, body: &[u8], device: &mut dyn Device) -> Result<Done, Exception> {
    let function = Function::from_code(code)
        .filter(|function| device.functions().contains(function))
        .ok_or(Exception::Function)?;
    match function {
        Function::ReadInputs => Ok((read_inputs(body, device)?, Vec::new())),
        Function::ReadHolding => Ok((read_registers(body, |at| device.register(at))?, Vec::new())),
        Function::ReadInputRegisters => {
            Ok((read_registers(body, |at| device.input_register(at))?, Vec::new()))
        }
        Function::WriteSingle => write_single(body, device),
        Function::WriteMultiple => write_multiple(body, device),
    }
}

fn read_inputs(body: &[u8], device: &dyn Device) -> Result<Vec<u8>, Exception> {
    let bits = addresses(body, MAX_INPUTS)?
        .map(|address| device.input(address?))
        .collect::<Option<Vec<bool>>>()
        .ok_or(Exception::Address)?;
    let bytes = bits.chunks(8).map(|eight| {
        eight.iter().rev().fold(0_u8, |byte, bit| (byte << 1) | u8::from(*bit)) // the first input is bit 0
    });
    with_count(bytes.collect())
}

fn read_registers(body: &[u8], table: impl Fn(u16) -> Option<u16>) -> Result<Vec<u8>, Exception> {
    let words = addresses(body, MAX_READ)?
        .map(|address| table(address?))
        .collect::<Option<Vec<u16>>>()
        .ok_or(Exception::Address)?;
    with_count(words.into_iter().flat_map(u16::to_be_bytes).collect())
}

fn write_single(body: &[u8], device: &mut dyn Device) -> Result<Done, Exception> {
    let &[address_high, address_low, value_high, value_low] = body else {
        return Err(Exception::Value);
    };
    let address = u16::from_be_bytes([address_high, address_low]);
    let value = u16::from_be_bytes([value_high, value_low]);
    Ok((body.to_vec(), write(&[(Some(address), value)], device)?))
}

fn write_multiple(body: &[u8], device: &mut dyn Device) -> Result<Done, Exception> {
    let Some((&[address_high, address_low, count_high, count_low, bytes], values)) = body.split_first_chunk()
    else {
        return Err(Exception::Value);
    };
    let first = u16::from_be_bytes([address_high, address_low]);
    let count = usize::from(u16::from_be_bytes([count_high, count_low]));
    if count == 0 || count > MAX_WRITE || usize::from(bytes) != 2 * count || values.len() != 2 * count {
        return Err(Exception::Value);
    }
    let (pairs, _) = values.as_chunks::<2>();
    let wanted: Vec<_> = (0..=u16::MAX)
        .map(|offset| first.checked_add(offset))
        .zip(pairs.iter().copied().map(u16::from_be_bytes))
        .collect();
    let written = write(&wanted, device)?;
    Ok((vec![address_high, address_low, count_high, count_low], written))
}

/// All or nothing: a request with one bad register changes none.
fn write(wanted: &[(Option<u16>, u16)], device: &mut dyn Device) -> Result<Vec<(u16, u16)>, Exception> {
    let mut written = Vec::with_capacity(wanted.len());
    for &(address, value) in wanted {
        let address = address.ok_or(Exception::Address)?;
        device.check(address, value)?;
        written.push((address, value));
    }
    for &(address, value) in &written {
        device.apply(address, value);
    }
    Ok(written)
}

/// The addresses that a read names; `None` for those beyond 65535.
fn addresses(body: &[u8], most: u16) -> Result<impl Iterator<Item = Option<u16>>, Exception> {
    let &[address_high, address_low, count_high, count_low] = body else {
        return Err(Exception::Value);
    };
    let first = u16::from_be_bytes([address_high, address_low]);
    let count = u16::from_be_bytes([count_high, count_low]);
    if !(1..=most).contains(&count) {
        return Err(Exception::Value);
    }
    Ok((0..count).map(move |offset| first.checked_add(offset)))
}

/// Data behind its byte count, which the quantity limits keep below 256.
fn with_count(mut data: Vec<u8>) -> Result<Vec<u8>, Exception> {
    let count = u8::try_from(data.len()).map_err(|_| Exception::Value)?;
    data.insert(0, count);
    Ok(data)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::readings::Readings;
    use super::*;

    /// Registers 0..200 hold their own address, 300..=302 are written, inputs 0..20 are every third one.
    #[derive(Default)]
    struct Plain([u16; 3]);

    impl Device for Plain {
        fn functions(&self) -> &'static [Function] {
            &[Function::ReadInputs, Function::ReadHolding, Function::WriteSingle, Function::WriteMultiple]
        }
        fn sense(&mut self, _: &Readings) {}
        fn blind(&mut self) {}
        fn tick(&mut self, _: u64) {}
        fn register(&self, address: u16) -> Option<u16> {
            match address {
                0..200 | u16::MAX => Some(address),
                300..=302 => Some(self.0[usize::from(address - 300)]),
                _ => None,
            }
        }
        fn input(&self, address: u16) -> Option<bool> {
            (address < 20).then_some(address.is_multiple_of(3))
        }
        fn check(&self, address: u16, value: u16) -> Result<(), Exception> {
            match address {
                300..=302 if value <= 1000 => Ok(()),
                300..=302 => Err(Exception::Value),
                _ => Err(Exception::Address),
            }
        }
        fn apply(&mut self, address: u16, value: u16) {
            self.0[usize::from(address - 300)] = value;
        }
    }

    fn reply(pdu: &[u8]) -> Vec<u8> {
        answer(pdu, &mut Plain::default()).reply
    }

    #[test]
    fn registers_come_high_byte_first_behind_their_count() {
        assert_eq!(reply(&[3, 0, 0x64, 0, 2]), [3, 4, 0, 0x64, 0, 0x65]);
    }

    #[test]
    fn inputs_come_lowest_bit_first() {
        assert_eq!(reply(&[2, 0, 0, 0, 10]), [2, 2, 0b0100_1001, 0b10]);
    }

    #[test]
    fn a_quantity_outside_the_limits_is_exception_03() {
        assert_eq!(reply(&[3, 0, 0, 0, 0]), [0x83, 3]);
        assert_eq!(reply(&[3, 0, 0, 0, 126]), [0x83, 3]);
        assert_eq!(reply(&[3, 0, 0, 0, 125]).len(), 2 + 250);
        assert_eq!(reply(&[2, 0, 0, 0, 0]), [0x82, 3]);
        assert_eq!(reply(&[2, 0, 0, 0x07, 0xD1]), [0x82, 3]);
        assert_eq!(reply(&[16, 1, 0x2C, 0, 0, 0]), [0x90, 3]);
    }

    #[test]
    fn a_wrong_length_is_exception_03() {
        assert_eq!(reply(&[3]), [0x83, 3]);
        assert_eq!(reply(&[3, 0, 0, 0, 1, 0]), [0x83, 3]);
        assert_eq!(reply(&[6, 1, 0x2C, 0]), [0x86, 3]);
        assert_eq!(reply(&[16, 1, 0x2C, 0, 2, 4, 0, 1, 0]), [0x90, 3], "one byte short");
        assert_eq!(reply(&[16, 1, 0x2C, 0, 2, 2, 0, 1, 0, 1]), [0x90, 3], "byte count of one register");
    }

    #[test]
    fn an_address_outside_the_map_is_exception_02() {
        assert_eq!(reply(&[3, 0, 199, 0, 2]), [0x83, 2]);
        assert_eq!(reply(&[3, 0xFF, 0xFF, 0, 2]), [0x83, 2], "beyond the last address");
        assert_eq!(reply(&[2, 0, 19, 0, 2]), [0x82, 2]);
        assert_eq!(reply(&[6, 0, 0, 0, 1]), [0x86, 2], "read only");
    }

    #[test]
    fn an_unknown_function_is_exception_01() {
        for code in [0, 1, 4, 5, 8, 15, 22, 23, 43, 100] {
            assert_eq!(reply(&[code, 0, 0, 0, 1]), [code | 0x80, 1], "function {code}");
        }
        assert_eq!(reply(&[0x83, 2]), [0x83, 1]);
        assert_eq!(reply(&[]), [0x80, 1]);
    }

    #[test]
    fn a_write_is_echoed_and_reported() {
        let mut device = Plain::default();
        let single = answer(&[6, 1, 0x2C, 0, 7], &mut device);
        assert_eq!((single.reply, single.written), (vec![6, 1, 0x2C, 0, 7], vec![(300, 7)]));
        let several = answer(&[16, 1, 0x2C, 0, 2, 4, 0, 8, 0, 9], &mut device);
        assert_eq!((several.reply, several.written), (vec![16, 1, 0x2C, 0, 2], vec![(300, 8), (301, 9)]));
        assert_eq!(device.0, [8, 9, 0]);
    }

    #[test]
    fn one_bad_register_in_a_write_changes_none() {
        let mut device = Plain::default();
        let outcome = answer(&[16, 1, 0x2C, 0, 2, 4, 0, 8, 0xFF, 0xFF], &mut device);
        assert_eq!((outcome.reply, outcome.written.len()), (vec![0x90, 3], 0));
        assert_eq!(device.0, [0; 3]);
    }

    proptest! {
        #[test]
        fn any_request_gets_an_answer_that_fits_a_frame(pdu in prop::collection::vec(any::<u8>(), 0..254)) {
            let outcome = answer(&pdu, &mut Plain::default());
            prop_assert!(!outcome.reply.is_empty() && outcome.reply.len() <= 253);
            prop_assert_eq!(outcome.reply[0] & 0x7F, pdu.first().copied().unwrap_or(0) & 0x7F);
            prop_assert!(!outcome.refused || outcome.written.is_empty());
        }
    }
}
