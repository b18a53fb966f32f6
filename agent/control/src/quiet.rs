//! Keeps a valve from hunting: small wishes move nothing, and turning round is rationed.
//!
//! ```text
//!   far end ●────────────┬───────┬────────► back
//!           trembling: free      turn: 2 % at least, and two in ten minutes, unless a step is
//!                      0.9 %     under way or supply is off by more than that is worth
//! ```
//!
//! A sticking stem, play in the gear, a load that wavers or a gain that is too high all end in the same swing around the
//! set-point. What ends it is patience: a supply that is a little off for a while costs nothing, a worn-out valve does.
//! The flow makes good in the return what the supply is off (see [`crate::aim`]).

use serde::{Deserialize, Serialize};

/// Least move, %: actuators of this kind leave smaller ones undone.
const LEAST: f32 = 0.5;
/// So far back from its far end the valve trembles, %. More is a turn.
const TREMBLING: f32 = 0.9;
/// Way back that a turn is worth, %.
pub(crate) const TURN: f32 = 2.0;
/// Time in which turns count, s.
const WINDOW_S: f32 = 600.0;
/// Turns in that time that are given freely.
const FREE: usize = 2;
/// Supply that is off by more than this, K, is worth any turn.
const WORTH: f32 = 2.5;

/// What it remembers.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Quiet {
    /// How far it has come since it last turned, and whether upwards.
    end: Option<f32>,
    up: Option<bool>,
    /// Time since the last turns, the latest first, s.
    turned_s: [f32; FREE],
}

impl Default for Quiet {
    fn default() -> Self {
        Self { end: None, up: None, turned_s: [WINDOW_S; FREE] }
    }
}

impl Quiet {
    /// Where to go from `held`, if anywhere, when `wish` is asked for while supply is `off` its set-point by so many kelvins.
    /// A `step` of the load or of the network, upwards or down, may turn it that way without being asked.
    pub(crate) fn filter(&self, wish: f32, held: f32, off: f32, step: Option<bool>) -> f32 {
        // End positions are always driven to: they are what closes.
        if wish <= 0.0 || wish >= 100.0 {
            return wish;
        }
        let wish = match (self.end, self.up) {
            (Some(end), Some(up)) => {
                let back = if up { end - wish } else { wish - end };
                let spent = self.turns() >= FREE && off.abs() < WORTH && step != Some(!up);
                let stays = back > TREMBLING && (spent || back < TURN);
                if stays { end + if up { -TREMBLING } else { TREMBLING } } else { wish }
            }
            _ => wish,
        };
        if (wish - held).abs() >= LEAST { wish } else { held }
    }

    /// Notes where the valve was sent in the last `dt_s`.
    pub(crate) fn note(&mut self, position: f32, dt_s: f32) {
        for since in &mut self.turned_s {
            *since = (*since + dt_s).min(WINDOW_S);
        }
        let way = position - self.end.unwrap_or(position);
        if self.end.is_none() || self.up == Some(way > 0.0) {
            self.end = Some(position);
        } else if way.abs() > TREMBLING + 0.01 {
            if self.up.is_some() {
                self.turned_s.rotate_right(1);
                if let Some(latest) = self.turned_s.first_mut() {
                    *latest = 0.0;
                }
            }
            (self.end, self.up) = (Some(position), Some(way > 0.0));
        }
    }

    fn turns(&self) -> usize {
        self.turned_s.iter().filter(|since| **since < WINDOW_S).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goes from 50 % to these one after another, a minute each; where it ends.
    fn drive(quiet: &mut Quiet, wishes: &[f32], off: f32) -> f32 {
        quiet.note(50.0, 1.0);
        wishes.iter().fold(50.0, |held, wish| {
            let next = quiet.filter(*wish, held, off, None);
            quiet.note(next, 1.0);
            quiet.note(next, 59.0);
            next
        })
    }

    fn is(value: f32, expected: f32) -> bool {
        (value - expected).abs() < 1e-5
    }

    #[test]
    fn small_wishes_move_nothing_and_ends_are_always_driven_to() {
        let quiet = Quiet::default();
        assert!(is(quiet.filter(50.4, 50.0, 0.0, None), 50.0));
        assert!(is(quiet.filter(50.6, 50.0, 0.0, None), 50.6));
        assert!(is(quiet.filter(0.0, 0.4, 0.0, None), 0.0));
        assert!(is(quiet.filter(100.0, 99.6, 0.0, None), 100.0));
    }

    #[test]
    fn a_valve_may_tremble_and_a_little_more_than_that_is_not_worth_a_turn() {
        let mut quiet = Quiet::default();
        assert!(is(drive(&mut quiet, &[55.0, 54.3, 55.0, 54.3], 0.0), 54.3) && quiet.turns() == 0);
        assert!(is(quiet.filter(52.9, 54.3, 0.0, None), 52.9));
    }

    #[test]
    fn two_turns_in_ten_minutes_are_free_and_a_third_is_for_a_supply_that_is_far_off() {
        let mut quiet = Quiet::default();
        assert!(is(drive(&mut quiet, &[60.0, 50.0, 60.0, 50.0], 1.0), 59.1));
        assert!(is(quiet.filter(70.0, 60.0, 1.0, None), 70.0), "onward it may go");
        assert!(is(quiet.filter(50.0, 60.0, 2.5, None), 50.0));
    }

    #[test]
    fn a_turn_is_forgotten_after_ten_minutes() {
        let mut quiet = Quiet::default();
        drive(&mut quiet, &[60.0, 50.0, 60.0], 0.0);
        assert!(is(quiet.filter(57.0, 60.0, 0.0, None), 59.1));
        quiet.note(60.0, 600.0);
        assert!(is(quiet.filter(57.0, 60.0, 0.0, None), 57.0));
    }

    #[test]
    fn moves_in_one_direction_are_no_turns() {
        let mut quiet = Quiet::default();
        let way: [f32; 40] = core::array::from_fn(|step| 51.0 + f32::from(u8::try_from(step).unwrap()));
        assert!(is(drive(&mut quiet, &way, 0.0), 90.0) && quiet.turns() == 0);
    }
}
