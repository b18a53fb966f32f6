//! What can go wrong between a master and a device, and what does it on a real bus.

use std::fmt;
use std::str::FromStr;

use super::Line;

/// Longest time that a fault may ask for, ms.
const LONGEST_MS: u64 = 60_000;

/// One fault of the wire. It lasts until it is cleared or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireFault {
    /// Each reply comes late, with the transaction of its own request; the master may have gone on by then. An
    /// overloaded gateway, a slow device, a queue in a switch.
    LateReply {
        /// By this many ms, at most 60 000.
        ms: u64,
    },
    /// Each request is answered by the reply to the one before it. What a late reply becomes when the master has sent
    /// its next request: on RTU nothing tells the two apart. Without a wait, so that a test is sure of it.
    OneBehind,
    /// The first half of each reply, then silence; on Modbus TCP nothing more comes on the connection. A driver that
    /// is switched off too early, a device that dies while it sends.
    HalfFrame,
    /// The transaction that comes after the one that was asked. A gateway that mixes up its clients.
    WrongTransaction,
    /// Another unit answers, with a right checksum. Two units on one address, a gateway with a wrong table.
    WrongUnit,
    /// Another function answers: holding for input registers, one register for several. Broken firmware.
    WrongFunction,
    /// One register less or more than was asked, everything else consistent. A profile that is off by one, broken
    /// firmware.
    WrongLength(Length),
    /// The echo of a write is not what was written; reads pass. The write was clipped, or it went elsewhere.
    WrongEcho(Echoed),
    /// RTU: one bit of the checksum is wrong, as after noise on the line. Modbus TCP: the protocol of the header, as
    /// after a stream that has lost its boundaries.
    CrcFlip,
    /// Each request is answered with a TCP reset. A firewall that forgot the connection, a device that restarts.
    Reset,
    /// Connections are accepted, requests are taken, nobody hears them. A hung device behind a living TCP stack; on a
    /// serial line, a cut wire.
    AcceptSilent,
    /// At most so many connections; those beyond are closed at once. Devices with 1 to 4 sockets are common.
    ConnectionLimit(usize),
    /// All registers of a read hold the marker. A sensor that is gone, a measurement that has not begun.
    Marker(Marker),
    /// Each distinct read is answered with the reply that it got first. A gateway that serves from its cache, a
    /// measuring task that hangs.
    Frozen,
    /// Someone else writes a register, on a connection of their own. A second master, a building management system.
    ForeignWriter {
        /// Unit that is written to.
        unit: u8,
        /// Register.
        address: u16,
        /// What they write.
        value: u16,
        /// How often, ms.
        every_ms: u64,
    },
    /// The unit restarts: connections break, the register is at its default. Happens once and is over.
    UnitRestart {
        /// Unit that restarts.
        unit: u8,
        /// Register that goes back.
        address: u16,
        /// Its default.
        value: u16,
    },
    /// Each byte of a reply waits. A radio link, a gateway that forwards byte by byte at 300 baud.
    SlowDrip {
        /// Before each byte, ms.
        ms: u64,
    },
    /// Each request is answered with this exception and does not reach the device: 1 to 11.
    Exception(u8),
    /// Nobody hears the requests to this unit, the others are there. A dead unit on a shared bus.
    SilentUnit(u8),
    /// Unasked bytes come before each reply: on Modbus TCP a whole frame of another transaction, on RTU noise. A
    /// floating line without bias resistors, a gateway that hands out what another client asked for.
    Babble,
    /// The master hears itself before the reply. A two-wire adapter that does not mute its receiver.
    Echo,
}

/// How a reply's length is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// One register less.
    Short,
    /// One register more.
    Long,
}

/// What is wrong in the echo of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echoed {
    /// The address, by one.
    Address,
    /// The value, or the number of registers, by one.
    Value,
}

/// A word that stands for "no value".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// 0xFFFF.
    Ones,
    /// 0x7FC0 in every word: a quiet NaN in either word order.
    NotANumber,
    /// 0x8000, the smallest i16.
    Smallest,
}

/// Words that are no fault, and what would be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{words}\" is no fault of the wire; known are: {}", WireFault::usage())]
pub struct UnknownFault {
    /// What was given.
    pub words: String,
}

impl WireFault {
    /// One of each kind, with parameters as a test may want them.
    pub const ALL: [Self; 21] = [
        Self::LateReply { ms: 1500 },
        Self::OneBehind,
        Self::HalfFrame,
        Self::WrongTransaction,
        Self::WrongUnit,
        Self::WrongFunction,
        Self::WrongLength(Length::Short),
        Self::WrongEcho(Echoed::Value),
        Self::CrcFlip,
        Self::Reset,
        Self::AcceptSilent,
        Self::ConnectionLimit(0),
        Self::Marker(Marker::Ones),
        Self::Frozen,
        Self::ForeignWriter { unit: 1, address: 103, value: 2500, every_ms: 200 },
        Self::UnitRestart { unit: 1, address: 103, value: 0 },
        Self::SlowDrip { ms: 100 },
        Self::Exception(4),
        Self::SilentUnit(1),
        Self::Babble,
        Self::Echo,
    ];

