//! Numbers of what the node is connected to: exchangers, facility loop, recovery valve, heat pump.

/// A plate heat exchanger.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExchangerParams {
    /// Film on the hot side at design flow, W/K.
    pub hot_film: f64,
    /// Film on the cold side at design flow, W/K.
    pub cold_film: f64,
    /// Hot design flow times heat capacity, W/K.
    pub hot_design: f64,
    /// Cold design flow times heat capacity, W/K.
    pub cold_design: f64,
    /// Films grow with flow to this exponent: turbulent plates, 0.7 (textbook correlations).
    pub flow_exponent: f64,
    /// Fouling, K/W.
    pub fouling: f64,
    /// Lag of the metal, s. Estimate: 3 to 5 s.
    pub wall_lag_s: f64,
}

impl ExchangerParams {
    /// Node loop to facility loop. Scaled from the data sheet of the Motivair MCDU-70: 0.231 kW/K per kW, 4 K
    /// approach. Fouling takes 5 % (estimate).
    pub const CDU: Self = Self {
        hot_film: 3500.0,
        cold_film: 3500.0,
        hot_design: 761.0,
        cold_design: 832.0,
        flow_exponent: 0.7,
        fouling: 2.9e-5,
        wall_lag_s: 4.0,
    };
    /// Facility loop to river, sized for 3 K approach at 7.6 kW (common practice: 3 to 5 K). The river side
    /// has three times the facility flow. Fouling takes 8 % (estimate).
    pub const RIVER: Self = Self {
        hot_film: 3000.0,
        cold_film: 3000.0,
        hot_design: 832.0,
        cold_design: 2500.0,
        flow_exponent: 0.7,
        fouling: 5.3e-5,
        wall_lag_s: 4.0,
    };
}

/// The node's share of the facility loop. Estimates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FacilityParams {
    /// Flow of the facility pump, constant, L/min: a tenth more heat capacity than the node loop at design.
    pub flow_lpm: f64,
    /// Buffer between CDU and recovery valve, well mixed, L.
    pub buffer_litres: f64,
    /// Pipe from the exchangers back to the CDU, L.
    pub pipe_litres: f64,
}

impl FacilityParams {
    /// 2 L per kW, which is little: a lost cooler shows within a minute.
    pub const SHARE: Self = Self { flow_lpm: 12.0, buffer_litres: 12.0, pipe_litres: 3.0 };
}

/// Flow through the river port of the recovery valve, as a function of that port's opening.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Characteristic {
    /// Each step of opening changes the flow by the same share: `R^(opening − 1)`, linear in the last
    /// twentieth, as in the valve models of the Modelica Buildings library (R = 50).
    EqualPercentage {
        /// R: flow open against flow just off the seat.
        rangeability: f64,
    },
    /// Flow share equals opening.
    Linear,
}

/// The recovery valve: a three-way valve with an electric actuator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ValveParams {
    /// Shape of the river port; the recovery port gets what is left.
    pub characteristic: Characteristic,
    /// Flow through a closed port. Modelica Buildings library: 1e-4.
    pub leakage: f64,
    /// Time from end to end, s. Common actuators: 60 to 120 s.
    pub stroke_s: f64,
    /// The motor starts when the set-point is further away than this. Estimate.
    pub dead_band: f64,
    /// Play between motor and stem. Estimate.
    pub play: f64,
    /// How the stem sticks. A sound valve's does not.
    pub stiction: Stiction,
    /// Authority of the river port, 0 to 1: its share of the pressure drop of its branch when open. At 1 the flow follows
    /// the opening's own curve. A buffer before the valve keeps pressures even: 1 (estimate).
    pub authority: f64,
    /// A motor that does not get to its set-point for this long reports a fault, s. Estimate.
    pub fault_after_s: f64,
}

impl ValveParams {
    /// The energy valve.
    pub const ENERGY_VALVE: Self = Self {
        characteristic: Characteristic::EqualPercentage { rangeability: 50.0 },
        leakage: 1e-4,
        stroke_s: 60.0,
        dead_band: 0.005,
        play: 0.005,
        stiction: Stiction::NONE,
        authority: 1.0,
        fault_after_s: 5.0,
    };
}

/// A stem that sticks and slips, by the two parameters that are usual for control valves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stiction {
    /// The motor goes this far before the stem breaks loose, share of the stroke. A sticky valve: 2 % (estimate).
    pub stick: f64,
    /// The stem then slips by this much, share of the stroke. A sticky valve: 1 % (estimate).
    pub jump: f64,
}

impl Stiction {
    /// A stem that follows its motor.
    pub const NONE: Self = Self { stick: 0.0, jump: 0.0 };
}

/// A heat pump that lifts recovered heat into the district network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeatPumpParams {
    /// Supply temperature of the network, °C. A quarter's low-temperature network: 55 to 60 °C (estimate).
    pub network_celsius: f64,
    /// The condenser is this much warmer than the network, K. Estimate.
    pub condenser_approach: f64,
    /// Evaporation never goes below this, °C. Estimate.
    pub evaporation_min_celsius: f64,
    /// Evaporator, W/K. Estimate: small, so that it takes all heat of a busy node only from a warm loop.
    pub evaporator: f64,
    /// Most that the branch may be cooled, K. Estimate.
    pub branch_drop_max: f64,
    /// COP as a share of Carnot's. Fits 5.5, 4.3 and 3.5 at 60, 70 and 80 °C from a 45 °C source (Zangeneh
    /// and Øi, SIMS).
    pub carnot_share: f64,
    /// Highest COP, for small lifts. Estimate.
    pub cop_max: f64,
    /// Change of capacity, W/s. Estimate: 4 %/s of 10 kW.
    pub ramp_watts_per_s: f64,
    /// What one machine does at less than full load.
    pub part_load: PartLoad,
}

/// Limits of a single compressor. A node's share of a large machine has none of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PartLoad {
    /// Heat from the branch at full load, W.
    pub full_watts: f64,
    /// Share of the efficiency lost as the load goes to nothing.
    pub loss: f64,
    /// Least load it can run at, share of full load.
    pub least: f64,
    /// Once started it runs for this long, s.
    pub run_s: f64,
}

impl PartLoad {
    /// As good at any load.
    pub const NONE: Self = Self { full_watts: f64::INFINITY, loss: 0.0, least: 0.0, run_s: 0.0 };
    /// One compressor for one node: 15 % less efficient towards no load, runs at 30 % and more, for ten minutes at
    /// least. Estimates.
    pub const COMPRESSOR: Self = Self { full_watts: 8000.0, loss: 0.15, least: 0.3, run_s: 600.0 };
}

impl HeatPumpParams {
    /// A small heat pump on a quarter's network.
    pub const DISTRICT: Self = Self {
        network_celsius: 60.0,
        condenser_approach: 5.0,
        evaporation_min_celsius: 20.0,
        evaporator: 350.0,
        branch_drop_max: 10.0,
        carnot_share: 0.49,
        cop_max: 8.0,
        ramp_watts_per_s: 400.0,
        part_load: PartLoad::NONE,
    };
}
