//! The pump: a drive with its ramp, an impeller that usually follows it, and the affinity laws.
//!
//! ```text
//!              run                    run off
//!  Stopped ──────────► Running{speed} ────────► Stopped
//!     ▲                    │ trip
//!     └── trip cleared ── Tripped                 whenever nothing turns it, the impeller coasts (1.5 s)
//!
//!  head = n²·H0 − a·Q²        Q ~ n    H ~ n²    P ~ n³
//! ```

use super::coolant::Coolant;
use super::hydraulics::M3_S_PER_LPM;
use super::params::PumpParams;

/// Head lost by a worn-out pump (estimate).
const WEAR_OF_HEAD: f64 = 0.25;
/// Efficiency lost by a worn-out pump (estimate).
const WEAR_OF_EFFICIENCY: f64 = 0.30;
/// Efficiency far off the best point (estimate).
const EFFICIENCY_MIN: f64 = 0.05;
/// Head lost for each metre of suction head that is missing (estimate).
const LOSS_PER_METRE: f64 = 0.1;
/// A pump wants this much more suction head than it needs on paper (estimate).
const SUCTION_RESERVE: f64 = 1.1;
const GRAVITY: f64 = 9.81;
const AMBIENT_KPA: f64 = 101.3;

/// What the drive is doing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Drive {
    /// Told to stand still.
    Stopped,
    /// Turning the motor at a share of full speed.
    Running {
        /// Speed, share of full speed.
        speed: f64,
    },
    /// Switched itself off, and says so.
    Tripped,
}

/// What may be wrong with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PumpFaults {
    /// The drive trips.
    pub(crate) trip: bool,
    /// The motor turns, the impeller does not.
    pub(crate) sheared: bool,
}

/// Drive and impeller.
#[derive(Clone, Debug)]
pub(crate) struct Pump {
    params: PumpParams,
    drive: Drive,
    /// Speed of the impeller, share of full speed.
    impeller: f64,
    driven: bool,
    /// Its wear but for what a fault says.
    own_wear: f64,
}

/// Head against flow at one speed, SI.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PumpCurve {
    pub(crate) shutoff_pa: f64,
    pub(crate) fall: f64,
}

impl PumpCurve {
    /// Head in Pa at a flow in m³/s.
    pub(crate) fn head(&self, flow: f64) -> f64 {
        self.shutoff_pa - self.fall * flow * flow
    }
}

impl Pump {
    pub(crate) fn new(params: PumpParams) -> Self {
        Self { params, drive: Drive::Stopped, impeller: 0.0, driven: false, own_wear: params.wear }
    }

    /// Wears it to this, or to its own.
    pub(crate) fn set_wear(&mut self, wear: Option<f64>) {
        self.params.wear = wear.unwrap_or(self.own_wear);
    }

    /// Moves drive and impeller on by `dt`.
    pub(crate) fn step(&mut self, run: bool, setpoint: f64, faults: PumpFaults, dt: f64) {
        self.drive = self.next_drive(run, setpoint, faults.trip, dt);
        self.driven = !faults.sheared && self.speed() > 0.0;
        let (target, lag) =
            if self.driven { (self.speed(), self.params.follow_s) } else { (0.0, self.params.coast_s) };
        self.impeller = target + (self.impeller - target) * (-dt / lag).exp();
    }

    fn next_drive(&self, run: bool, setpoint: f64, trip: bool, dt: f64) -> Drive {
        if trip {
            return Drive::Tripped;
        }
        if !run {
            return Drive::Stopped;
        }
        let speed = match self.drive {
            // A started drive catches an impeller that still turns.
            Drive::Stopped | Drive::Tripped => self.impeller,
            Drive::Running { speed } => speed,
        };
        let target = setpoint.clamp(self.params.speed_min, 1.0);
        let reach = self.params.ramp_per_s * dt;
        Drive::Running { speed: target.clamp(speed - reach, speed + reach) }
    }

    pub(crate) fn drive(&self) -> Drive {
        self.drive
    }

