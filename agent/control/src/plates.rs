//! Thermal resistance of every cold plate, and of the exchangers: as it is, against when it was first known.
//!
//! ```text
//!   (core − supply) ÷ power ─► reduced to full flow ─► mean over minutes ─► now
//!                                                        the first ten ───► baseline
//!   now ÷ baseline − 1 ─► drift: a plate or an exchanger that fouls
//!   one plate against the middle of all ─► one that is blocked, whenever the agent was started
//! ```

use eisbach_protocol::gpu_link::MAX_GPUS;
use eisbach_protocol::units::{Celsius, LitersPerMinute, Percent, Watts};
use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::balance::Settled;
use crate::estimate::NodeView;
use crate::heat::share;
use crate::learned::Drift;
use crate::snapshot::Snapshot;

/// Time constant of what is now, s of steady load.
const NOW_S: f32 = 300.0;
/// The baseline is the mean of the first so many seconds of steady load.
const BASELINE_S: f32 = 600.0;
/// A GPU teaches above this share of what it may draw: whole degrees tell little of a small rise.
const LEAST_LOAD: f32 = 0.4;
/// Parts of the resistance at full flow: die and package, film (to the power of 0.4), warming of the coolant. Estimate: of
/// 29 K at full flow, half of it makes 8 K more, a third 15 K and a quarter 23 K.
const PARTS: (f32, f32, f32) = (0.5, 0.3, 0.2);
/// The reduction to full flow is good down to here.
const LEAST_FLOW: f32 = 0.2;
/// Added resistance that is worth a look, as a share.
const FOULED: f32 = 0.25;
/// One plate this much above the middle of all is blocked, as a share.
const UNLIKE: f32 = 0.35;
/// So many plates must be known to say what is usual.
const COMPANY: usize = 3;
/// The valve counts as closed to recovery up to here, %.
const CLOSED: Percent = Percent::new(2.0);
/// Supply must be this far above the river to tell anything, K.
const LEAST_LIFT: f32 = 2.0;

/// What is known of plates and exchangers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Plates {
    gpus: [Track; MAX_GPUS],
    exchanger: Track,
}

/// One resistance.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Track {
    drift: Drift,
    seen_s: f32,
}

impl Track {
    /// Takes a value that held for `dt_s`, of which the mean of the last minutes takes `part`.
    fn follow(&mut self, value: f32, dt_s: f32, part: f32) {
        if !value.is_finite() || value <= 0.0 {
            return;
        }
        // At first the mean of all, later the last minutes.
        let weight = (dt_s / (self.seen_s + dt_s).max(0.001)).max(part);
        self.drift.now += (value - self.drift.now) * weight;
        if self.seen_s < BASELINE_S {
            self.seen_s += dt_s;
            self.drift.baseline = self.drift.now;
        }
    }

    /// Once the baseline is known.
    fn known(&self) -> Option<Drift> {
        (self.seen_s >= BASELINE_S).then_some(self.drift)
    }
}

impl Plates {
    /// Learns from a steady loop, for `dt_s`. `full` is the flow at full speed.
    pub(crate) fn learn(
        &mut self,
        node: &NodeView,
        settled: &Settled,
        snapshot: &Snapshot,
        full: f32,
        dt_s: f32,
    ) {
        let (flow, part) = (reduction(settled.flow, full), share(dt_s, NOW_S));
        for (gpu, track) in node.gpus.iter().zip(&mut self.gpus) {
            let Some(core) = gpu.temperature.filter(|_| gpu.power > gpu.power_range.1 * LEAST_LOAD) else {
                continue;
            };
            track.follow((core - settled.supply).get() / gpu.power.get().max(1.0) / flow, dt_s, part);
        }
        let closed = snapshot.valve.position.usable().is_some_and(|position| position <= CLOSED);
        let river = snapshot.surroundings.river.usable().filter(|_| closed);
        if let Some(lift) =
            river.map(|river| (settled.supply - river).get()).filter(|lift| *lift > LEAST_LIFT)
        {
            self.exchanger.follow(lift / settled.carried.get().max(1.0), dt_s, part);
        }
    }

    /// Supply as the GPUs' cores tell it: the middle of what each of them says.
    pub(crate) fn supply(&self, node: &NodeView, flow: LitersPerMinute, full: f32) -> Option<Celsius> {
        let flow = reduction(flow, full);
        let told = node.gpus.iter().zip(&self.gpus).filter_map(|(gpu, track)| {
            // At little load the rise is small, and so is what it is wrong by.
            let rise = track.known()?.now * flow * gpu.power.get();
            gpu.temperature.map(|core| core.get() - rise)
        });
        middle(told).map(Celsius::new)
    }

    /// Each GPU's resistance, in the node's order.
    pub(crate) fn drifts(&self, gpus: usize) -> Vec<Option<Drift>, MAX_GPUS> {
        let mut drifts = Vec::new();
        for track in self.gpus.iter().take(gpus) {
            // There is room for as many as there are tracks.
            let _full = drifts.push(track.known());
        }
        drifts
    }

    /// That of the exchangers.
    pub(crate) fn exchanger(&self) -> Option<Drift> {
        self.exchanger.known()
    }

