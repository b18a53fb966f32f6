//! Where the node's heat goes: to recovery, as metered or reckoned, and the rest to the river.

use eisbach_protocol::units::{Celsius, Percent, Watts};
use serde::{Deserialize, Serialize};

use crate::estimate::NodeView;
use crate::network::SOURCE_SHARE;
use crate::setpoint::water_over_supply;
use crate::snapshot::Snapshot;
use crate::tuning::Tuning;

/// Heat is smoothed over this time, s: loads swing, water does not.
const SMOOTH_S: f32 = 30.0;
/// What is reckoned of recovery counts for this much: it had better be less than it is (estimate).
const CAREFUL: f32 = 0.9;
/// A valve beyond this gives nothing to the river.
const ALL_OPEN: Percent = Percent::new(98.0);
/// Recovery takes all there is if it takes this share of the node's heat (estimate).
const TAKES_ALL: f32 = 0.9;

/// Where the heat goes, W, smoothed.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Flows {
    /// Heat of the node.
    node: Option<f32>,
    /// Heat that recovery takes.
    recovered: Option<f32>,
    /// Heat that recovery could take.
    could: f32,
    all_open: bool,
    metered: bool,
}

impl Flows {
    /// Looks for a second.
    pub(super) fn look(&mut self, snapshot: &Snapshot, node: &NodeView, dt_s: f32, tuning: &Tuning) {
        let meter = &snapshot.meter;
        let rise = meter.return_.usable().zip(meter.supply.usable()).map(|(back, out)| back - out);
        let metered = meter
            .flow
            .usable()
            .zip(rise)
            .map(|(flow, rise)| flow.get() * rise.get() * tuning.coolant_watts_per_lpm_kelvin);
        let heat = metered
            .filter(|heat| heat.is_finite())
            .map_or_else(|| node.power.get() * tuning.heat_per_gpu_watt, |heat| heat.max(0.0));
        let node_heat = smooth(self.node, heat, dt_s);
        self.node = Some(node_heat);

        let position = snapshot.valve.position.usable().map_or(0.0, Percent::get).clamp(0.0, 100.0);
        self.all_open = position >= ALL_OPEN.get();
        self.could = could_take(snapshot, node_heat, tuning);
        let told = snapshot.valve.recovered.usable().map(Watts::get).filter(|heat| heat.is_finite());
        self.metered = told.is_some();
        let reckoned = (self.could * position / 100.0).min(node_heat);
        self.recovered = Some(smooth(self.recovered, told.map_or(reckoned, |heat| heat.max(0.0)), dt_s));
    }

    /// Heat of the node.
    pub(super) fn node(&self) -> f32 {
        self.node.unwrap_or(0.0)
    }

    /// Heat that recovery takes.
    pub(super) fn recovered(&self) -> f32 {
        self.recovered.unwrap_or(0.0)
    }

    /// Heat to the river.
    pub(super) fn river(&self) -> f32 {
        if self.all_open { 0.0 } else { (self.node() - self.recovered()).max(0.0) }
    }

    /// Heat that may be counted on to go to recovery with the valve open.
    pub(super) fn counted_on(&self) -> f32 {
        let short = self.metered && self.all_open && self.recovered() < self.node() * TAKES_ALL;
        // Open and still not taking all: that is what it can.
        if short { self.recovered() } else { self.could.max(self.recovered()) }
    }
}

/// Heat that recovery could take from a loop as warm as it is.
fn could_take(snapshot: &Snapshot, node_heat: f32, tuning: &Tuning) -> f32 {
    let told = &snapshot.surroundings;
    let set = &tuning.set_points;
    let wanted = told.heat_demand.usable().map_or(0.0, Watts::get) * SOURCE_SHARE;
    let Some(water) = hot_water(snapshot, node_heat, tuning) else { return 0.0 };
    let most = (water - set.evaporation_min.get()) * set.evaporator_watts_per_kelvin;
    let heat = wanted.min(most) * CAREFUL;
    if heat.is_finite() { heat.max(0.0) } else { 0.0 }
}

/// Water into recovery: measured there, or reckoned from the node loop.
fn hot_water(snapshot: &Snapshot, node_heat: f32, tuning: &Tuning) -> Option<f32> {
    if let Some(inlet) = snapshot.valve.inlet.usable() {
        return Some(inlet.get());
    }
    let capacity = snapshot.meter.flow.usable()?.get() * tuning.coolant_watts_per_lpm_kelvin;
    let over = water_over_supply(node_heat, capacity, &tuning.set_points);
    Some(snapshot.meter.supply.usable()?.get() + over)
}

fn smooth(before: Option<f32>, now: f32, dt_s: f32) -> f32 {
    before.map_or(now, |before| before + (now - before) * (1.0 - libm::expf(-dt_s / SMOOTH_S)))
}

/// Supply over a limit, where it is known.
pub(super) fn room_below(limit: Celsius, supply: Option<Celsius>) -> f32 {
    supply.map_or(0.0, |supply| (limit - supply).get())
}