    /// Speed that the drive gives the motor; a drive that is off shows zero, also while the impeller coasts.
    pub(crate) fn speed(&self) -> f64 {
        match self.drive {
            Drive::Stopped | Drive::Tripped => 0.0,
            Drive::Running { speed } => speed,
        }
    }

    pub(crate) fn impeller(&self) -> f64 {
        self.impeller
    }

    /// The curve right now. `prime` falls from 1 to 0 as the pump draws air.
    pub(crate) fn curve_now(&self, prime: f64) -> PumpCurve {
        Self::curve(&self.params, self.impeller, prime)
    }

    /// The curve at a speed.
    pub(crate) fn curve(params: &PumpParams, impeller: f64, prime: f64) -> PumpCurve {
        let worn = 1.0 - WEAR_OF_HEAD * params.wear;
        PumpCurve {
            shutoff_pa: 1000.0 * params.shutoff_kpa * worn * prime * impeller * impeller,
            fall: 1000.0 * params.fall / (M3_S_PER_LPM * M3_S_PER_LPM),
        }
    }

    /// Electric power in W while moving `flow` m³/s against `head` Pa.
    pub(crate) fn power(&self, flow: f64, head: f64) -> f64 {
        match self.drive {
            Drive::Stopped | Drive::Tripped => 0.0,
            Drive::Running { .. } if self.driven => Self::power_at(&self.params, self.impeller, flow, head),
            Drive::Running { .. } => self.params.drive_watts,
        }
    }

    /// Power that ends in the coolant, of an electric power, W.
    pub(crate) fn heat(&self, power: f64) -> f64 {
        self.params.heat_share * power
    }

    /// Share of the head that is left when the suction head is short: 1 in a loop under pressure, less when the pump
    /// cavitates. `inlet_kpa` is over ambient, `flow` in m³/s.
    pub(crate) fn suction(params: &PumpParams, inlet_kpa: f64, celsius: f64, flow: f64) -> f64 {
        let weight = Coolant::PG25.density(celsius) * GRAVITY;
        let available_m = (AMBIENT_KPA + inlet_kpa - vapour_kpa(celsius)) * 1000.0 / weight;
        let share = flow / (params.best_lpm * M3_S_PER_LPM);
        let missing_m = SUCTION_RESERVE * params.suction_m * share * share - available_m;
        (1.0 - LOSS_PER_METRE * missing_m.max(0.0)).max(0.0)
    }

    /// Electric power of a pump that turns at `impeller`, share of full speed, W.
    pub(super) fn power_at(params: &PumpParams, impeller: f64, flow: f64, head: f64) -> f64 {
        params.drive_watts + flow * head / efficiency(params, impeller, flow)
    }
}

fn efficiency(params: &PumpParams, impeller: f64, flow: f64) -> f64 {
    let best = params.best_lpm * M3_S_PER_LPM * impeller.max(0.01);
    let distance = flow / best - 1.0;
    let worn = 1.0 - WEAR_OF_EFFICIENCY * params.wear;
    let efficiency = params.efficiency * worn * (1.0 - params.droop * distance * distance);
    efficiency.max(EFFICIENCY_MIN)
}

