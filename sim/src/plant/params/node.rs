//! Numbers of the node: GPUs, cold plates, pipes, pump, expansion vessel.

use crate::plant::hydraulics::Resistance;

/// A GPU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GpuParams {
    /// Power limit without anybody's doing, W. Data sheet.
    pub tdp_watts: f64,
    /// Power that depends neither on work nor on temperature, W. With leakage it makes 75 W at idle, as
    /// `nvidia-smi -q` tells of an H200 SXM.
    pub base_watts: f64,
    /// Leakage at 60 °C, W. Estimate: 8 % of TDP.
    pub leakage_watts: f64,
    /// Leakage grows by e over this, K. Estimate.
    pub leakage_kelvin: f64,
    /// Power of full work at full clock, W. Estimate: a little more than TDP leaves, so that the limiter
    /// works.
    pub work_watts: f64,
    /// Work power follows clock to this exponent: 1 at the voltage floor, 3 above it. Estimate.
    pub clock_exponent: f64,
    /// Lowest SM clock, MHz. Data of the board.
    pub clock_min_mhz: f64,
    /// Highest SM clock, MHz. Data of the board.
    pub clock_max_mhz: f64,
    /// Time constant of the firmware's power limiter, s. Estimate.
    pub limiter_lag_s: f64,
    /// Share of power that leaves through the memory stacks. Estimate: 12 to 15 %.
    pub memory_share: f64,
    /// Die, lid and package, J/K. 814 mm² of silicon 0.775 mm thick hold 1.0 J/K; the rest is an estimate.
    pub die_capacity: f64,
    /// Die to plate, K/W. Set so that the die is at 64 °C with TDP and 35 °C supply, in line with
    /// liquid-cooled H100 measured at 41 to 50 °C (Latif et al. 2025, arXiv 2507.16781).
    pub die_resistance: f64,
    /// Memory stacks with their share of the lid, J/K. Estimate.
    pub memory_capacity: f64,
    /// Memory to plate, K/W. Estimate.
    pub memory_resistance: f64,
    /// Core temperature at which the hardware halves power, °C. `nvidia-smi -q` of an H200 SXM.
    pub slowdown_celsius: f64,
    /// Slowdown ends this much below its start, K. Estimate.
    pub slowdown_hysteresis: f64,
    /// Core temperature at which the board switches itself off, °C. `nvidia-smi -q` of an H200 SXM.
    pub shutdown_celsius: f64,
}

impl GpuParams {
    /// H200 SXM.
    pub const H200: Self = Self {
        tdp_watts: 700.0,
        base_watts: 38.0,
        leakage_watts: 56.0,
        leakage_kelvin: 58.0,
        work_watts: 620.0,
        clock_exponent: 1.7,
        clock_min_mhz: 345.0,
        clock_max_mhz: 1980.0,
        limiter_lag_s: 0.2,
        memory_share: 0.14,
        die_capacity: 2.2,
        die_resistance: 0.020,
        memory_capacity: 10.0,
        memory_resistance: 0.20,
        slowdown_celsius: 89.0,
        slowdown_hysteresis: 2.0,
        shutdown_celsius: 95.0,
    };
}

/// A cold plate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlateParams {
    /// Plate to liquid at design flow, K/W. Estimate, inside the band of published cold plates (0.0265 K/W in
    /// all at this flow).
    pub resistance: f64,
    /// Design flow, L/min. OCP guideline for liquid cooling: 1.5 L/min per kW.
    pub design_lpm: f64,
    /// Resistance falls with flow to this exponent. Reduced-order model of a COMSOL study of a direct-to-chip
    /// plate: 0.0270 K/W × (L/min)^-0.382.
    pub flow_exponent: f64,
    /// Plate to standing liquid, K/W. Estimate: free convection and boiling reserve are left out.
    pub still_resistance: f64,
    /// Metal, J/K. Estimate: 0.35 kg of copper.
    pub metal_capacity: f64,
    /// Liquid in the plate, J/K. Estimate: 22 mL.
    pub liquid_capacity: f64,
    /// Pressure drop. Shape from the same COMSOL study.
    pub drop: Resistance,
}

impl PlateParams {
    /// A plate on an H200.
    pub const H200: Self = Self {
        resistance: 0.016,
        design_lpm: 1.05,
        flow_exponent: 0.382,
        still_resistance: 0.06,
        metal_capacity: 130.0,
        liquid_capacity: 90.0,
        drop: Resistance::kpa_per_lpm(6.276, 3.057),
    };
}

/// Processors, memory, switches and voltage regulators: one branch beside the GPUs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RestParams {
    /// Heat at rest, W. Estimate.
    pub base_watts: f64,
    /// Heat per watt of GPU power. Estimate.
    pub per_gpu_watt: f64,
    /// Their plates, taken together.
    pub plate: PlateParams,
}

