//! Plate heat exchangers in counter-flow, by effectiveness and number of transfer units.
//!
//! ```text
//!            ε = (1 − e^(−NTU(1−Cr))) / (1 − Cr e^(−NTU(1−Cr)))       heat = ε · Cmin · (Thot − Tcold)
//!   NTU = UA / Cmin     Cr = Cmin / Cmax     1/UA = 1/hA(hot flow) + 1/hA(cold flow) + fouling
//! ```

use core::fmt;

use super::memo::Memo;
use super::params::ExchangerParams;

/// What flows through one side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stream {
    /// Mass flow times heat capacity, W/K.
    pub(crate) capacity: f64,
    /// Temperature where it enters, °C.
    pub(crate) celsius: f64,
}

/// Heat from the hot to the cold stream in steady state, W. Negative if the "hot" one is the colder.
pub(crate) fn heat(params: &ExchangerParams, hot: Stream, cold: Stream) -> f64 {
    moved(hot, cold, || conductance(params, hot.capacity, cold.capacity))
}

/// The same, where `conductance` tells UA.
fn moved(hot: Stream, cold: Stream, conductance: impl FnOnce() -> f64) -> f64 {
    let low = hot.capacity.min(cold.capacity);
    let high = hot.capacity.max(cold.capacity);
    if low <= 0.0 {
        return 0.0;
    }
    let ntu = conductance() / low;
    effectiveness(ntu, low / high) * low * (hot.celsius - cold.celsius)
}

/// Share of the largest possible heat that a counter-flow exchanger moves.
pub(crate) fn effectiveness(ntu: f64, ratio: f64) -> f64 {
    let unlike = 1.0 - ratio;
    // Between equal streams the formula is 0/0; this is its limit.
    if unlike < 1e-6 {
        return ntu / (1.0 + ntu);
    }
    let decay = (-ntu * unlike).exp();
    (1.0 - decay) / (1.0 - ratio * decay)
}

/// UA at these flows, W/K.
fn conductance(params: &ExchangerParams, hot: f64, cold: f64) -> f64 {
    in_series(params, hot_film(params, hot), cold_film(params, cold))
}

fn in_series(params: &ExchangerParams, hot_film: f64, cold_film: f64) -> f64 {
    1.0 / (1.0 / hot_film + 1.0 / cold_film + params.fouling)
}

fn hot_film(params: &ExchangerParams, flow: f64) -> f64 {
    params.hot_film * (flow / params.hot_design).powf(params.flow_exponent)
}

fn cold_film(params: &ExchangerParams, flow: f64) -> f64 {
    params.cold_film * (flow / params.cold_design).powf(params.flow_exponent)
}

/// An exchanger whose metal lags: heat leaves the hot side at once, and reaches the cold side through the
/// wall.
#[derive(Clone)]
pub(crate) struct WalledExchanger {
    params: ExchangerParams,
    /// Heat into the cold stream, W.
    through: f64,
    step_share: f64,
    /// Heat in the wall above its first state, J.
    stored: f64,
    /// Fouling but for what a fault says, K/W.
    own_fouling: f64,
    /// Share of the conductance that a fault has taken.
    lost: f64,
    /// Films at the flows of the last step: one side at least keeps its flow nearly always.
    films: (Memo, Memo),
}

impl fmt::Debug for WalledExchanger {
    /// Its state, which what was reckoned from it is no part of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { params, through, step_share, stored, own_fouling, lost, films: _ } = self;
        f.debug_struct("WalledExchanger")
            .field("params", params)
            .field("through", through)
            .field("step_share", step_share)
            .field("stored", stored)
            .field("own_fouling", own_fouling)
            .field("lost", lost)
            .finish()
    }
}

/// Heat through a [`WalledExchanger`] in one step, W.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct WallHeat {
    /// Out of the hot stream.
    pub(crate) from_hot: f64,
    /// Into the cold stream.
    pub(crate) to_cold: f64,
}

impl WalledExchanger {
    pub(crate) fn new(params: ExchangerParams, dt: f64) -> Self {
        let step_share = 1.0 - (-dt / params.wall_lag_s).exp();
        let films = (Memo::default(), Memo::default());
        Self { params, through: 0.0, step_share, stored: 0.0, own_fouling: params.fouling, lost: 0.0, films }
    }

