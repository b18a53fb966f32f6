//! Keeps a valve from hunting: small wishes move nothing, and a valve that is seen to swing gets a wider band.
//!
//! ```text
//!   |wish − held| < band ─► stays            band ─┬─ a reversal too many in ten minutes: wider, up to 4 %
//!   else                 ─► goes there             └─ ten minutes without any: narrower, down to 0.8 %
//! ```
//!
//! A sticking stem, play in the gear or a gain that is too high all end in the same slow swing around the set-point. What
//! ends it is patience: a supply that is a little off for a while costs nothing, a worn-out valve does.

/// Narrowest and widest band, %.
const BAND: (f32, f32) = (0.8, 4.0);
/// Factor from one band to the next.
const WIDER: f32 = 1.6;
/// Time in which reversals count, s.
const WINDOW_S: f32 = 600.0;
/// So many reversals in that time are a swing.
const SWING: u8 = 2;

/// The band's memory.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Quiet {
    band: f32,
    /// Direction of the last move.
    rising: Option<bool>,
    reversals: u8,
    /// Time since the window began, or the last reversal, s.
    since_s: f32,
}

impl Default for Quiet {
    fn default() -> Self {
        Self { band: BAND.0, rising: None, reversals: 0, since_s: 0.0 }
    }
}

impl Quiet {
    /// Where to go from `held`, if anywhere, when `wish` is asked for.
    pub(crate) fn filter(&self, wish: f32, held: f32) -> f32 {
        // End positions are always driven to: they are what closes.
        let at_end = wish <= 0.0 || wish >= 100.0;
        if at_end || (wish - held).abs() >= self.band { wish } else { held }
    }

    /// The load has changed: a move back is no swing.
    pub(crate) fn excuse(&mut self) {
        self.rising = None;
    }

    /// Notes the move that was made in the last `dt_s`.
    pub(crate) fn note(&mut self, moved: f32, dt_s: f32) {
        self.since_s += dt_s;
        if self.since_s > WINDOW_S {
            self.band = (self.band / WIDER).max(BAND.0);
            (self.since_s, self.reversals) = (0.0, 0);
        }
        if moved.abs() < 0.01 {
            return;
        }
        let rising = moved > 0.0;
        if self.rising.is_some_and(|before| before != rising) {
            self.reversals = self.reversals.saturating_add(1);
            if self.reversals >= SWING {
                self.band = (self.band * WIDER).min(BAND.1);
                (self.since_s, self.reversals) = (0.0, 0);
            }
        }
        self.rising = Some(rising);
    }
}

use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests {
    use super::*;

    fn swing(quiet: &mut Quiet, periods: usize, size: f32) {
        for _ in 0..periods {
            for moved in [size, -size] {
                quiet.note(moved, 1.0);
                quiet.note(0.0, 59.0);
            }
        }
    }

    #[test]
    fn small_wishes_move_nothing_and_ends_are_always_driven_to() {
        let quiet = Quiet::default();
        assert!((quiet.filter(50.5, 50.0) - 50.0).abs() < 1e-6);
        assert!((quiet.filter(51.0, 50.0) - 51.0).abs() < 1e-6);
        assert!(quiet.filter(0.0, 0.4).abs() < 1e-6);
        assert!((quiet.filter(100.0, 99.6) - 100.0).abs() < 1e-6);
    }

    #[test]
    fn a_valve_that_swings_gets_a_wider_band_and_a_quiet_one_gets_it_back() {
        let mut quiet = Quiet::default();
        swing(&mut quiet, 4, 1.0);
        assert!((quiet.filter(52.0, 50.0) - 50.0).abs() < 1e-6, "{quiet:?}");
        swing(&mut quiet, 50, 2.0);
        assert!(quiet.band <= BAND.1);
        for _ in 0..7200 {
            quiet.note(0.0, 1.0);
        }
        assert!((quiet.band - BAND.0).abs() < 1e-6, "{quiet:?}");
    }

    #[test]
    fn a_way_back_that_the_load_asks_for_is_no_swing() {
        let mut quiet = Quiet::default();
        for _ in 0..20 {
            for moved in [30.0, -30.0] {
                quiet.excuse();
                quiet.note(moved, 15.0);
            }
        }
        assert!((quiet.band - BAND.0).abs() < 1e-6, "{quiet:?}");
    }

    #[test]
    fn moves_in_one_direction_are_no_swing() {
        let mut quiet = Quiet::default();
        for _ in 0..600 {
            quiet.note(1.0, 1.0);
        }
        assert!((quiet.band - BAND.0).abs() < 1e-6);
    }
}
