//! The best choice within bounds: a coarse grid, then a fine one around its best point.
//!
//! ```text
//!   · · · · ·          bounded: the same number of points whatever the bounds
//!   · · ▒▒▒ ·          coarse ─► fine around the best ─► finest
//!   · · ▒▒▒ ·
//! ```

use super::bounds::Bounds;
use super::model::{Choice, Model};

/// Steps of the coarse grid each way, and of the fine ones.
const COARSE: u8 = 9;
const FINE: u8 = 4;
/// Fine grids, each within a step of the one before.
const ROUNDS: u8 = 2;

/// The cheapest choice.
pub(super) fn best(model: &Model, bounds: &Bounds) -> Choice {
    let (mut best, mut step) = grid(model, bounds, COARSE);
    for _ in 0..ROUNDS {
        let around = Bounds {
            supply: (
                (best.supply - step.supply).max(bounds.supply.0),
                (best.supply + step.supply).min(bounds.supply.1),
            ),
            rise: ((best.rise - step.rise).max(bounds.rise.0), (best.rise + step.rise).min(bounds.rise.1)),
        };
        (best, step) = grid(model, &around, FINE);
    }
    best
}

/// The cheapest point of a grid, and the grid's step. Of equals the coldest with the most flow.
fn grid(model: &Model, bounds: &Bounds, steps: u8) -> (Choice, Choice) {
    let step = Choice {
        supply: (bounds.supply.1 - bounds.supply.0) / f32::from(steps),
        rise: (bounds.rise.1 - bounds.rise.0) / f32::from(steps),
    };
    let mut best = (Choice { supply: bounds.supply.0, rise: bounds.rise.0 }, f32::INFINITY);
    for across in 0..=steps {
        let column = model.column(bounds.rise.0 + step.rise * f32::from(across));
        for along in 0..=steps {
            let supply = bounds.supply.0 + step.supply * f32::from(along);
            let cost = model.cost_at(supply, &column);
            if cost < best.1 {
                best = (Choice { supply, rise: column.rise }, cost);
            }
        }
    }
    (best.0, step)
}