impl RestParams {
    /// The rest of an eight-GPU server, all of it liquid-cooled. Estimates.
    pub const HGX: Self = Self {
        base_watts: 300.0,
        per_gpu_watt: 0.30,
        plate: PlateParams {
            resistance: 0.004,
            design_lpm: 3.0,
            flow_exponent: 0.382,
            still_resistance: 0.02,
            metal_capacity: 900.0,
            liquid_capacity: 260.0,
            // 10 kPa at 3 L/min, to match the GPU plates.
            drop: Resistance::kpa_per_lpm(2.2, 0.378),
        },
    };
}

/// Pipes of the node loop. Estimates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoopParams {
    /// Hoses and manifold from CDU to plates, L.
    pub supply_litres: f64,
    /// Hoses and manifold from plates to CDU, L.
    pub return_litres: f64,
    /// Exchanger and pump, well mixed, L.
    pub cdu_litres: f64,
    /// Couplings, hoses, manifold and exchanger, all in series.
    pub pipes: Resistance,
    /// The strainer while clean.
    pub strainer: Resistance,
    /// Heat to the room per kelvin, W/K.
    pub room_loss: f64,
}

impl LoopParams {
    /// One node on its own CDU: 90 kPa at 11.4 L/min, 10 kPa of plates not counted.
    pub const NODE: Self = Self {
        supply_litres: 2.0,
        return_litres: 2.0,
        cdu_litres: 0.8,
        pipes: Resistance::kpa_per_lpm(12.0 / 11.4, 70.0 / (11.4 * 11.4)),
        strainer: Resistance::kpa_per_lpm(0.0, 8.0 / (11.4 * 11.4)),
        room_loss: 5.0,
    };
}

/// A centrifugal pump on a frequency drive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PumpParams {
    /// Head against a closed valve at full speed, kPa. Estimate for a small multistage pump.
    pub shutoff_kpa: f64,
    /// Fall of head with flow, kPa/(L/min)². Estimate.
    pub fall: f64,
    /// Best efficiency, without the drive's own draw. Estimate: wire to water it makes 0.35, usual for a pump
    /// this small; the pumps of a row CDU have 0.65.
    pub efficiency: f64,
    /// Flow of best efficiency at full speed, L/min. Estimate.
    pub best_lpm: f64,
    /// Loss of efficiency off that flow, per square of the relative distance. Estimate.
    pub droop: f64,
    /// Wear from 0 (new) to 1 (worn out): head falls by 25 %, efficiency by 30 %. Estimate.
    pub wear: f64,
    /// What the drive itself draws, W. Estimate.
    pub drive_watts: f64,
    /// Share of electric power that ends in the coolant; the rest warms the room. Estimate for a wet rotor.
    pub heat_share: f64,
    /// Lowest speed of the drive, share of full speed. Estimate.
    pub speed_min: f64,
    /// Fastest change of speed, 1/s. Common setting of pump drives: 5 to 10 %/s.
    pub ramp_per_s: f64,
    /// Coast-down of the impeller and the water it drives, s. Estimate.
    pub coast_s: f64,
    /// Inertia of the water while driven, s. Estimate.
    pub follow_s: f64,
    /// Full speed, 1/min. Estimate.
    pub rated_rpm: f64,
    /// Suction head that it needs at its flow of best efficiency lest it cavitate (net positive suction head), m.
    /// Estimate.
    pub suction_m: f64,
}

impl PumpParams {
    /// The node's pump.
    pub const NODE: Self = Self {
        shutoff_kpa: 135.0,
        fall: 0.12,
        efficiency: 0.42,
        best_lpm: 12.0,
        droop: 0.5,
        wear: 0.1,
        drive_watts: 8.0,
        heat_share: 0.85,
        speed_min: 0.30,
        ramp_per_s: 0.10,
        coast_s: 1.5,
        follow_s: 0.1,
        rated_rpm: 5600.0,
        suction_m: 2.0,
    };
}

/// A second pump beside the first, with a check valve in each branch: it starts by itself when the first one's drive
/// trips.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StandbyParams {
    /// From the trip to its start, s. Estimate.
    pub start_s: f64,
    /// How fast it comes up, 1/s: faster than the usual ramp. Estimate.
    pub ramp_per_s: f64,
}

impl StandbyParams {
    /// Water moves again 3 to 5 s after the trip (estimate).
    pub const N_PLUS_1: Self = Self { start_s: 3.0, ramp_per_s: 0.5 };
}

/// The expansion vessel: a gas cushion that sets the pressure at the pump's inlet. Estimates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VesselParams {
    /// Pressure over ambient when filled, kPa. Commissioning practice: 1.5 to 2.5 bar.
    pub fill_kpa: f64,
    /// Gas when filled, L.
    pub gas_litres: f64,
    /// Liquid in the whole loop, L.
    pub loop_litres: f64,
    /// Temperature when filled, °C.
    pub fill_celsius: f64,
    /// Below this pressure over ambient the pump begins to draw air, kPa.
    pub air_kpa: f64,
    /// Liquid that must have leaked before the rope is wet, L.
    pub rope_litres: f64,
}

impl VesselParams {
    /// The node's vessel.
    pub const NODE: Self = Self {
        fill_kpa: 150.0,
        gas_litres: 2.0,
        loop_litres: 5.5,
        fill_celsius: 20.0,
        air_kpa: 10.0,
        rope_litres: 0.02,
    };
}
