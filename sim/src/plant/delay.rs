//! A pipe: what flows in comes out when the volume before it has left, neither mixed nor lost.
//!
//! ```text
//!  in ──►│▓▓░░│▓▓▓▓│▓▓▓▓│ … │▓▓▓▓│░░▓▓│──► out
//!         back (filling)          front (draining)
//!
//!  the back cell holds as much as the front cell has given: the pipe is always full
//! ```

use std::collections::VecDeque;

/// Cells a pipe is usually cut into: the outlet moves in steps of 1/128 of the delay.
const CELLS: u32 = 128;

/// Plug flow through a pipe that is always full.
#[derive(Clone, Debug)]
pub(crate) struct Pipe {
    /// Temperatures, front (outlet) to back (inlet): one cell more than the pipe holds, as two are partly
    /// full.
    cells: VecDeque<f64>,
    cell_kg: f64,
    /// What is in the back cell, and gone from the front cell.
    filled_kg: f64,
}

impl Pipe {
    /// A pipe with `kg` of liquid at one temperature.
    pub(crate) fn new(kg: f64, celsius: f64) -> Self {
        Self::with_cells(kg, celsius, CELLS)
    }

    /// The same, cut into `cells`: fewer are cheaper, and the outlet moves in coarser steps.
    pub(crate) fn with_cells(kg: f64, celsius: f64, cells: u32) -> Self {
        let mut full: VecDeque<f64> = (0..=cells).map(|_| celsius).collect();
        full.shrink_to_fit();
        Self { cells: full, cell_kg: kg / f64::from(cells), filled_kg: 0.0 }
    }

    /// Pushes `kg` at `inlet` in, and returns the mean temperature of the `kg` that leave.
    pub(crate) fn push(&mut self, kg: f64, inlet: f64) -> f64 {
        if kg <= 0.0 {
            return self.outlet();
        }
        let mut left = kg;
        let mut heat = 0.0;
        while left > 0.0 {
            let room = self.cell_kg - self.filled_kg;
            let part = left.min(room);
            heat += part * self.outlet();
            if let Some(back) = self.cells.back_mut() {
                *back = (*back * self.filled_kg + inlet * part) / (self.filled_kg + part);
            }
            self.filled_kg += part;
            left -= part;
            if part >= room {
                self.cells.pop_front();
                self.cells.push_back(inlet);
                self.filled_kg = 0.0;
            }
        }
        heat / kg
    }

    /// Temperature at the outlet.
    pub(crate) fn outlet(&self) -> f64 {
        self.cells.front().copied().unwrap_or_default()
    }

    /// Mass times temperature, kg K above 0 °C.
    pub(crate) fn kg_kelvin(&self) -> f64 {
        let back = self.cells.back().copied().unwrap_or_default();
        let full: f64 = self.cells.iter().sum();
        self.cell_kg * (full - back) - self.filled_kg * (self.outlet() - back)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_delay_is_volume_over_flow() {
        let mut pipe = Pipe::new(2.0, 20.0);
        let kg_s = 0.19;
        let steps = (1..).find(|_| pipe.push(kg_s * 0.01, 30.0) > 25.0).unwrap();
        let delay = f64::from(steps) * 0.01;
        assert!((delay - 2.0 / kg_s).abs() < 2.0 / kg_s / 64.0, "{delay} s");
    }

    #[test]
    fn still_water_keeps_its_place() {
        let mut pipe = Pipe::new(2.0, 20.0);
        pipe.push(1.0, 30.0);
        let before = pipe.kg_kelvin();
        assert_eq!(pipe.push(0.0, 99.0).to_bits(), 20.0_f64.to_bits());
        assert_eq!(pipe.kg_kelvin().to_bits(), before.to_bits());
    }

    proptest! {
        #[test]
        fn no_heat_is_lost_on_the_way(pushes in prop::collection::vec((0.0..0.5_f64, 5.0..60.0_f64), 1..200)) {
            let mut pipe = Pipe::new(2.0, 20.0);
            let mut expected = pipe.kg_kelvin();
            for (kg, inlet) in pushes {
                let outlet = pipe.push(kg, inlet);
                expected += kg * (inlet - outlet);
                prop_assert!((pipe.kg_kelvin() - expected).abs() < 1e-9);
            }
        }

        #[test]
        fn nothing_leaves_that_did_not_enter(
            pushes in prop::collection::vec((0.0..3.0_f64, 5.0..60.0_f64), 1..50),
        ) {
            let mut pipe = Pipe::new(2.0, 20.0);
            for (kg, inlet) in pushes {
                let outlet = pipe.push(kg, inlet);
                prop_assert!((4.999_999..60.000_001).contains(&outlet), "{outlet}");
            }
        }
    }
}
