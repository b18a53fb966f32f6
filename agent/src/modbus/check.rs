//! Whether an answer belongs to its question. Nothing else turns a response into values.
//!
//! ```text
//!   asked ──┐     table, length     ┌─► words at the asked addresses
//!           ├──► echo: address, word ┼─► written
//!   heard ──┘                       └─► Foul: the connection is dropped
//!
//!   exception 01 02 03 ► Misfit    04 ► Fault    05 06 ► Busy    0A 0B ► Unreachable    the connection stays
//! ```

use eisbach_protocol::reading::BadReason;
use eisbach_protocol::registers::Table;
use thiserror::Error;

use super::bus::{Response, Span};

/// The answer does not belong to the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum Foul {
    /// Another function than the one asked.
    #[error("the answer has another function than the request")]
    Function,
    /// More or fewer values than asked.
    #[error("asked for {asked} values, the answer has {got}")]
    Length {
        /// Asked for.
        asked: usize,
        /// In the answer.
        got: usize,
    },
    /// Another address or word than written.
    #[error("wrote {word} to register {address}, the echo says {echoed_word} to {echoed_address}")]
    Echo {
        /// Written to.
        address: u16,
        /// Written.
        word: u16,
        /// Said to be written to.
        echoed_address: u16,
        /// Said to be written.
        echoed_word: u16,
    },
}

/// Why a device declines a request that it understood as a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum Refusal {
    /// Function, address or value is none of the device's: the profile does not fit.
    #[error("the device does not have this register or value")]
    Misfit,
    /// The device has a fault.
    #[error("the device reports a fault")]
    Fault,
    /// The device has no time for it now.
    #[error("the device is busy")]
    Busy,
    /// A gateway answers, the device behind it does not.
    #[error("the gateway does not reach the device")]
    Unreachable,
}

impl Refusal {
    /// The meaning of an exception code (Modbus application protocol 1.1b3, section 7).
    pub(super) const fn of(code: u8) -> Self {
        match code {
            // 07, negative acknowledge, is from the older protocol: the device cannot do this function.
            0x01..=0x03 | 0x07 => Self::Misfit,
            0x05 | 0x06 => Self::Busy,
            0x0A | 0x0B => Self::Unreachable,
            // 04, 08 (memory parity) and codes of the maker.
            _ => Self::Fault,
        }
    }

    /// What it makes of a value that was to be read.
    pub(super) const fn reason(self) -> BadReason {
        match self {
            Self::Misfit => BadReason::ConfigError,
            Self::Fault => BadReason::DeviceFault,
            Self::Busy | Self::Unreachable => BadReason::CommLost,
        }
    }
}

/// The values of `asked`, one word for each register or input, or why this is no answer to it.
pub(super) fn read(asked: Span, heard: Response) -> Result<Vec<u16>, Foul> {
    let count = usize::from(asked.count);
    let (words, carried) = match (asked.table, heard) {
        (Table::Coil, Response::Coil(inputs)) | (Table::Discrete, Response::Discrete(inputs)) => {
            let carried = inputs.len();
            (inputs.into_iter().take(count).map(u16::from).collect(), carried)
        }
        (Table::Holding, Response::Holding(words)) | (Table::Input, Response::Input(words)) => {
            let carried = words.len();
            (words, carried)
        }
        (
            Table::Coil | Table::Discrete | Table::Holding | Table::Input,
            Response::Coil(_)
            | Response::Discrete(_)
            | Response::Holding(_)
            | Response::Input(_)
            | Response::Written { .. }
            | Response::Other(_),
        ) => return Err(Foul::Function),
    };
    let whole = if asked.table.is_bits() { count.next_multiple_of(8) } else { count };
    if carried == whole { Ok(words) } else { Err(Foul::Length { asked: count, got: carried }) }
}

