//! Orders from afar, and what became of each.
//!
//! ```text
//!                 more cooling, less heat                  anything else, inside the envelope, while Running
//!   pump   max(automatic, at least)                ◄── manual, never below what the present heat needs
//!   valve  min(automatic, at most)                 ◄── manual, never above what cooling leaves to recovery
//!   supply dew point + distance ≤ target           ≤   highest supply of the tuning
//!   river  min(permit, at most)
//!   drain  asked for besides the node's own calls
//!   isolate the loop stops as for a leak, and stays so until it is reset
//! ```
//!
//! An order is data in the snapshot. Who may give it, and for how long, has been judged before; what cannot be obeyed
//! is told, not obeyed.

use eisbach_protocol::units::{Celsius, Percent, Watts};
use serde::{Deserialize, Serialize};

use crate::decision::Reason;

/// The orders in force. What is no number is no order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Remote {
    /// The pump turns no slower than this.
    pub pump_at_least: Option<Percent>,
    /// Recovery gets no more of the valve than this.
    pub valve_at_most: Option<Percent>,
    /// Supply temperature to aim at.
    pub supply_target: Option<Celsius>,
    /// This node gives no more heat to the river than this.
    pub river_at_most: Option<Watts>,
    /// Actuators held by hand.
    pub manual: Option<Manual>,
    /// No new work for this node.
    pub drain: bool,
    /// The loop shall stand still and be cut off.
    pub isolate: bool,
}

/// Actuators held by hand; `None` stays automatic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Manual {
    /// Pump speed.
    pub pump: Option<Percent>,
    /// Recovery valve position.
    pub valve: Option<Percent>,
}

/// What became of every order that carries a number. Draining and isolation are always obeyed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RemoteOutcome {
    /// Of [`Remote::pump_at_least`].
    pub pump_at_least: Fate<Percent>,
    /// Of [`Remote::valve_at_most`].
    pub valve_at_most: Fate<Percent>,
    /// Of [`Remote::supply_target`].
    pub supply_target: Fate<Celsius>,
    /// Of [`Remote::river_at_most`].
    pub river_at_most: Fate<Watts>,
    /// Of [`Manual::pump`].
    pub manual_pump: Fate<Percent>,
    /// Of [`Manual::valve`].
    pub manual_valve: Fate<Percent>,
    /// Of [`Snapshot::power_budget`](crate::Snapshot::power_budget).
    pub power_budget: Fate<Watts>,
}

impl Remote {
    /// The same without what is no number that can be obeyed.
    pub(crate) fn sensible(&self) -> Self {
        let percent = |order: Option<Percent>| order.filter(|percent| (0.0..=100.0).contains(&percent.get()));
        Self {
            pump_at_least: percent(self.pump_at_least),
            valve_at_most: percent(self.valve_at_most),
            supply_target: self.supply_target.filter(|celsius| celsius.get().is_finite()),
            river_at_most: self
                .river_at_most
                .filter(|watts| watts.get().is_finite() && *watts >= Watts::ZERO),
            manual: self
                .manual
                .map(|manual| Manual { pump: percent(manual.pump), valve: percent(manual.valve) }),
            drain: self.drain,
            isolate: self.isolate,
        }
    }
}

impl RemoteOutcome {
    /// Nothing of `orders` holds.
    pub(crate) fn overridden(orders: &Remote, by: Reason) -> Self {
        let manual = orders.manual.unwrap_or_default();
        let fate = Fate::Overridden { by };
        Self {
            pump_at_least: Fate::of(orders.pump_at_least, fate),
            valve_at_most: Fate::of(orders.valve_at_most, fate),
            supply_target: Fate::of(orders.supply_target, Fate::Overridden { by }),
            river_at_most: Fate::of(orders.river_at_most, Fate::Overridden { by }),
            manual_pump: Fate::of(manual.pump, fate),
            manual_valve: Fate::of(manual.valve, fate),
            power_budget: Fate::Absent,
        }
    }

    /// The same with a word on every order of `given` that was left out as no number.
    pub(crate) fn with_senseless(self, given: &Remote) -> Self {
        let manual = given.manual.unwrap_or_default();
        Self {
            pump_at_least: self.pump_at_least.unless_absent(given.pump_at_least),
            valve_at_most: self.valve_at_most.unless_absent(given.valve_at_most),
            supply_target: self.supply_target.unless_absent(given.supply_target),
            river_at_most: self.river_at_most.unless_absent(given.river_at_most),
            manual_pump: self.manual_pump.unless_absent(manual.pump),
            manual_valve: self.manual_valve.unless_absent(manual.valve),
            power_budget: self.power_budget,
        }
    }
}

/// What became of an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Fate<T> {
    /// There is none.
    #[default]
    Absent,
    /// It is no number that can be obeyed, so it counts for nothing.
    Senseless,
    /// Obeyed as given.
    InForce,
    /// Obeyed as far as it goes.
    Clamped {
        /// What holds instead.
        to: T,
        /// What forbids the rest.
        by: Reason,
    },
    /// Something stronger decides.
    Overridden {
        /// What it is.
        by: Reason,
    },
}

impl<T> Fate<T> {
    /// The fate of `order`, if there is one.
    pub(crate) fn of(order: Option<T>, fate: Self) -> Self {
        order.map_or(Self::Absent, |_| fate)
    }

    /// An order that was given and left no trace was no number.
    fn unless_absent(self, given: Option<T>) -> Self {
        match self {
            Self::Absent => Self::of(given, Self::Senseless),
            Self::Senseless | Self::InForce | Self::Clamped { .. } | Self::Overridden { .. } => self,
        }
    }
}
