//! A fault, on which requests, and how often: `wrong-unit only writes times 3`.

use std::fmt;
use std::str::FromStr;

use super::fault::{UnknownFault, WireFault};

/// A fault as it is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Injection {
    /// What goes wrong.
    pub fault: WireFault,
    /// Which requests and their replies it touches.
    pub on: Requests,
    /// It is over after so many changes; `None` lets it last until it is cleared.
    pub times: Option<u32>,
}

/// Which requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Requests {
    /// All.
    #[default]
    All,
    /// Those that write nothing.
    Reads,
    /// Functions 5, 6, 15, 16, 22 and 23.
    Writes,
}

impl Requests {
    /// Is a request with this function among them?
    pub(super) const fn contain(self, function: u8) -> bool {
        let writes = matches!(function, 5 | 6 | 15 | 16 | 22 | 23);
        match self {
            Self::All => true,
            Self::Reads => !writes,
            Self::Writes => writes,
        }
    }
}

impl From<WireFault> for Injection {
    /// On all requests, until it is cleared.
    fn from(fault: WireFault) -> Self {
        Self { fault, on: Requests::All, times: None }
    }
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.fault)?;
        match self.on {
            Requests::All => {}
            Requests::Reads => f.write_str(" only reads")?,
            Requests::Writes => f.write_str(" only writes")?,
        }
        self.times.map_or(Ok(()), |times| write!(f, " times {times}"))
    }
}

impl FromStr for Injection {
    type Err = UnknownFault;

    fn from_str(words: &str) -> Result<Self, UnknownFault> {
        let unknown = || UnknownFault { words: words.to_owned() };
        let (rest, times) = match words.rsplit_once(" times ") {
            Some((rest, times)) => {
                (rest, Some(times.trim().parse().ok().filter(|times| *times > 0).ok_or_else(unknown)?))
            }
            None => (words, None),
        };
        let (fault, on) = match rest.rsplit_once(" only ") {
            Some((fault, "reads")) => (fault, Requests::Reads),
            Some((fault, "writes")) => (fault, Requests::Writes),
            Some(_) => return Err(unknown()),
            None => (rest, Requests::All),
        };
        Ok(Self { fault: fault.parse()?, on, times })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_injection_reads_back_from_its_own_words() {
        for on in [Requests::All, Requests::Reads, Requests::Writes] {
            for times in [None, Some(3)] {
                let injection = Injection { fault: WireFault::LateReply { ms: 7 }, on, times };
                assert_eq!(injection.to_string().parse(), Ok(injection), "{injection}");
            }
        }
    }

    #[test]
    fn half_an_injection_is_refused() {
        for words in
            ["reset times", "reset times 0", "reset times x", "reset only", "reset only both", "times 3"]
        {
            assert!(words.parse::<Injection>().is_err(), "{words}");
        }
    }
}