/// Whether `heard` confirms that `word` was written to `address`.
pub(super) fn write(address: u16, word: u16, heard: &Response) -> Result<(), Foul> {
    match *heard {
        Response::Written { address: echoed_address, word: echoed_word } => {
            if (echoed_address, echoed_word) == (address, word) {
                Ok(())
            } else {
                Err(Foul::Echo { address, word, echoed_address, echoed_word })
            }
        }
        Response::Coil(_)
        | Response::Discrete(_)
        | Response::Holding(_)
        | Response::Input(_)
        | Response::Other(_) => Err(Foul::Function),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tables() -> impl Strategy<Value = Table> {
        prop_oneof![Just(Table::Holding), Just(Table::Input), Just(Table::Discrete), Just(Table::Coil)]
    }

    fn responses() -> impl Strategy<Value = Response> {
        let words = prop::collection::vec(any::<u16>(), 0..130);
        prop_oneof![
            words.clone().prop_map(Response::Holding),
            words.prop_map(Response::Input),
            prop::collection::vec(any::<bool>(), 0..130).prop_map(Response::Discrete),
            prop::collection::vec(any::<bool>(), 0..130).prop_map(Response::Coil),
            any::<(u16, u16)>().prop_map(|(address, word)| Response::Written { address, word }),
            any::<u8>().prop_map(Response::Other),
        ]
    }

    #[test]
    fn i06_a_wrong_echo_is_no_confirmation() {
        let echo = |address, word| Response::Written { address, word };
        assert_eq!(write(10, 5, &echo(10, 5)), Ok(()));
        assert!(matches!(write(10, 5, &echo(99, 5)), Err(Foul::Echo { .. })));
        assert!(matches!(write(10, 5, &echo(10, 77)), Err(Foul::Echo { .. })));
        assert_eq!(write(10, 5, &Response::Holding(vec![10, 5])), Err(Foul::Function));
    }

    #[test]
    fn an_answer_of_another_length_has_no_values() {
        let asked = Span { table: Table::Holding, first: 0, count: 4 };
        assert_eq!(read(asked, Response::Holding(vec![7])), Err(Foul::Length { asked: 4, got: 1 }));
        assert_eq!(read(asked, Response::Holding(vec![7; 5])), Err(Foul::Length { asked: 4, got: 5 }));
    }

    #[test]
    fn inputs_come_in_whole_bytes_and_the_rest_is_cut_off() {
        let asked = Span { table: Table::Discrete, first: 0, count: 2 };
        let byte = vec![true, false, true, true, true, true, true, true];
        assert_eq!(read(asked, Response::Discrete(byte)), Ok(vec![1, 0]));
        assert_eq!(
            read(asked, Response::Discrete(vec![true, false])),
            Err(Foul::Length { asked: 2, got: 2 })
        );
    }

    #[test]
    fn every_exception_has_its_meaning() {
        for (code, reason) in [
            (0x01, BadReason::ConfigError),
            (0x02, BadReason::ConfigError),
            (0x03, BadReason::ConfigError),
            (0x04, BadReason::DeviceFault),
            (0x05, BadReason::CommLost),
            (0x06, BadReason::CommLost),
            (0x0A, BadReason::CommLost),
            (0x0B, BadReason::CommLost),
            (0x42, BadReason::DeviceFault),
        ] {
            assert_eq!(Refusal::of(code).reason(), reason, "exception {code}");
        }
    }

    proptest! {
        #[test]
        fn an_arbitrary_answer_gives_values_only_for_what_was_asked(
            table in tables(), first in any::<u16>(), count in 1..125_u16, heard in responses(),
        ) {
            let asked = Span { table, first, count };
            if let Ok(words) = read(asked, heard.clone()) {
                prop_assert_eq!(words.len(), usize::from(count));
                let carried: Vec<u16> = match (table, heard) {
                    (Table::Holding, Response::Holding(carried)) | (Table::Input, Response::Input(carried)) => carried,
                    (Table::Discrete, Response::Discrete(inputs)) | (Table::Coil, Response::Coil(inputs)) => {
                        inputs.into_iter().map(u16::from).collect()
                    }
                    (table, heard) => panic!("{heard:?} was taken for an answer from {table:?}"),
                };
                prop_assert_eq!(&carried[..words.len()], &words[..]);
            }
        }

        #[test]
        fn an_arbitrary_answer_confirms_only_what_was_written(address in any::<u16>(), word in any::<u16>(), heard in responses()) {
            let confirmed = write(address, word, &heard).is_ok();
            prop_assert_eq!(confirmed, heard == Response::Written { address, word });
        }
    }
}
