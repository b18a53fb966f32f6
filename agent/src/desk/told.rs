//! How often a refusal is told: a flood of refusals must not drive what else happened out of the events.
//!
//! ```text
//!   refused ──► eighth of its reason in a minute, or before? ──► event
//!                                                     └ no ───► only counted
//! ```

use eisbach_protocol::units::Millis;

/// Refusals of one reason that are told in a minute.
pub(super) const MOST: u32 = 8;
/// From the first of them.
const MINUTE: Millis = Millis::from_secs(60);

/// What was told of one reason.
#[derive(Debug)]
struct Line {
    reason: &'static str,
    since: Millis,
    told: u32,
}

/// What was told of every reason that there was: as many as there are words.
#[derive(Debug, Default)]
pub(super) struct Told(Vec<Line>);

/// How much noise a refusal is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noise {
    /// An event and a line in the log: the first of its reason.
    First,
    /// An event.
    Event,
    /// It is counted.
    None,
}

impl Told {
    /// Takes down one more refusal.
    pub(super) fn one_more(&mut self, reason: &'static str, now: Millis) -> Noise {
        let Some(line) = self.0.iter_mut().find(|line| line.reason == reason) else {
            self.0.push(Line { reason, since: now, told: 1 });
            return Noise::First;
        };
        if now.since(line.since) >= MINUTE {
            *line = Line { reason, since: now, told: 0 };
        }
        if line.told >= MOST {
            return Noise::None;
        }
        line.told += 1;
        Noise::Event
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i05_of_one_reason_eight_a_minute_are_told() {
        let mut told = Told::default();
        let events = |told: &mut Told, reason, second| {
            let noises = (0..1000).map(|_| told.one_more(reason, Millis::from_secs(second)));
            noises.filter(|noise| *noise != Noise::None).count()
        };
        assert_eq!(events(&mut told, "malformed", 0), 8);
        assert_eq!(events(&mut told, "malformed", 59), 0);
        assert_eq!(events(&mut told, "expired", 59), 8, "every reason by itself");
        assert_eq!(events(&mut told, "malformed", 60), 8);
        assert_eq!(Told::default().one_more("busy", Millis::ZERO), Noise::First);
    }
}
