//! Lets factories run and looks at the clocks.

use std::num::NonZeroUsize;
use std::time::Duration;

use eisbach_control::Tuning;
use eisbach_nvml_sim::GpuModel;

use super::report::{Bits, Day, Report, Single, Size};
use crate::clock::{Clock, processor_time};
use crate::factory::{Ambient, Factory, FactoryError, FactoryParams, Fleet, Work};
use crate::plant::PlantParams;

/// Before anything is measured so much plant time passes: controllers have left Boot, loops are warm, s.
const WARM_UP_S: f64 = 120.0;
/// Plant time of the single node, s.
const SINGLE_S: f64 = 100_000.0;
/// A single node is measured so many times, and the quickest counts: what a neighbour adds is not ours.
const TRIES: u32 = 3;
/// Nodes of the day.
const FACTORY: usize = 1250;
/// Nodes behind one CDU.
const PER_ROW: usize = 10;
/// Sizes of the table, and the node-steps that each of them is measured over.
const SIZES: [usize; 4] = [10, 100, 1250, 12_500];
const NODE_STEPS: u64 = 1_500_000;
/// A factory small enough to be written out several times.
const BITS: (usize, u64) = (100, 600);
const J_PER_KWH: f64 = 3.6e6;
const DAY_S: f64 = 86_400.0;

/// Measures nodes of one kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measurer {
    model: GpuModel,
    seed: u64,
}

/// Time that something took.
#[derive(Clone, Copy, Debug)]
struct Took {
    wall_s: f64,
    processor_s: f64,
}

impl Measurer {
    pub(super) const fn new(model: GpuModel, seed: u64) -> Self {
        Self { model, seed }
    }

    pub(super) fn all(&self, threads: NonZeroUsize, hours: f64) -> Result<Report, FactoryError> {
        let sizes = SIZES.into_iter().map(|nodes| self.size(nodes)).collect::<Result<_, _>>()?;
        Ok(Report { single_node: self.single()?, bits: self.bits()?, sizes, day: self.day(threads, hours)? })
    }

    fn factory(&self, nodes: usize, nodes_per_row: usize, step_s: f64) -> FactoryParams {
        FactoryParams { model: self.model, node: PlantParams::of(self.model), nodes, nodes_per_row, step_s }
    }

    /// A factory that has been running for a while.
    fn warm(&self, params: FactoryParams) -> Result<(Fleet, Ambient), FactoryError> {
        let ambient = Ambient::spring(params.nodes);
        let steps = whole(WARM_UP_S / params.step_s);
        let mut fleet = Fleet::new(params, Tuning::default(), Work::Training, self.seed)?;
        fleet.run(steps, &ambient, NonZeroUsize::MIN);
        Ok((fleet, ambient))
    }

    fn single(&self) -> Result<Single, FactoryError> {
        let step_s = 0.1;
        let steps = whole(SINGLE_S / step_s);
        let params = self.factory(1, 1, step_s);
        let (mut fleet, ambient) = self.warm(params.clone())?;
        let both = quickest(|| fleet.run(steps, &ambient, NonZeroUsize::MIN));
        let mut factory = Factory::new(params, self.seed)?;
        let mut snapshot = factory.blank_snapshot();
        let gpus = [0.7; crate::plant::GPUS];
        factory.work(0, gpus);
        let plant = quickest(|| {
            for _ in 0..steps {
                factory.step(&ambient);
                factory.snapshot(0, &ambient, &mut snapshot);
            }
        });
        let per_step = |took: Took| 1e6 * took.processor_s / (SINGLE_S / step_s);
        Ok(Single {
            step_s,
            simulated_s: SINGLE_S,
            processor_s: both.processor_s,
            wall_s: both.wall_s,
            times_real_time: SINGLE_S / both.processor_s,
            step_us: per_step(both),
            plant_step_us: per_step(plant),
            plant_times_real_time: SINGLE_S / plant.processor_s,
        })
    }

    fn day(&self, threads: NonZeroUsize, hours: f64) -> Result<Day, FactoryError> {
        let step_s = 1.0;
        let (mut fleet, ambient) = self.warm(self.factory(FACTORY, PER_ROW, step_s))?;
        let (before, stored) = (fleet.factory().totals(), fleet.factory().stored_heat());
        let outside = *fleet.factory().site_totals();
        let steps = whole(3600.0 * hours / step_s);
        let took = measured(|| fleet.run(steps, &ambient, threads));
        let (after, site) = (fleet.factory().totals(), fleet.factory().site_totals());
        let it_j = after.it_j() - before.it_j();
        let came = it_j + (after.pump_heat_j - before.pump_heat_j) - (after.room_j - before.room_j);
        let left = (site.recovery_j - outside.recovery_j) + (site.river_j - outside.river_j);
        let simulated_s = 3600.0 * hours;
        Ok(Day {
            nodes: FACTORY,
            gpus: FACTORY * fleet.factory().params().node.sockets,
            step_s,
            simulated_s,
            threads: threads.get(),
            wall_s: took.wall_s,
            processor_s: took.processor_s,
            wall_s_per_day: took.wall_s * DAY_S / simulated_s,
            pump_kwh: (after.pump_j - before.pump_j) / J_PER_KWH,
            it_kwh: it_j / J_PER_KWH,
            peak_celsius: after.peak_celsius,
            balance_error: (fleet.factory().stored_heat() - stored - (came - left)).abs() / it_j,
        })
    }

    fn size(&self, nodes: usize) -> Result<Size, FactoryError> {
        let (mut fleet, ambient) = self.warm(self.factory(nodes, PER_ROW, 1.0))?;
        let steps = NODE_STEPS / nodes as u64;
        let took = measured(|| fleet.run(steps, &ambient, NonZeroUsize::MIN));
        #[expect(clippy::cast_precision_loss, reason = "millions")]
        let node_steps = (steps * nodes as u64) as f64;
        Ok(Size {
            nodes,
            steps,
            processor_s: took.processor_s,
            node_step_us: 1e6 * took.processor_s / node_steps,
        })
    }

    fn bits(&self) -> Result<Bits, FactoryError> {
        let (nodes, steps) = BITS;
        let digest = |threads: NonZeroUsize| {
            let (mut fleet, ambient) = self.warm(self.factory(nodes, PER_ROW, 1.0))?;
            fleet.run(steps, &ambient, threads);
            Ok(format!("{:016x}", fleet.fingerprint()))
        };
        let two = NonZeroUsize::MIN.saturating_add(1);
        let (one_thread, again, two_threads) =
            (digest(NonZeroUsize::MIN)?, digest(NonZeroUsize::MIN)?, digest(two)?);
        let identical = one_thread == again && again == two_threads;
        Ok(Bits { nodes, steps, one_thread, again, two_threads, identical })
    }
}

fn measured(work: impl FnOnce()) -> Took {
    let (clock, before) = (Clock::start(), processor_time());
    work();
    let used = processor_time().saturating_sub(before);
    Took { wall_s: clock.now().as_secs_f64(), processor_s: at_least_a_tick(used).as_secs_f64() }
}

fn quickest(mut work: impl FnMut()) -> Took {
    let mut best = measured(&mut work);
    for _ in 1..TRIES {
        let next = measured(&mut work);
        if next.processor_s < best.processor_s {
            best = next;
        }
    }
    best
}

/// Nothing takes no time.
fn at_least_a_tick(used: Duration) -> Duration {
    used.max(Duration::from_nanos(1))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive number of steps")]
fn whole(steps: f64) -> u64 {
    steps.round() as u64
}
