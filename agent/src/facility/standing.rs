//! What faces ask of the controller all the time, rather than by commands that are answered one by one.
//!
//! ```text
//!   DSX    requests of an integration, within rails ─┐            the safest of all counts; what is
//!   Flex   budget on its ramp, drain ────────────────┴─► cells ──► not said again for 5 s is over ──► Snapshot
//! ```
//!
//! A face says it anew with every report, connected or not. So a face that hangs keeps nothing alive, and a broker
//! that is gone changes nothing.

use eisbach_protocol::units::{Celsius, Millis, Watts};
use tokio::sync::watch;

use crate::desk::InForce;

/// What is not said again for this is over: fifty cycles.
const HOLD: Millis = Millis::from_secs(5);

/// What one face asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Standing {
    /// Supply temperature to aim at.
    pub supply_target: Option<Celsius>,
    /// Most that all GPUs may draw together.
    pub power_budget: Option<Watts>,
    /// No new work for this node.
    pub drain: bool,
    /// The loop shall stand still.
    pub isolate: bool,
}

impl Standing {
    /// Both, and where they differ the safer.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            supply_target: least(self.supply_target, other.supply_target, Celsius::smaller),
            power_budget: least(self.power_budget, other.power_budget, Watts::smaller),
            drain: self.drain || other.drain,
            isolate: self.isolate || other.isolate,
        }
    }

    /// What of it holds: while somebody works on the node (`local`), only what goes in a safe direction. `own` is the
    /// agent's own supply temperature.
    #[must_use]
    pub fn allowed(self, local: bool, own: Celsius) -> Self {
        let supply_target = self.supply_target.filter(|target| !local || *target <= own);
        Self { supply_target, isolate: self.isolate && !local, ..self }
    }

    /// Adds it to the orders that came by commands; where they differ the safer counts.
    pub fn join(&self, orders: &mut InForce) {
        let remote = &mut orders.remote;
        remote.supply_target = least(remote.supply_target, self.supply_target, Celsius::smaller);
        remote.drain |= self.drain;
        remote.isolate |= self.isolate;
        orders.power_budget = least(orders.power_budget, self.power_budget, Watts::smaller);
    }
}

fn least<T>(one: Option<T>, other: Option<T>, smaller: impl Fn(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(smaller(one, other)),
        (None, one) | (one, None) => one,
    }
}

/// Where a face says what it asks for.
#[derive(Debug)]
pub(crate) struct Post(watch::Sender<(Standing, Millis)>);

impl Post {
    /// Says it, also if it is the same again.
    pub(crate) fn ask(&self, standing: Standing, now: Millis) {
        self.0.send_replace((standing, now));
    }
}

/// Where the cycle reads it.
#[derive(Clone, Debug)]
pub(crate) struct Cell(watch::Receiver<(Standing, Millis)>);

/// A place to say it, and one to read it.
pub(crate) fn post() -> (Post, Cell) {
    let (said, read) = watch::channel((Standing::default(), Millis::ZERO));
    (Post(said), Cell(read))
}

/// What all of them ask for now.
pub(crate) fn all(cells: &[Cell], now: Millis) -> Standing {
    let fresh = cells.iter().map(|cell| *cell.0.borrow()).filter(|(_, said)| now.since(*said) <= HOLD);
    fresh.fold(Standing::default(), |all, (one, _)| all.and(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_safest_of_all_counts_and_what_is_not_said_again_is_over() {
        let ((dsx, dsx_cell), (flex, flex_cell)) = (post(), post());
        let cells = [dsx_cell, flex_cell];
        let of = |supply: f32, watts: f32| Standing {
            supply_target: Some(Celsius::new(supply)),
            power_budget: Some(Watts::new(watts)),
            ..Standing::default()
        };
        dsx.ask(of(30.0, 5000.0), Millis::ZERO);
        flex.ask(Standing { drain: true, ..of(35.0, 4000.0) }, Millis::from_secs(3));
        assert_eq!(all(&cells, Millis::from_secs(4)), Standing { drain: true, ..of(30.0, 4000.0) });
        assert_eq!(all(&cells, Millis::from_secs(6)), Standing { drain: true, ..of(35.0, 4000.0) });
        assert_eq!(all(&cells, Millis::from_secs(9)), Standing::default());
    }

    #[test]
    fn it_only_makes_orders_of_commands_safer() {
        let standing = Standing {
            supply_target: Some(Celsius::new(40.0)),
            power_budget: Some(Watts::new(9.0)),
            isolate: true,
            ..Standing::default()
        };
        let mut orders = InForce { power_budget: Some(Watts::new(1.0)), ..InForce::default() };
        orders.remote.supply_target = Some(Celsius::new(30.0));
        standing.join(&mut orders);
        assert_eq!(
            (orders.remote.supply_target, orders.power_budget),
            (Some(Celsius::new(30.0)), Some(Watts::new(1.0)))
        );
        assert!(orders.remote.isolate && !orders.remote.drain);
        let mut orders = InForce::default();
        standing.join(&mut orders);
        assert_eq!(
            (orders.remote.supply_target, orders.power_budget),
            (standing.supply_target, standing.power_budget)
        );
    }

    #[test]
    fn while_somebody_works_on_the_node_only_what_is_safe_holds() {
        let (own, colder, warmer) = (Celsius::new(35.0), Celsius::new(30.0), Celsius::new(40.0));
        let of = |target| Standing {
            supply_target: Some(target),
            isolate: true,
            drain: true,
            ..Standing::default()
        };
        assert_eq!(of(warmer).allowed(false, own), of(warmer));
        let held = Standing { drain: true, ..Standing::default() };
        assert_eq!(of(warmer).allowed(true, own), held);
        assert_eq!(of(colder).allowed(true, own), Standing { supply_target: Some(colder), ..held });
    }
}