    /// Fouls it until this share of its conductance at design flow is gone.
    pub(crate) fn foul(&mut self, loss: f64) {
        // Nothing to compute anew in almost every step.
        if (loss - self.lost).abs() > 0.0 {
            let (params, own) = (&self.params, self.own_fouling);
            let clean = 1.0 / params.hot_film + 1.0 / params.cold_film + own;
            self.params.fouling = own + clean * loss / (1.0 - loss);
            self.lost = loss;
        }
    }

    pub(crate) fn step(&mut self, hot: Stream, cold: Stream, dt: f64) -> WallHeat {
        let (params, films) = (&self.params, &mut self.films);
        let from_hot = moved(hot, cold, || {
            let hot_film = films.0.of(hot.capacity, |flow| hot_film(params, flow));
            let cold_film = films.1.of(cold.capacity, |flow| cold_film(params, flow));
            in_series(params, hot_film, cold_film)
        });
        self.through += self.step_share * (from_hot - self.through);
        self.stored += (from_hot - self.through) * dt;
        WallHeat { from_hot, to_cold: self.through }
    }

    /// Heat in the wall, J.
    pub(crate) fn stored(&self) -> f64 {
        self.stored
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plant::params::PlantParams;

    #[test]
    fn equal_streams_follow_their_closed_form() {
        assert!((effectiveness(2.0, 1.0) - 2.0 / 3.0).abs() < 1e-12);
        assert!((effectiveness(2.0, 1.0 - 1e-7) - effectiveness(2.0, 1.0 - 2e-6)).abs() < 1e-5);
    }

    #[test]
    fn against_a_stream_of_constant_temperature_effectiveness_is_one_minus_e_to_minus_ntu() {
        assert!((effectiveness(1.5, 0.0) - (1.0 - (-1.5_f64).exp())).abs() < 1e-12);
    }

    #[test]
    fn the_cdu_has_an_approach_of_four_kelvin_at_design() {
        let cdu = PlantParams::ideal().cdu;
        // 7.6 kW into 11.4 L/min: return 10 K above supply.
        let hot = Stream { capacity: cdu.hot_design, celsius: 45.0 };
        let cold = Stream { capacity: cdu.cold_design, celsius: 31.0 };
        let supply = 45.0 - heat(&cdu, hot, cold) / hot.capacity;
        assert!((supply - 31.0 - 4.0).abs() < 0.3, "{supply}");
    }

    #[test]
    fn the_wall_gives_back_what_it_took() {
        let mut exchanger = WalledExchanger::new(PlantParams::ideal().cdu, 0.01);
        let cold = Stream { capacity: 800.0, celsius: 20.0 };
        for celsius in [20.0, 45.0, 20.0] {
            for _ in 0..10_000 {
                exchanger.step(Stream { capacity: 760.0, celsius }, cold, 0.01);
            }
        }
        assert!(exchanger.stored().abs() < 1e-3, "{}", exchanger.stored());
    }

    #[test]
    fn an_exchanger_that_lost_a_third_has_a_third_less_conductance() {
        let params = PlantParams::default().cdu;
        let mut exchanger = WalledExchanger::new(params, 0.01);
        let design = |params: &ExchangerParams| conductance(params, params.hot_design, params.cold_design);
        exchanger.foul(1.0 / 3.0);
        let ratio = design(&exchanger.params) / design(&params);
        assert!((ratio - 2.0 / 3.0).abs() < 1e-12, "{ratio}");
        exchanger.foul(0.0);
        assert_eq!(exchanger.params, params);
    }

    proptest! {
        #[test]
        fn effectiveness_is_a_share_and_grows_with_size(ntu in 0.01..20.0_f64, ratio in 0.0..=1.0_f64) {
            let small = effectiveness(ntu, ratio);
            prop_assert!((0.0..=1.0).contains(&small));
            prop_assert!(effectiveness(ntu * 1.1, ratio) >= small);
        }

        #[test]
        fn heat_flows_downhill_and_streams_never_cross(
            hot in 5.0..2000.0_f64, cold in 5.0..2000.0_f64, high in 20.0..60.0_f64, low in 0.0..20.0_f64,
        ) {
            let params = PlantParams::default().cdu;
            let heat = heat(
                &params,
                Stream { capacity: hot, celsius: high },
                Stream { capacity: cold, celsius: low },
            );
            prop_assert!(heat >= 0.0);
            prop_assert!(high - heat / hot >= low - 1e-9 && low + heat / cold <= high + 1e-9);
        }
    }
}
