//! What can be told of the loop beside its readings: heat under way, its balance, resistances, doubtful sensors.
//!
//! ```text
//!   snapshot ─► heat ─────► pump and valve
//!           └─► balance ─┬► heat per watt, plates, exchangers     learned only while steady and sound
//!                        └► suspects ─► supply for control: the middle of three, if the meter's is doubted
//! ```

use eisbach_protocol::units::{Celsius, LitersPerMinute};
use serde::{Deserialize, Serialize};

use crate::balance::{Balance, Settled};
use crate::estimate::NodeView;
use crate::flow_law::FlowLaw;
use crate::heat::Heat;
use crate::learned::{Bounded, Learned, Learning, Suspect};
use crate::network::Network;
use crate::plates::{Plates, by_balance};
use crate::snapshot::Snapshot;
use crate::suspects::{Residuals, Suspects};
use crate::tuning::Tuning;

/// The observer's memory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Observer {
    heat: Heat,
    network: Network,
    balance: Balance,
    plates: Plates,
    suspects: Suspects,
    learning: Learning,
}

impl Observer {
    pub(crate) fn new(tuning: &Tuning) -> Self {
        Self {
            heat: Heat::new(tuning),
            network: Network::default(),
            balance: Balance::default(),
            plates: Plates::default(),
            suspects: Suspects::default(),
            learning: Learning::default(),
        }
    }

    /// Follows the loop over `dt_s`.
    pub(crate) fn follow(&mut self, node: &NodeView, snapshot: &Snapshot, dt_s: f32, tuning: &Tuning) {
        self.heat.follow(node.power, node.most, dt_s, tuning);
        self.network.look(snapshot, dt_s);
        self.balance.follow(node.power, snapshot, dt_s);
    }

    /// Heat in the loop.
    pub(crate) const fn heat(&self) -> &Heat {
        &self.heat
    }

    /// What the heat network takes.
    pub(crate) const fn network(&self) -> &Network {
        &self.network
    }

    /// The loop is steady and sound, and what was learned holds for it.
    pub(crate) fn is_steady(&self) -> bool {
        self.learning == Learning::Active
    }

    /// A plate or the exchangers carry less heat than they should.
    pub(crate) fn is_degraded(&self) -> bool {
        self.plates.are_degraded()
    }

    /// The sensor that is suspected.
    pub(crate) const fn suspect(&self) -> Suspect {
        self.suspects.standing()
    }

    /// Heat that the meter finds against what is expected, steady or not; absent while one of them is not known.
    pub(crate) fn carries(&self, tuning: &Tuning) -> Option<f32> {
        let now = self.balance.now(tuning)?;
        Some(now.carried.get() / self.heat.of(now.power.get()).get().max(1.0))
    }

    /// Judges the sensors and learns, if the loop is steady. `sound`: flow is proven and nothing is wrong.
    pub(crate) fn learn(
        &mut self,
        (node, snapshot): (&NodeView, &Snapshot),
        law: &FlowLaw,
        sound: bool,
        dt_s: f32,
        tuning: &Tuning,
    ) {
        let settled = self.balance.settled(tuning);
        if let Some(settled) = settled.filter(|_| sound) {
            self.suspects.judge(&self.residuals(&settled, node, snapshot, law), dt_s);
        }
        let doubted = self.suspect() != Suspect::Nothing;
        self.learning = match settled {
            _ if !sound || doubted => Learning::Frozen,
            None => Learning::Waiting,
            Some(settled) => {
                // What is not measured now counts as its limit: nothing to learn from.
                if node.all_answer {
                    self.heat.learn(settled.power, settled.carried, dt_s);
                    self.plates.learn(node, &settled, snapshot, law.full().value, dt_s);
                    self.suspects.has_learned(dt_s);
                }
                Learning::Active
            }
        };
    }

    fn residuals(&self, settled: &Settled, node: &NodeView, snapshot: &Snapshot, law: &FlowLaw) -> Residuals {
        let expected = self.heat.of(settled.power.get());
        let surplus = (settled.carried - expected).get();
        let through = snapshot.pump.speed.usable().map(|speed| law.flow_at(speed).get());
        let cores = self.cores(node, snapshot, law);
        Residuals {
            flow: through.filter(|through| *through > 0.1).map(|through| settled.flow.get() / through - 1.0),
            heat: (surplus / expected.get().max(1.0), surplus / node.most.get().max(1.0)),
            supply: cores.map(|cores| (settled.supply - cores).get()),
        }
    }

    /// Supply as the cores tell it, with the flow that the pump's speed gives.
    fn cores(&self, node: &NodeView, snapshot: &Snapshot, law: &FlowLaw) -> Option<Celsius> {
        let flow = snapshot.pump.speed.usable().map(|speed| law.flow_at(speed))?;
        self.plates.supply(node, flow, law.full().value)
    }

    /// Supply that control goes by: as measured, unless it or the whole meter is doubted; then the middle of the meter, the cores and the
    /// balance. Unknown stays unknown.
    pub(crate) fn supply(
        &self,
        node: &NodeView,
        snapshot: &Snapshot,
        law: &FlowLaw,
        tuning: &Tuning,
    ) -> Option<Celsius> {
        let measured = snapshot.meter.supply.usable()?;
        if !matches!(self.suspect(), Suspect::Supply | Suspect::Meter) {
            return Some(measured);
        }
        let flow = snapshot.pump.speed.usable().map(|speed| law.flow_at(speed))?;
        let kelvin = flow.get() * tuning.coolant_watts_per_lpm_kelvin;
        let balance =
            snapshot.meter.return_.usable().map(|return_| by_balance(return_, self.heat.present(), kelvin));
        let cores = self.cores(node, snapshot, law);
        match (cores, balance) {
            (Some(cores), Some(balance)) => Some(middle(measured, cores, balance)),
            // Two against each other say nothing of which is right.
            (Some(_) | None, None) | (None, Some(_)) => Some(measured),
        }
    }

    /// For people to see.
    pub(crate) fn learned(
        &self,
        gpus: usize,
        law: &FlowLaw,
        valve_forward: Bounded,
        supply_delay_s: f32,
        tuning: &Tuning,
    ) -> Learned {
        let settled = self.balance.settled(tuning);
        Learned {
            full_speed_flow: law.full(),
            friction: law.friction(),
            heat_per_gpu_watt: self.heat.per_watt(),
            valve_forward,
            supply_delay_s,
            learning: self.learning,
            balance: settled.and_then(|_| self.carries(tuning)),
            suspect: self.suspect(),
            exchanger: self.plates.exchanger(),
            plates: self.plates.drifts(gpus),
        }
    }
}

fn middle(a: Celsius, b: Celsius, c: Celsius) -> Celsius {
    a.larger(b).smaller(a.smaller(b).larger(c))
}

/// Flow for control: as measured, or what the pump's speed gives where that is doubted or unknown.
pub(crate) fn flow(snapshot: &Snapshot, suspect: Suspect, law: &FlowLaw) -> Option<LitersPerMinute> {
    let measured = snapshot.meter.flow.usable().filter(|_| suspect != Suspect::Flow);
    measured.or_else(|| snapshot.pump.speed.usable().map(|speed| law.flow_at(speed)))
}
