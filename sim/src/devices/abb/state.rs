//! The state machine of the ABB Drives profile: what a control word makes of the one before.

use super::status;

/// Bits of the control word.
pub(super) mod control {
    pub(in super::super) const OFF1: u16 = 1 << 0;
    pub(in super::super) const OFF2: u16 = 1 << 1;
    pub(in super::super) const OFF3: u16 = 1 << 2;
    pub(in super::super) const INHIBIT_OPERATION: u16 = 1 << 3;
    pub(in super::super) const RAMP_OUT_ZERO: u16 = 1 << 4;
    pub(in super::super) const RAMP_IN_ZERO: u16 = 1 << 6;
    pub(in super::super) const RESET: u16 = 1 << 7;
    pub(in super::super) const REMOTE_CMD: u16 = 1 << 10;
}

/// Every stop released, the ramp free, and switched on.
pub(super) const RUN: u16 = 0x047F;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    SwitchOnInhibited,
    ReadyToSwitchOn,
    ReadyToOperate,
    Running,
}

/// The last control word, what of it was obeyed, and the state that this has led to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Profile {
    word: u16,
    obeyed: u16,
    state: State,
}

impl Profile {
    /// As an earlier master left it.
    pub(super) fn running() -> Self {
        Self { word: RUN, obeyed: RUN, state: State::Running }
    }

    pub(super) fn word(self) -> u16 {
        self.word
    }

    pub(super) fn rises(self, word: u16, bit: u16) -> bool {
        word & !self.word & bit != 0
    }

    pub(super) fn is_remote(self) -> bool {
        self.word & control::REMOTE_CMD != 0
    }

    pub(super) fn is_inhibited(self) -> bool {
        self.state == State::SwitchOnInhibited
    }

    pub(super) fn is_switched_on(self) -> bool {
        matches!(self.state, State::ReadyToOperate | State::Running)
    }

    pub(super) fn runs(self) -> bool {
        self.state == State::Running
    }

    /// Whether the ramp lets the reference through; otherwise it is zero.
    pub(super) fn follows_reference(self) -> bool {
        let free = control::RAMP_OUT_ZERO | control::RAMP_IN_ZERO;
        self.obeyed & free == free
    }

    /// The status bits that repeat the stops.
    pub(super) fn off_bits(self) -> u16 {
        let is = |bit| self.obeyed & bit != 0;
        (u16::from(is(control::OFF2)) * status::OFF_2) | (u16::from(is(control::OFF3)) * status::OFF_3)
    }

    /// A fault, or its reset, ends in switch-on inhibited.
    pub(super) fn inhibit(&mut self, word: u16) {
        *self = Self { word, obeyed: word, state: State::SwitchOnInhibited };
    }

    /// Take a control word. Without `REMOTE_CMD` only its stops count.
    pub(super) fn step(&mut self, word: u16) {
        let stops = control::OFF1 | control::OFF2 | control::OFF3;
        let remote = word & control::REMOTE_CMD != 0;
        self.obeyed = if remote { word } else { self.obeyed & (word | !stops) };
        self.state = self.state.next(self.obeyed);
        self.word = word;
    }
}

impl State {
    fn next(self, word: u16) -> Self {
        let is = |bit| word & bit != 0;
        if !is(control::OFF2) || !is(control::OFF3) {
            return Self::SwitchOnInhibited;
        }
        match self {
            Self::SwitchOnInhibited if is(control::OFF1) => Self::SwitchOnInhibited,
            Self::SwitchOnInhibited => Self::ReadyToSwitchOn,
            Self::ReadyToSwitchOn | Self::ReadyToOperate | Self::Running if !is(control::OFF1) => {
                Self::ReadyToSwitchOn
            }
            Self::ReadyToSwitchOn | Self::ReadyToOperate | Self::Running => {
                if is(control::INHIBIT_OPERATION) { Self::Running } else { Self::ReadyToOperate }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same, but not switched on.
    const READY: u16 = RUN & !control::OFF1;

    fn after(words: &[u16]) -> State {
        let mut profile = Profile::running();
        words.iter().for_each(|word| profile.step(*word));
        profile.state
    }

    #[test]
    fn it_switches_on_only_from_ready() {
        let coasted = RUN & !control::OFF2;
        assert_eq!(after(&[coasted]), State::SwitchOnInhibited);
        assert_eq!(after(&[coasted, RUN]), State::SwitchOnInhibited, "047F alone does not start it");
        assert_eq!(after(&[coasted, READY]), State::ReadyToSwitchOn);
        assert_eq!(after(&[coasted, READY, RUN]), State::Running);
    }

    #[test]
    fn each_stop_leads_to_its_state() {
        assert_eq!(after(&[READY]), State::ReadyToSwitchOn);
        assert_eq!(after(&[RUN & !control::OFF3]), State::SwitchOnInhibited);
        assert_eq!(after(&[RUN & !control::INHIBIT_OPERATION]), State::ReadyToOperate);
        assert_eq!(after(&[RUN & !control::INHIBIT_OPERATION, RUN]), State::Running);
    }

    #[test]
    fn without_remote_only_the_stops_count() {
        let local = RUN & !control::REMOTE_CMD & !control::INHIBIT_OPERATION;
        assert_eq!(after(&[local, local]), State::Running);
        assert_eq!(after(&[0]), State::SwitchOnInhibited);
        assert_eq!(after(&[READY, RUN & !control::REMOTE_CMD]), State::ReadyToSwitchOn);
    }
}
