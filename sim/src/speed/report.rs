//! The numbers, and how they are shown.

use core::fmt;

use serde::Serialize;

/// Everything that was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// One node with its controller.
    pub single_node: Single,
    /// The factory's day.
    pub day: Day,
    /// What a step of a node costs in factories of growing size.
    pub sizes: Vec<Size>,
    /// Whether the same seed gives the same bits.
    pub bits: Bits,
}

/// One node on a CDU of its own, one thread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Single {
    /// Length of a step, and period of the controller, s.
    pub step_s: f64,
    /// Plant time that passed, s.
    pub simulated_s: f64,
    /// Processor time for it, plant and controller, s.
    pub processor_s: f64,
    /// Wall-clock time for it, s.
    pub wall_s: f64,
    /// Plant time over processor time.
    pub times_real_time: f64,
    /// A step of plant and controller, µs.
    pub step_us: f64,
    /// A step of the plant alone, with its instruments, µs.
    pub plant_step_us: f64,
    /// Plant time over processor time of the plant alone.
    pub plant_times_real_time: f64,
}

/// The whole factory over a day.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Day {
    /// Nodes, each with its controller.
    pub nodes: usize,
    /// GPUs.
    pub gpus: usize,
    /// Length of a step, and period of the controllers, s.
    pub step_s: f64,
    /// Plant time that passed, s.
    pub simulated_s: f64,
    /// Threads.
    pub threads: usize,
    /// Wall-clock time for it, s.
    pub wall_s: f64,
    /// Processor time for it, s.
    pub processor_s: f64,
    /// Wall-clock time that a whole day takes at this rate, s; measured if a whole day passed.
    pub wall_s_per_day: f64,
    /// Electric energy of the node loops' pumps, kWh.
    pub pump_kwh: f64,
    /// Energy of the nodes' electronics, kWh.
    pub it_kwh: f64,
    /// The hottest core, °C.
    pub peak_celsius: f64,
    /// Heat that cannot be told whence it came, share of the electronics' energy.
    pub balance_error: f64,
}

/// A factory of one size, one thread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Size {
    /// Nodes, each with its controller.
    pub nodes: usize,
    /// Steps of a second that passed.
    pub steps: u64,
    /// Processor time, s.
    pub processor_s: f64,
    /// Processor time of one step of one node, plant and controller, µs.
    pub node_step_us: f64,
}

/// The same seed several times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bits {
    /// Nodes.
    pub nodes: usize,
    /// Steps.
    pub steps: u64,
    /// Digest of the whole state, controllers included, after a run on one thread.
    pub one_thread: String,
    /// The same after another run on one thread.
    pub again: String,
    /// The same after a run on two threads.
    pub two_threads: String,
    /// All three are one.
    pub identical: bool,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { single_node: single, day, sizes, bits } = self;
        writeln!(f, "one node, steps of {} s, one thread", single.step_s)?;
        writeln!(
            f,
            "  with its controller  {:>9.3} µs a step  {:>9.0} × real time",
            single.step_us, single.times_real_time
        )?;
        writeln!(
            f,
            "  plant alone          {:>9.3} µs a step  {:>9.0} × real time",
            single.plant_step_us, single.plant_times_real_time
        )?;
        writeln!(f)?;
        writeln!(
            f,
            "{} nodes, {} GPUs, {:.1} h in steps of {} s, {} threads",
            day.nodes,
            day.gpus,
            day.simulated_s / 3600.0,
            day.step_s,
            day.threads
        )?;
        writeln!(
            f,
            "  {:.1} s wall clock, {:.1} s processor; a day: {:.0} s wall clock",
            day.wall_s, day.processor_s, day.wall_s_per_day
        )?;
        writeln!(
            f,
            "  hottest core {:.1} °C, pumps {:.2} % of the electronics' energy, balance closed to {:.0e}",
            day.peak_celsius,
            100.0 * day.pump_kwh / day.it_kwh,
            day.balance_error
        )?;
        writeln!(f)?;
        writeln!(f, "  nodes  steps  µs a node and step (processor time, one thread)")?;
        for size in sizes {
            writeln!(f, "{:>7}  {:>5}  {:>8.3}", size.nodes, size.steps, size.node_step_us)?;
        }
        writeln!(f)?;
        let word = if bits.identical { "the same bits" } else { "NOT the same bits" };
        writeln!(
            f,
            "{} nodes, {} steps: {word} twice on one thread and once on two ({})",
            bits.nodes, bits.steps, bits.one_thread
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_is_not_repeated_bit_for_bit_is_shouted_about() {
        let digest = |text: &str| text.to_owned();
        let report = Report {
            single_node: Single {
                step_s: 0.1,
                simulated_s: 100_000.0,
                processor_s: 1.0,
                wall_s: 1.5,
                times_real_time: 100_000.0,
                step_us: 1.0,
                plant_step_us: 0.4,
                plant_times_real_time: 250_000.0,
            },
            day: Day {
                nodes: 1250,
                gpus: 10_000,
                step_s: 1.0,
                simulated_s: 86_400.0,
                threads: 2,
                wall_s: 60.0,
                processor_s: 110.0,
                wall_s_per_day: 60.0,
                pump_kwh: 1.0,
                it_kwh: 200.0,
                peak_celsius: 66.0,
                balance_error: 1e-14,
            },
            sizes: vec![Size { nodes: 10, steps: 100, processor_s: 0.001, node_step_us: 1.0 }],
            bits: Bits {
                nodes: 100,
                steps: 600,
                one_thread: digest("0a"),
                again: digest("0a"),
                two_threads: digest("0b"),
                identical: false,
            },
        };
        let text = report.to_string();
        assert!(text.contains("NOT the same bits") && text.contains("100000 × real time"), "{text}");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["day"]["gpus"], 10_000);
        assert_eq!(json["sizes"][0]["nodes"], 10);
    }
}
