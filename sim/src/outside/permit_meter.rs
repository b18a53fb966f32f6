//! Counts for how long, and by how much, which rule of a permit was broken.

use serde::Serialize;

use super::permit::{Discharge, Permit, Rule, Violation};
use super::river::RiverState;

const SECONDS_PER_MINUTE: f64 = 60.0;
const SECONDS_PER_HOUR: f64 = 3600.0;

/// A record of violations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PermitMeter {
    /// Minutes in which any rule was broken.
    pub minutes: f64,
    /// Minutes in which each rule was the one broken most, in the order of [`Rule::ALL`].
    pub minutes_by_rule: [f64; Rule::ALL.len()],
    /// How far beyond the limits, times how long, K h.
    pub kelvin_hours: f64,
    /// Largest excess, K.
    pub worst_kelvin: f64,
}

impl PermitMeter {
    /// Watches a discharge for `dt` seconds. Returns the rule broken, if any.
    pub fn watch(
        &mut self,
        permit: &Permit,
        river: &RiverState,
        discharge: Discharge,
        t_s: f64,
        dt: f64,
    ) -> Option<Violation> {
        let violation = permit.violation(river, discharge, t_s)?;
        self.minutes += dt / SECONDS_PER_MINUTE;
        for (minutes, rule) in self.minutes_by_rule.iter_mut().zip(Rule::ALL) {
            if rule == violation.rule {
                *minutes += dt / SECONDS_PER_MINUTE;
            }
        }
        self.kelvin_hours += violation.by_kelvin * dt / SECONDS_PER_HOUR;
        self.worst_kelvin = self.worst_kelvin.max(violation.by_kelvin);
        Some(violation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outside::date;

    #[test]
    fn minutes_count_only_while_a_rule_is_broken() {
        let (mut meter, permit, july) = (PermitMeter::default(), Permit::default(), date(7, 1).unwrap());
        for (celsius, seconds) in [(21.0, 600), (22.5, 120), (20.0, 600)] {
            let river = RiverState { celsius, flow_m3_s: 25.0, debris: 1.0 };
            let discharge = Discharge { heat_watts: 12e6, intake_m3_s: 0.6 };
            for _ in 0..seconds {
                meter.watch(&permit, &river, discharge, july, 1.0);
            }
        }
        assert!((meter.minutes - 2.0).abs() < 1e-9, "{meter:?}");
        assert!((meter.minutes_by_rule[0] - 2.0).abs() < 1e-9);
        assert!((meter.kelvin_hours - 1.115 * 120.0 / 3600.0).abs() < 0.001, "{meter:?}");
    }
}
