//! What happened, for people: who led, since when, and why.

use std::io::{self, Write};

use eisbach_control::record::{Opening, Why};
use eisbach_control::{AlarmSet, Cause, Decision, Leader, Output, Reason, Rung, StateName};
use eisbach_protocol::units::{Kelvin, Percent};

use super::player::Again;
use super::why;

/// More lines than this nobody reads.
const MOST: usize = 2000;

/// What of a decision is told when it changes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Face {
    state: StateName,
    cause: Cause,
    rung: Rung,
    call: Option<Rung>,
    pump: Cause,
    valve: Cause,
}

impl Face {
    fn of(decision: &Decision, all: bool) -> Self {
        let leads = |output: &Output<Percent>| {
            if all { (output.leader, output.reason) } else { (Leader::Normal, Reason::Nothing) }
        };
        Self {
            state: decision.state,
            cause: (decision.leader, decision.reason),
            rung: decision.rung,
            call: decision.escalation.rung(),
            pump: leads(&decision.pump),
            valve: leads(&decision.valve),
        }
    }
}

/// Notes what changes.
#[derive(Clone, Debug)]
pub(super) struct Account {
    all: bool,
    lines: Vec<String>,
    unsaid: usize,
    before: Option<Face>,
    alarms: AlarmSet,
    narrowest: Option<(Kelvin, u64)>,
    ends: Option<(u64, u64)>,
    states: Vec<(StateName, u64)>,
}

impl Account {
    pub(super) const fn new(all: bool) -> Self {
        Self {
            all,
            lines: Vec::new(),
            unsaid: 0,
            before: None,
            alarms: AlarmSet::NONE,
            narrowest: None,
            ends: None,
            states: Vec::new(),
        }
    }

    pub(super) fn opened(&mut self, opening: &Opening) {
        if opening.why != Why::Continued || self.ends.is_none() {
            self.say(opening.wall_ms, &format!("{}, version {}", why(opening.why), opening.made_by));
        }
    }

    pub(super) fn damaged(&mut self, at: usize, length: usize) {
        let last = self.ends.map_or(0, |(_, last)| last);
        self.say(last, &format!("{length} bytes from {at} are damaged; what follows begins anew"));
    }

    pub(super) fn step(&mut self, again: &Again) {
        let (at, decision) = (again.wall_ms, &again.decision);
        self.ends = Some((self.ends.map_or(at, |(first, _)| first), at));
        match self.states.iter_mut().find(|(state, _)| *state == decision.state) {
            Some((_, steps)) => *steps += 1,
            None => self.states.push((decision.state, 1)),
        }
        if let Some(margin) = decision.hottest_margin
            && self.narrowest.is_none_or(|(narrowest, _)| margin < narrowest)
        {
            self.narrowest = Some((margin, at));
        }
        let face = Face::of(decision, self.all);
        if self.before != Some(face) {
            self.before = Some(face);
            self.say(at, &told(decision));
        }
        self.alarms_at(at, decision.alarms);
    }

    fn alarms_at(&mut self, at: u64, alarms: AlarmSet) {
        if alarms == self.alarms {
            return;
        }
        let before = std::mem::replace(&mut self.alarms, alarms);
        for alarm in alarms.iter().filter(|alarm| !before.has(*alarm)) {
            self.say(at, &format!("  condition of alarm {} holds", alarm.def().name));
        }
        for alarm in before.iter().filter(|alarm| !alarms.has(*alarm)) {
            self.say(at, &format!("  condition of alarm {} is gone", alarm.def().name));
        }
    }

    fn say(&mut self, at: u64, what: &str) {
        if self.lines.len() < MOST {
            self.lines.push(format!("{}  {what}", clock(at)));
        } else {
            self.unsaid += 1;
        }
    }

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        self.lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
        if self.unsaid > 0 {
            writeln!(out, "and {} lines more", self.unsaid)?;
        }
        if let Some((first, last)) = self.ends {
            writeln!(out, "from {} to {}", date(first), date(last))?;
        }
        for (state, steps) in &self.states {
            writeln!(out, "in {}: {} s", state.as_str(), tenths(*steps))?;
        }
        if let Some((margin, at)) = self.narrowest {
            writeln!(out, "smallest margin: {margin:.1} at {}", clock(at))?;
        }
        Ok(())
    }
}

/// A decision in one line.
fn told(decision: &Decision) -> String {
    let because = |leader: Leader, reason: Reason| format!("{}: {}", leader.as_str(), reason.as_str());
    let output = |name: &str, output: &Output<Percent>| {
        let value = output.value.map_or_else(|| "as it is".to_owned(), |value| format!("{value:.1}"));
        format!("{name} {value} ({})", because(output.leader, output.reason))
    };
    let margin =
        decision.hottest_margin.map_or_else(|| "unknown".to_owned(), |margin| format!("{margin:.1}"));
    let call = decision.escalation.rung().map_or_else(String::new, |rung| format!("; asks for {rung:?}"));
    format!(
        "{} ({}); rung {:?}{call}; margin {margin}; {}; {}",
        decision.state.as_str(),
        because(decision.leader, decision.reason),
        decision.rung,
        output("pump", &decision.pump),
        output("valve", &decision.valve),
    )
}

fn tenths(steps: u64) -> String {
    format!("{}.{}", steps / 10, steps % 10)
}

/// Time of day in UTC, to the millisecond.
pub(super) fn clock(wall_ms: u64) -> String {
    let (seconds, millis) = (wall_ms / 1000 % 86_400, wall_ms % 1000);
    format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Date and time of day in UTC.
fn date(wall_ms: u64) -> String {
    let (year, month, day) = civil(wall_ms / 86_400_000);
    format!("{year:04}-{month:02}-{day:02} {} UTC", clock(wall_ms))
}

/// The Gregorian date, so many days after 1970-01-01.
fn civil(days: u64) -> (u64, u64, u64) {
    // In eras of 400 years that begin on 1 March, so that the leap day is the last of a year.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_in_utc() {
        assert_eq!(date(0), "1970-01-01 00:00:00.000 UTC");
        assert_eq!(date(951_782_400_000), "2000-02-29 00:00:00.000 UTC");
        assert_eq!(date(1_795_861_292_345), "2026-11-28 10:21:32.345 UTC");
    }
}
