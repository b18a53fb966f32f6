//! Which sensor of the loop does not fit the others.
//!
//! ```text
//!                        flow ÷ what the     flow × rise ÷    supply − what the
//!                        speed should give   expected heat    cores tell
//!   flow meter wrong           off                off              fits
//!   supply wrong               fits               off              off
//!   return wrong               fits               off              fits
//!   not clear which            fits               off              not known
//! ```
//!
//! A sensor that stands still looks well as long as nothing changes. When the load does, the balance shows it: each sensor
//! has two others and the GPUs against it. Nothing is suspected before the loop has been learned.

use crate::learned::Suspect;
use serde::{Deserialize, Serialize};

/// Flow this far from what the speed should give is off, as a share.
const FLOW_OFF: f32 = 0.2;
/// Heat this far from what is expected is off: as a share of it, and of what all GPUs may draw.
const HEAT_OFF: (f32, f32) = (0.2, 0.12);
/// Supply this far from what the cores tell is off, and this close fits, K.
const SUPPLY_OFF: (f32, f32) = (4.0, 2.5);
/// It must be so for this long while the loop is steady, s.
const SURE_S: f32 = 20.0;
/// The loop counts as learned after so much steady load, s.
const LEARNED_S: f32 = 300.0;

/// What the sensors say of each other in a steady loop.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Residuals {
    /// Flow against what speed should give, minus one.
    pub(crate) flow: Option<f32>,
    /// Carried heat against expected heat, minus one; and their difference against what all GPUs may draw.
    pub(crate) heat: (f32, f32),
    /// Supply minus what the cores tell, K.
    pub(crate) supply: Option<f32>,
}

impl Residuals {
    /// Whom they point at.
    fn point(&self) -> Suspect {
        let (heat, size) = self.heat;
        if !(heat.abs() > HEAT_OFF.0 && size.abs() > HEAT_OFF.1) {
            return Suspect::Nothing;
        }
        let same_way = |other: f32| (other > 0.0) == (heat > 0.0);
        if self.flow.is_some_and(|flow| flow.abs() > FLOW_OFF && same_way(flow)) {
            return Suspect::Flow;
        }
        match self.supply {
            // Supply that reads too warm makes the rise too small.
            Some(supply) if supply.abs() > SUPPLY_OFF.0 && same_way(-supply) => Suspect::Supply,
            Some(supply) if supply.abs() <= SUPPLY_OFF.1 => Suspect::Return,
            Some(_) | None => Suspect::Meter,
        }
    }
}

/// The suspicion's memory.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Suspects {
    standing: Suspect,
    pointed: Suspect,
    for_s: f32,
    learned_s: f32,
}

impl Suspects {
    /// The sensor that is suspected.
    pub(crate) const fn standing(&self) -> Suspect {
        self.standing
    }

    /// Counts steady load that was learned from.
    pub(crate) fn has_learned(&mut self, dt_s: f32) {
        self.learned_s = (self.learned_s + dt_s).min(LEARNED_S);
    }

    /// Judges a steady loop, for `dt_s`.
    pub(crate) fn judge(&mut self, residuals: &Residuals, dt_s: f32) {
        if self.learned_s < LEARNED_S {
            return;
        }
        let pointed = residuals.point();
        self.for_s = if pointed == self.pointed { self.for_s + dt_s } else { 0.0 };
        self.pointed = pointed;
        if self.for_s >= SURE_S {
            self.for_s = SURE_S;
            self.standing = pointed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(residuals: &Residuals) -> Suspect {
        let mut suspects = Suspects::default();
        suspects.has_learned(LEARNED_S);
        for _ in 0..30 {
            suspects.judge(residuals, 1.0);
        }
        suspects.standing()
    }

    const WELL: Residuals = Residuals { flow: Some(0.02), heat: (0.03, 0.02), supply: Some(0.5) };

    #[test]
    fn each_sensor_is_told_from_the_others() {
        assert_eq!(judged(&WELL), Suspect::Nothing);
        let off = Residuals { heat: (-0.5, -0.4), ..WELL };
        assert_eq!(judged(&Residuals { flow: Some(-0.5), ..off }), Suspect::Flow);
        assert_eq!(judged(&Residuals { supply: Some(6.0), ..off }), Suspect::Supply);
        assert_eq!(judged(&off), Suspect::Return);
        assert_eq!(judged(&Residuals { supply: None, ..off }), Suspect::Meter);
    }

    #[test]
    fn little_heat_proves_nothing_and_neither_does_a_moment() {
        assert_eq!(judged(&Residuals { heat: (0.6, 0.05), ..WELL }), Suspect::Nothing);
        let mut suspects = Suspects::default();
        suspects.has_learned(LEARNED_S);
        suspects.judge(&Residuals { heat: (-0.5, -0.4), ..WELL }, 5.0);
        assert_eq!(suspects.standing(), Suspect::Nothing);
    }

    #[test]
    fn nothing_is_suspected_before_the_loop_is_learned() {
        let mut suspects = Suspects::default();
        for _ in 0..100 {
            suspects.judge(&Residuals { heat: (-0.5, -0.4), ..WELL }, 1.0);
        }
        assert_eq!(suspects.standing(), Suspect::Nothing);
    }

    #[test]
    fn a_suspicion_ends_when_the_sensor_fits_again() {
        let mut suspects = Suspects::default();
        suspects.has_learned(LEARNED_S);
        for (heat, wanted) in [((-0.5, -0.4), Suspect::Return), ((0.0, 0.0), Suspect::Nothing)] {
            for _ in 0..30 {
                suspects.judge(&Residuals { heat, ..WELL }, 1.0);
            }
            assert_eq!(suspects.standing(), wanted);
        }
    }

    #[test]
    fn what_is_no_number_points_at_nobody() {
        assert_eq!(judged(&Residuals { heat: (f32::NAN, f32::NAN), ..WELL }), Suspect::Nothing);
    }
}
