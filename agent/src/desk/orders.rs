//! The orders in force: what each issuer asked for, until when, and what follows from all of them.
//!
//! ```text
//!   safe       one an issuer and action; the safest of all counts:  most flow, least recovery, coldest, least power
//!   authority  one an action; the newest counts
//! ```
//!
//! Every order has an end. The cycle looks at the end itself, with its own clock: a desk that hangs keeps nothing alive.

use eisbach_control::{Remote, Surroundings};
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{Millis, Watts};

use super::action::{Action, ActionName, Direction, River};
use super::judge::Ruling;
use super::refusal::Refusal;
use crate::report::events::Short;

/// Most orders of issuers that the configuration names and of faces: more than they have names and actions.
const MOST_OF_KNOWN: usize = 160;
/// Most orders of all others. These take none of the places of the former.
const MOST_OF_STRANGERS: usize = 32;

/// An order in force.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Order {
    /// The command's own name.
    pub(super) id: Short,
    /// Who gave it.
    pub(super) issuer: Short,
    /// What it asks for.
    pub(super) action: Action,
    /// Whether it rests on a right.
    pub(super) direction: Direction,
    /// The configuration names its issuer, or it is a face.
    pub(super) known: bool,
    /// Since when, on the agent's clock.
    pub(super) since: Millis,
    /// Until when.
    pub(super) until: Millis,
    /// When it was issued, where it says, in UTC milliseconds.
    pub(super) issued_at: Option<u64>,
}

/// All of them, and what follows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Orders {
    list: Vec<Order>,
}

/// What is told of the river, so old.
const fn tell_river(surroundings: &mut Surroundings, river: &River, age: Millis) {
    if let Some(celsius) = river.celsius {
        surroundings.river = Reading::measured(celsius, age);
    }
    if let Some(flow) = river.flow {
        surroundings.river_flow = Reading::measured(flow, age);
    }
    surroundings.river_share = river.share;
}

/// What the controller is told, and until when the last hold by hand lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct InForce {
    /// Orders to pump, valve and node.
    pub remote: Remote,
    /// Most power of all GPUs.
    pub power_budget: Option<Watts>,
    /// What is told of the world outside.
    pub surroundings: Surroundings,
    /// End of the hold by hand.
    pub manual_until: Option<Millis>,
}

impl Orders {
    /// What is in force at `now`.
    #[must_use]
    pub fn at(&self, now: Millis) -> InForce {
        let mut all = InForce::default();
        for order in self.list.iter().filter(|order| order.until > now) {
            let remote = &mut all.remote;
            match order.action {
                Action::PumpAtLeast(percent) => {
                    remote.pump_at_least =
                        Some(remote.pump_at_least.map_or(percent, |other| other.larger(percent)));
                }
                Action::ValveAtMost(percent) => {
                    remote.valve_at_most =
                        Some(remote.valve_at_most.map_or(percent, |other| other.smaller(percent)));
                }
                Action::SupplyTarget(celsius) => {
                    remote.supply_target =
                        Some(remote.supply_target.map_or(celsius, |other| other.smaller(celsius)));
                }
                Action::PowerBudget(watts) => {
                    all.power_budget = Some(all.power_budget.map_or(watts, |other| other.smaller(watts)));
                }
                Action::RiverAtMost(watts) => {
                    remote.river_at_most =
                        Some(remote.river_at_most.map_or(watts, |other| other.smaller(watts)));
                }
                Action::River(river) => tell_river(&mut all.surroundings, &river, now.since(order.since)),
                Action::HeatDemand { watts, network } => {
                    let age = now.since(order.since);
                    all.surroundings.heat_demand = Reading::measured(watts, age);
                    all.surroundings.network_supply = Reading::measured(network, age);
                }
                Action::Manual(manual) => {
                    remote.manual = Some(manual);
                    all.manual_until = Some(order.until);
                }
                Action::Drain => remote.drain = true,
                Action::Isolate => remote.isolate = true,
                Action::Auto
                | Action::Release(_)
                | Action::Acknowledge(_)
                | Action::Shelve { .. }
                | Action::Unshelve(_)
                | Action::Reset(_)
                | Action::Rebirth => {}
            }
        }
        all
    }

    /// Puts an order in force; the one that it replaces.
    pub(super) fn put(
        &mut self,
        (id, issuer): (Short, Short),
        known: bool,
        ruling: &Ruling,
        now: Millis,
    ) -> Result<Option<Order>, Refusal> {
        let direction = ruling.direction;
        let Ruling { action, life, issued_at, .. } = *ruling;
        let order = Order { id, issuer, action, direction, known, since: now, until: now + life, issued_at };
        let name = order.action.name();
        let alike = self.list.iter().filter(|order| order.known == known).count();
        let full = alike >= if known { MOST_OF_KNOWN } else { MOST_OF_STRANGERS };
        let place = self.list.iter_mut().find(|other| {
            let same_issuer = other.issuer == order.issuer;
            let both_by_right = direction == Direction::Authority && other.direction == direction;
            other.action.name() == name && (same_issuer || both_by_right)
        });
        match place {
            Some(place) => Ok(Some(std::mem::replace(place, order))),
            None if full => Err(Refusal::Full),
            None => {
                self.list.push(order);
                Ok(None)
            }
        }
    }

    /// Takes away what `gone` names.
    pub(super) fn take(&mut self, gone: impl Fn(&Order) -> bool) -> Vec<Order> {
        self.list.extract_if(.., |order| gone(order)).collect()
    }

    /// The issuer's own order of that name, if it is in force at `now`.
    pub(super) fn own(&self, issuer: &Short, name: ActionName, now: Millis) -> Option<&Order> {
        let own = |order: &&Order| order.issuer == *issuer && order.action.name() == name;
        self.list.iter().filter(|order| order.until > now).find(own)
    }

    /// Whether an order in a safe direction would be less strict than the issuer's own in force, or end before it.
    /// What rests on a right is heat rather than cooling: there is nothing to weaken.
    pub(super) fn weakens(&self, issuer: &Short, action: &Action, until: Millis, now: Millis) -> bool {
        self.own(issuer, action.name(), now).is_some_and(|own| {
            let safe = own.direction != Direction::Authority;
            safe && (until < own.until || action.strictness() < own.action.strictness())
        })
    }

    /// Takes away the issuer's own order of that name.
    pub(super) fn take_own(&mut self, issuer: &Short, name: ActionName) -> Option<Order> {
        let at = self.list.iter().position(|order| order.issuer == *issuer && order.action.name() == name)?;
        Some(self.list.remove(at))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// There is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}