    /// Its name, which is the same whatever its parameters are.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LateReply { .. } => "late-reply",
            Self::OneBehind => "one-behind",
            Self::HalfFrame => "half-frame",
            Self::WrongTransaction => "wrong-transaction",
            Self::WrongUnit => "wrong-unit",
            Self::WrongFunction => "wrong-function",
            Self::WrongLength(_) => "wrong-length",
            Self::WrongEcho(_) => "wrong-echo",
            Self::CrcFlip => "crc-flip",
            Self::Reset => "reset",
            Self::AcceptSilent => "accept-silent",
            Self::ConnectionLimit(_) => "connection-limit",
            Self::Marker(_) => "marker",
            Self::Frozen => "frozen",
            Self::ForeignWriter { .. } => "foreign-writer",
            Self::UnitRestart { .. } => "unit-restart",
            Self::SlowDrip { .. } => "slow-drip",
            Self::Exception(_) => "exception",
            Self::SilentUnit(_) => "silent-unit",
            Self::Babble => "babble",
            Self::Echo => "echo",
        }
    }

    /// Can it happen on such a line?
    #[must_use]
    pub const fn fits(self, line: Line) -> bool {
        match self {
            Self::WrongTransaction => matches!(line, Line::Tcp),
            Self::Reset | Self::ConnectionLimit(_) => matches!(line, Line::Tcp | Line::RtuOverTcp),
            Self::Echo => matches!(line, Line::RtuOverTcp | Line::Pty),
            Self::LateReply { .. }
            | Self::OneBehind
            | Self::HalfFrame
            | Self::WrongUnit
            | Self::WrongFunction
            | Self::WrongLength(_)
            | Self::WrongEcho(_)
            | Self::CrcFlip
            | Self::AcceptSilent
            | Self::Marker(_)
            | Self::Frozen
            | Self::ForeignWriter { .. }
            | Self::UnitRestart { .. }
            | Self::SlowDrip { .. }
            | Self::Exception(_)
            | Self::SilentUnit(_)
            | Self::Babble => true,
        }
    }

    /// What can be said, for an error message.
    fn usage() -> String {
        let one = |fault: Self| [fault.name(), fault.parameters()].join(" ").trim_end().to_owned();
        Self::ALL.map(one).join(", ")
    }

    const fn parameters(self) -> &'static str {
        match self {
            Self::LateReply { .. } | Self::SlowDrip { .. } => "MS",
            Self::WrongLength(_) => "short|long",
            Self::WrongEcho(_) => "address|value",
            Self::ConnectionLimit(_) => "NUMBER",
            Self::Marker(_) => "ffff|nan|8000",
            Self::ForeignWriter { .. } => "UNIT ADDRESS VALUE MS",
            Self::UnitRestart { .. } => "UNIT ADDRESS VALUE",
            Self::Exception(_) => "1..11",
            Self::SilentUnit(_) => "UNIT",
            Self::OneBehind
            | Self::HalfFrame
            | Self::WrongTransaction
            | Self::WrongUnit
            | Self::WrongFunction
            | Self::CrcFlip
            | Self::Reset
            | Self::AcceptSilent
            | Self::Frozen
            | Self::Babble
            | Self::Echo => "",
        }
    }
}

impl Marker {
    pub(super) const fn word(self) -> [u8; 2] {
        match self {
            Self::Ones => [0xFF, 0xFF],
            Self::NotANumber => [0x7F, 0xC0],
            Self::Smallest => [0x80, 0x00],
        }
    }
}

impl fmt::Display for WireFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::LateReply { ms } | Self::SlowDrip { ms } => write!(f, " {ms}"),
            Self::WrongLength(Length::Short) => f.write_str(" short"),
            Self::WrongLength(Length::Long) => f.write_str(" long"),
            Self::WrongEcho(Echoed::Address) => f.write_str(" address"),
            Self::WrongEcho(Echoed::Value) => f.write_str(" value"),
            Self::ConnectionLimit(number) => write!(f, " {number}"),
            Self::Marker(Marker::Ones) => f.write_str(" ffff"),
            Self::Marker(Marker::NotANumber) => f.write_str(" nan"),
            Self::Marker(Marker::Smallest) => f.write_str(" 8000"),
            Self::ForeignWriter { unit, address, value, every_ms } => {
                write!(f, " {unit} {address} {value} {every_ms}")
            }
            Self::UnitRestart { unit, address, value } => write!(f, " {unit} {address} {value}"),
            Self::Exception(number) | Self::SilentUnit(number) => write!(f, " {number}"),
            Self::OneBehind
            | Self::HalfFrame
            | Self::WrongTransaction
            | Self::WrongUnit
            | Self::WrongFunction
            | Self::CrcFlip
            | Self::Reset
            | Self::AcceptSilent
            | Self::Frozen
            | Self::Babble
            | Self::Echo => Ok(()),
        }
    }
}