/// Pressure at which water boils, kPa (Magnus formula). Glycol boils a little later.
fn vapour_kpa(celsius: f64) -> f64 {
    0.611 * (17.62 * celsius / (243.12 + celsius)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DT: f64 = 0.01;
    const SOUND: PumpFaults = PumpFaults { trip: false, sheared: false };

    fn running(setpoint: f64) -> Pump {
        let mut pump = Pump::new(PumpParams::NODE);
        for _ in 0..1500 {
            pump.step(true, setpoint, SOUND, DT);
        }
        pump
    }

    fn coast(pump: &mut Pump, faults: PumpFaults, seconds: f64) {
        let mut time = 0.0;
        while time < seconds {
            pump.step(true, 1.0, faults, DT);
            time += DT;
        }
    }

    #[test]
    fn flow_head_and_power_obey_the_affinity_laws() {
        let (fast, slow) = (running(1.0), running(0.5));
        let flow = 11.0 * M3_S_PER_LPM;
        let head_fast = fast.curve_now(1.0).head(flow);
        let head_slow = slow.curve_now(1.0).head(flow / 2.0);
        assert!((head_fast / head_slow - 4.0).abs() < 1e-6);
        let hydraulic = |pump: &Pump, flow, head| pump.power(flow, head) - PumpParams::NODE.drive_watts;
        let ratio = hydraulic(&fast, flow, head_fast) / hydraulic(&slow, flow / 2.0, head_slow);
        assert!((ratio - 8.0).abs() < 1e-6, "{ratio}");
    }

    #[test]
    fn the_drive_ramps_at_ten_percent_a_second() {
        let mut pump = running(0.4);
        coast(&mut pump, SOUND, 3.0);
        assert!((pump.speed() - 0.7).abs() < 0.002, "{}", pump.speed());
    }

    #[test]
    fn the_drive_never_runs_below_its_least_speed() {
        assert!((running(0.0).speed() - 0.30).abs() < 1e-9);
    }

    #[test]
    fn a_tripped_drive_says_so_and_the_impeller_coasts() {
        let mut pump = running(1.0);
        coast(&mut pump, PumpFaults { trip: true, sheared: false }, 1.5);
        assert_eq!(pump.drive(), Drive::Tripped);
        assert!((pump.impeller() - (-1.0_f64).exp()).abs() < 0.01, "{}", pump.impeller());
        assert!(pump.power(0.0, 0.0) < 1e-9);
    }

    #[test]
    fn a_sheared_coupling_leaves_the_drive_turning() {
        let mut pump = running(1.0);
        coast(&mut pump, PumpFaults { trip: false, sheared: true }, 1.5);
        assert_eq!(pump.drive(), Drive::Running { speed: 1.0 });
        assert!((pump.impeller() - (-1.0_f64).exp()).abs() < 0.01, "{}", pump.impeller());
    }

    #[test]
    fn a_pump_cavitates_only_when_its_inlet_has_lost_its_pressure() {
        let hungry = PumpParams { suction_m: 12.0, ..PumpParams::NODE };
        let flow = 12.0 * M3_S_PER_LPM;
        let left = |params: &PumpParams, kpa, celsius| Pump::suction(params, kpa, celsius, flow);
        assert!((left(&PumpParams::NODE, 0.0, 50.0) - 1.0).abs() < 1e-12);
        assert!((left(&hungry, 150.0, 50.0) - 1.0).abs() < 1e-12);
        assert!((0.4..0.8).contains(&left(&hungry, 0.0, 50.0)), "{}", left(&hungry, 0.0, 50.0));
        assert!(left(&hungry, 0.0, 80.0) < left(&hungry, 0.0, 50.0), "hot water boils sooner");
    }

    #[test]
    fn a_worn_out_pump_has_a_quarter_less_head_and_needs_more_power_for_the_same() {
        let (mut worn, mut new) = (running(1.0), running(1.0));
        worn.set_wear(Some(1.0));
        new.set_wear(Some(0.0));
        let ratio = worn.curve_now(1.0).shutoff_pa / new.curve_now(1.0).shutoff_pa;
        assert!((ratio - 0.75).abs() < 1e-12, "{ratio}");
        let flow = 11.0 * M3_S_PER_LPM;
        let watts = |pump: &Pump| pump.power(flow, 80e3) - PumpParams::NODE.drive_watts;
        assert!((watts(&new) / watts(&worn) - 0.70).abs() < 1e-9);
        worn.set_wear(None);
        assert_eq!(worn.curve_now(1.0), running(1.0).curve_now(1.0));
    }

    #[test]
    fn a_cleared_trip_starts_the_pump_again() {
        let mut pump = running(1.0);
        coast(&mut pump, PumpFaults { trip: true, sheared: false }, 20.0);
        coast(&mut pump, SOUND, 12.0);
        assert!(pump.impeller() > 0.99, "{}", pump.impeller());
    }
}