    /// Whether anything carries less heat than it did, or than its neighbours do.
    pub(crate) fn are_degraded(&self) -> bool {
        let known = self.gpus.iter().filter_map(Track::known);
        let (mut count, mut least, mut most) = (0, f32::INFINITY, f32::NEG_INFINITY);
        let mut fouled = self.exchanger().is_some_and(|drift| drift.share() > FOULED);
        for drift in known.clone() {
            fouled |= drift.share() > FOULED;
            (count, least, most) = (count + 1, least.min(drift.now), most.max(drift.now));
        }
        // The middle is no less than the least: where all are alike nobody has to look for it.
        if fouled || count < COMPANY || most <= least * (1.0 + UNLIKE) {
            return fouled;
        }
        middle(known.map(|drift| drift.now)).is_some_and(|usual| most > usual * (1.0 + UNLIKE))
    }
}

/// By how much the resistance is larger at this flow than at full flow.
fn reduction(flow: LitersPerMinute, full: f32) -> f32 {
    let share = (flow.get() / full.max(0.01)).clamp(LEAST_FLOW, 2.0);
    PARTS.0 + PARTS.1 * libm::powf(share, -0.4) + PARTS.2 / share
}

/// The middle one of some numbers.
fn middle(numbers: impl Iterator<Item = f32>) -> Option<f32> {
    let mut sorted: Vec<f32, MAX_GPUS> = numbers.take(MAX_GPUS).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

/// What the loop's heat says the supply must be.
pub(crate) fn by_balance(return_: Celsius, heat: Watts, watts_per_kelvin: f32) -> Celsius {
    Celsius::new(return_.get() - heat.get() / watts_per_kelvin.max(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::Estimator;
    use crate::snapshot::GpuInput;
    use crate::tuning::Tuning;
    use eisbach_protocol::reading::Reading;
    use eisbach_protocol::units::{Kelvin, Millis};

    const FULL: f32 = 12.5;

    fn settled(flow: f32) -> Settled {
        Settled {
            power: Watts::new(5600.0),
            flow: LitersPerMinute::new(flow),
            supply: Celsius::new(35.0),
            return_: Celsius::new(45.0),
            carried: Watts::new(7600.0),
        }
    }

    fn node(snapshot: &Snapshot) -> NodeView {
        Estimator::default().view(snapshot, Millis::ZERO, &Tuning::default())
    }

    /// Eight GPUs whose cores are so much above 35 °C.
    fn cores(rises: [f32; 8]) -> Snapshot {
        let gpu = |rise: f32| GpuInput {
            temperature: Reading::measured(Celsius::new(35.0 + rise), Millis::ZERO),
            margin: Reading::measured(Kelvin::new(20.0), Millis::ZERO),
            power: Reading::measured(Watts::new(700.0), Millis::ZERO),
            ..GpuInput::default()
        };
        Snapshot { gpus: rises.into_iter().map(gpu).collect(), gpus_expected: 8, ..Snapshot::default() }
    }

    fn learn(plates: &mut Plates, snapshot: &Snapshot, flow: f32, seconds: usize) {
        for _ in 0..seconds {
            plates.learn(&node(snapshot), &settled(flow), snapshot, FULL, 1.0);
        }
    }

    #[test]
    fn a_plate_that_fouls_is_told_and_less_flow_is_no_fouling() {
        let mut plates = Plates::default();
        learn(&mut plates, &cores([29.0; 8]), FULL, 700);
        assert!(!plates.are_degraded());
        // Half the flow makes it 8.5 K more.
        learn(&mut plates, &cores([37.5; 8]), FULL / 2.0, 2000);
        let drift = plates.drifts(8)[0].unwrap();
        assert!(drift.share().abs() < 0.03 && !plates.are_degraded(), "{drift:?}");
        learn(&mut plates, &cores([38.0; 8]), FULL, 2000);
        assert!(plates.are_degraded(), "{:?}", plates.drifts(8));
    }

    #[test]
    fn one_plate_that_is_blocked_from_the_beginning_is_told_by_its_neighbours() {
        let mut plates = Plates::default();
        let mut rises = [29.0; 8];
        rises[5] = 42.0;
        learn(&mut plates, &cores(rises), FULL, 700);
        assert!(plates.are_degraded());
    }

    #[test]
    fn the_cores_tell_the_supply() {
        let mut plates = Plates::default();
        learn(&mut plates, &cores([29.0; 8]), FULL, 700);
        let warmer = cores([36.0; 8]);
        let supply = plates.supply(&node(&warmer), LitersPerMinute::new(FULL), FULL).unwrap();
        assert!((supply.get() - 42.0).abs() < 0.5, "{supply}");
    }

    #[test]
    fn exchangers_are_known_only_while_all_heat_goes_to_a_river_that_is_known() {
        let mut plates = Plates::default();
        let mut snapshot = cores([29.0; 8]);
        snapshot.valve.position = Reading::measured(Percent::ZERO, Millis::ZERO);
        learn(&mut plates, &snapshot, FULL, 700);
        assert_eq!(plates.exchanger(), None);
        snapshot.surroundings.river = Reading::measured(Celsius::new(20.0), Millis::ZERO);
        learn(&mut plates, &snapshot, FULL, 700);
        assert!((plates.exchanger().unwrap().now - 15.0 / 7600.0).abs() < 1e-5);
        snapshot.surroundings.river = Reading::measured(Celsius::new(14.0), Millis::ZERO);
        learn(&mut plates, &snapshot, FULL, 2000);
        assert!(plates.are_degraded(), "the same heat needs 21 K now");
    }
}