impl FromStr for WireFault {
    type Err = UnknownFault;

    fn from_str(words: &str) -> Result<Self, UnknownFault> {
        let split: Vec<&str> = words.split_whitespace().collect();
        parse(&split).ok_or_else(|| UnknownFault { words: words.to_owned() })
    }
}

fn parse(words: &[&str]) -> Option<WireFault> {
    let fault = match *words {
        ["late-reply", ms] => WireFault::LateReply { ms: time(ms)? },
        ["one-behind"] => WireFault::OneBehind,
        ["half-frame"] => WireFault::HalfFrame,
        ["wrong-transaction"] => WireFault::WrongTransaction,
        ["wrong-unit"] => WireFault::WrongUnit,
        ["wrong-function"] => WireFault::WrongFunction,
        ["wrong-length", "short"] => WireFault::WrongLength(Length::Short),
        ["wrong-length", "long"] => WireFault::WrongLength(Length::Long),
        ["wrong-echo", "address"] => WireFault::WrongEcho(Echoed::Address),
        ["wrong-echo", "value"] => WireFault::WrongEcho(Echoed::Value),
        ["crc-flip"] => WireFault::CrcFlip,
        ["reset"] => WireFault::Reset,
        ["accept-silent"] => WireFault::AcceptSilent,
        ["connection-limit", number] => WireFault::ConnectionLimit(number.parse().ok()?),
        ["marker", "ffff"] => WireFault::Marker(Marker::Ones),
        ["marker", "nan"] => WireFault::Marker(Marker::NotANumber),
        ["marker", "8000"] => WireFault::Marker(Marker::Smallest),
        ["frozen"] => WireFault::Frozen,
        ["foreign-writer", unit, address, value, every] => WireFault::ForeignWriter {
            unit: unit.parse().ok()?,
            address: address.parse().ok()?,
            value: value.parse().ok()?,
            every_ms: time(every).filter(|ms| *ms > 0)?,
        },
        ["unit-restart", unit, address, value] => WireFault::UnitRestart {
            unit: unit.parse().ok()?,
            address: address.parse().ok()?,
            value: value.parse().ok()?,
        },
        ["slow-drip", ms] => WireFault::SlowDrip { ms: time(ms)? },
        ["exception", code] => {
            WireFault::Exception(code.parse().ok().filter(|code| (1..=11).contains(code))?)
        }
        ["silent-unit", unit] => WireFault::SilentUnit(unit.parse().ok()?),
        ["babble"] => WireFault::Babble,
        ["echo"] => WireFault::Echo,
        _ => return None,
    };
    Some(fault)
}

fn time(ms: &str) -> Option<u64> {
    ms.parse().ok().filter(|ms| *ms <= LONGEST_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_reads_back_from_its_own_words() {
        let more = [
            WireFault::WrongLength(Length::Long),
            WireFault::WrongEcho(Echoed::Address),
            WireFault::Marker(Marker::NotANumber),
            WireFault::Marker(Marker::Smallest),
        ];
        for fault in WireFault::ALL.into_iter().chain(more) {
            assert_eq!(fault.to_string().parse(), Ok(fault), "{fault}");
            assert_eq!(fault.to_string().split(' ').next(), Some(fault.name()));
        }
    }

    #[test]
    fn no_two_faults_have_one_name() {
        let mut names = WireFault::ALL.map(WireFault::name);
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }

    #[test]
    fn what_is_no_fault_is_answered_with_all_faults() {
        let wrong = ["", "late-reply", "late-reply -1", "late-reply 60001", "late-reply 1 2", "exception 12"];
        for words in
            wrong.into_iter().chain(["exception 0", "marker 7fff", "foreign-writer 1 2 3 0", "Reset"])
        {
            let error = words.parse::<WireFault>().unwrap_err().to_string();
            assert!(error.contains("late-reply MS") && error.contains("echo"), "{error}");
        }
    }

    #[test]
    fn each_line_has_the_faults_that_it_can_have() {
        let count = |line| WireFault::ALL.into_iter().filter(|fault| fault.fits(line)).count();
        assert_eq!((count(Line::Tcp), count(Line::RtuOverTcp), count(Line::Pty)), (20, 20, 18));
    }
}
