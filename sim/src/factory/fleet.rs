//! A factory with the real controller of every node.
//!
//! ```text
//!   portion of steps:   site ── water of the next seconds ──► rows, each on its own, on all threads
//!                         ▲                                     step · snapshot · decide · obey, step after step
//!                         └────────── what they gave ◄──────────┘   (added up in the order of the rows)
//! ```
//!
//! A portion is no longer than a drop needs through the facility's supply pipe, so the rows need not wait for one
//! another within it, and their controllers stay in the nearest cache.

use core::fmt::{self, Write as _};
use core::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::thread;

use eisbach_control::{Controller, Snapshot, Tuning};
use eisbach_protocol::units::{Celsius, Millis};

use super::ambient::Ambient;
use super::row::{NodeShape, Row, RowIn, RowOut};
use super::seam::{self, Demand};
use super::site::Served;
use super::work::{Task, Work};
use super::{Factory, FactoryError, FactoryParams};

/// Seeds of neighbouring nodes are this far apart.
const SEED_STRIDE: u64 = 0x9E37_79B9_7F4A_7C15;

/// A factory that is controlled.
#[derive(Clone, Debug)]
pub struct Fleet {
    factory: Factory,
    crews: Vec<Crew>,
    /// What every row gave in each step of the last portion: row after row.
    given: Vec<RowOut>,
    served: Vec<Served>,
}

/// Who works and decides in one row.
#[derive(Clone, Debug)]
struct Crew {
    tasks: Vec<Task>,
    minds: Vec<Controller>,
}

/// What the rows need of the factory while they run ahead.
struct Portion<'a> {
    shape: &'a NodeShape,
    served: &'a [Served],
    ambient: &'a Ambient,
    zero_margin: Celsius,
    blank: &'a Snapshot,
    /// Steps before this portion.
    steps: u64,
}

/// A row, who decides in it, and where to write what it gives.
type Job<'r> = ((&'r mut Row, &'r mut Crew), &'r mut [RowOut]);

impl Fleet {
    /// A factory at rest with a controller in Boot for each node, all doing the same kind of work, each in its own
    /// time.
    ///
    /// # Errors
    ///
    /// Tells which number is wrong.
    pub fn new(params: FactoryParams, tuning: Tuning, work: Work, seed: u64) -> Result<Self, FactoryError> {
        let factory = Factory::new(params, seed)?;
        let tuning = factory.commissioned(tuning);
        let mut seeds = (1_u64..).map(|node| seed.wrapping_add(node.wrapping_mul(SEED_STRIDE)));
        let crews = factory
            .rows
            .iter()
            .map(|row| Crew {
                tasks: seeds.by_ref().take(row.nodes.len()).map(|seed| Task::new(work, seed)).collect(),
                minds: row.nodes.iter().map(|_| Controller::new(tuning)).collect(),
            })
            .collect();
        Ok(Self { factory, crews, given: Vec::new(), served: Vec::new() })
    }

    /// The factory.
    #[must_use]
    pub const fn factory(&self) -> &Factory {
        &self.factory
    }

    /// The factory, to put faults in.
    pub const fn factory_mut(&mut self) -> &mut Factory {
        &mut self.factory
    }

    /// A number that tells two states of the fleet apart, controllers and work included.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        fingerprint(&(&self.factory, &self.crews))
    }

    /// Lets `steps` steps pass in this world, on so many threads. Each step is one turn of every controller.
    pub fn run(&mut self, steps: u64, ambient: &Ambient, threads: NonZeroUsize) {
        let ahead = self.factory.site.ahead(self.factory.shape.dt);
        let mut left = usize::try_from(steps).unwrap_or(usize::MAX);
        while left > 0 {
            let portion = left.min(ahead);
            self.portion(portion, ambient, threads);
            left -= portion;
        }
    }

    fn portion(&mut self, steps: usize, ambient: &Ambient, threads: NonZeroUsize) {
        let mut blank = self.factory.blank_snapshot();
        seam::show_outside(ambient, self.factory.nodes(), &mut blank);
        let Factory { shape, rows, site, zero_margin, steps: done, .. } = &mut self.factory;
        self.served.resize(steps, Served::default());
        self.given.resize(steps * rows.len(), RowOut::default());
        site.serve(&mut self.served, ambient.facility_pump, shape.dt);
        let portion = Portion {
            shape,
            served: &self.served,
            ambient,
            zero_margin: *zero_margin,
            blank: &blank,
            steps: *done,
        };
        let workers = threads.get().min(rows.len());
        let jobs = Mutex::new(rows.iter_mut().zip(&mut self.crews).zip(self.given.chunks_mut(steps)));
        thread::scope(|scope| {
            for _ in 1..workers {
                scope.spawn(|| portion.all(&jobs));
            }
            portion.all(&jobs);
        });
        for step in 0..steps {
            let given = self.given.iter().skip(step).step_by(steps).copied();
            site.cool(rows.iter().map(|row| row.water(shape)).zip(given), ambient, shape.dt);
        }
        *done += self.served.len() as u64;
    }
}

impl Portion<'_> {
    /// Steps one row after the other, while there are any: who is held up by the machine gets fewer of them.
    fn all<'r>(&self, jobs: &Mutex<impl Iterator<Item = Job<'r>>>) {
        let mut snapshot = self.blank.clone();
        // Nothing panics with the lock held.
        let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
        while let Some(((row, crew), given)) = next() {
            self.one(row, crew, given, &mut snapshot);
        }
    }

    fn one(&self, row: &mut Row, crew: &mut Crew, given: &mut [RowOut], snapshot: &mut Snapshot) {
        let mut steps = self.steps;
        for (Served { supply, flowing }, given) in self.served.iter().copied().zip(given) {
            for (node, task) in row.nodes.iter_mut().zip(&mut crew.tasks) {
                if let Some(levels) = task.step(self.shape.dt) {
                    node.board.work(levels, &self.shape.board);
                }
            }
            *given = row.step(self.shape, &RowIn { supply, flowing, room: self.ambient.room_celsius });
            steps += 1;
            self.decide(row, crew, snapshot, moment(steps, self.shape.dt));
        }
    }

    /// Every node's controller has its turn.
    fn decide(&self, row: &mut Row, crew: &mut Crew, snapshot: &mut Snapshot, now: Millis) {
        seam::show_row(row, snapshot);
        let mut demand = Demand::default();
        for (node, mind) in row.nodes.iter_mut().zip(&mut crew.minds) {
            seam::show_node(node, self.zero_margin, snapshot);
            let decision = mind.step(snapshot, now);
            seam::obey(node, &decision, self.shape);
            demand = demand.with(Demand::of(&decision));
        }
        row.follow(demand);
    }
}

/// The end of a step, as a controller counts it.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a year of tenths of seconds is far from the end of either"
)]
fn moment(steps: u64, dt: f64) -> Millis {
    Millis::new((steps as f64 * dt * 1000.0).round() as u64)
}

/// A number that tells two states apart, made of every bit of them that can be written out (FNV-1a, 64 bits).
fn fingerprint(state: &impl fmt::Debug) -> u64 {
    struct Fnv(u64);
    impl fmt::Write for Fnv {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            for byte in text.bytes() {
                self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
            Ok(())
        }
    }
    let mut fnv = Fnv(0xcbf2_9ce4_8422_2325);
    // Writing into a number does not fail.
    let _written = write!(fnv, "{state:?}");
    fnv.0
}
