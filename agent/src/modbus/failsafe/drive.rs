//! One wire on the way to safety: its devices in turns over one connection.
//!
//! ```text
//!   round: each device that is not done ─► known? ─► steps of its desks, until done or none is due soon ─┐
//!     ▲                                                                                                  │
//!     └── a broken connection is made anew; where a lost answer may come yet, after a quiet time ◄───────┘
//! ```

use std::time::Duration;

use eisbach_protocol::registers::Command;
use eisbach_protocol::units::Millis;
use tokio::time::{sleep, sleep_until, timeout};

use super::{FailsafeError, Order, Target};
use crate::clock::Clock;
use crate::modbus::agenda::Due;
use crate::modbus::budget::Today;
use crate::modbus::bus::{Bus, Connector, Medium, Request};
use crate::modbus::desk::{Desk, Scene, Step, sooner};
use crate::modbus::device::DeviceSettings;
use crate::modbus::gate::Wish;
use crate::modbus::ledger::Budgets;
use crate::modbus::probe::{self, Patience, Probe, ProbeError, Progress, STARTING};
use crate::modbus::session::{Broken, Failure, Line, Session};
use crate::modbus::state::LinkCounters;
use crate::modbus::write_state::WriteTrouble;
use crate::modbus::writer;

/// Between two rounds, and the longest wait within a device's turn.
const PAUSE: Millis = Millis::new(200);

/// A device with something to be done.
pub(super) struct Device {
    settings: DeviceSettings,
    jobs: Vec<Job>,
    /// It is the profile's and nobody else has it.
    known: bool,
    /// What was silent once is passed over: there is no time to ask again.
    patience: Patience,
    /// The answer to this may come yet.
    unanswered: Option<Request>,
    /// What came in the way last.
    cause: Option<String>,
}

struct Job {
    /// Its place in what was asked.
    place: usize,
    command: Command,
    aim: Aim,
    result: Option<Result<(), FailsafeError>>,
}

enum Aim {
    Hold(f32, Box<Desk>),
    Release(u16),
}

/// Does what is to be done on one wire; what became of it, each with its place.
pub(super) async fn drive_wire<C: Connector>(
    connector: C,
    mut devices: Vec<Device>,
    patience: Duration,
) -> Vec<(usize, Result<(), FailsafeError>)> {
    let clock = Clock::start();
    let _late = timeout(patience, rounds(&connector, &mut devices, clock)).await;
    devices.into_iter().flat_map(Device::results).collect()
}

async fn rounds<C: Connector>(connector: &C, devices: &mut [Device], clock: Clock) {
    let mut line = None;
    while devices.iter().any(|device| !device.is_done()) {
        for device in devices.iter_mut().filter(|device| !device.is_done()) {
            if line.is_none() {
                match connector.connect().await {
                    Ok(bus) => line = Some(Line::new(bus)),
                    Err(error) => {
                        device.cause = Some(error.to_string());
                        continue;
                    }
                }
                sleep(millis(device.settings.profile.link.post_connect_ms)).await;
            }
            if let Some(open) = &mut line
                && let Err(broken) = device.turn(open, clock).await
            {
                line = None;
                device.lost(&broken, connector.medium()).await;
            }
        }
        sleep(Duration::from_millis(PAUSE.get())).await;
    }
}

impl Device {
    /// What `orders` want of the device at `place` of the settings.
    pub(super) fn new(settings: &DeviceSettings, place: usize, orders: &[Order]) -> Self {
        let job = |(order_place, order): (usize, &Order)| {
            let (device, command) = order.place?;
            let command = settings.profile.commands.get(command).filter(|_| device == place)?;
            let aim = match order.outcome.target {
                Target::Value(value) => Aim::Hold(value, Box::new(desk(&settings.name, command))),
                Target::Release => Aim::Release(command.release?),
                Target::Unknown => return None,
            };
            Some(Job { place: order_place, command: command.clone(), aim, result: None })
        };
        let jobs = orders.iter().enumerate().filter_map(job).collect();
        Self {
            settings: settings.clone(),
            jobs,
            known: false,
            patience: Patience::new(1),
            unanswered: None,
            cause: None,
        }
    }

    /// Whether all is decided.
    pub(super) fn is_done(&self) -> bool {
        self.jobs.iter().all(|job| job.result.is_some())
    }

    fn results(self) -> impl Iterator<Item = (usize, Result<(), FailsafeError>)> {
        let cause = self.cause;
        self.jobs.into_iter().map(move |job| {
            let late = || match &cause {
                Some(cause) => FailsafeError::Late(cause.clone()),
                None => FailsafeError::unanswered(),
            };
            (job.place, job.result.unwrap_or_else(|| Err(late())))
        })
    }

    async fn turn<B: Bus>(&mut self, line: &mut Line<B>, clock: Clock) -> Result<(), Broken> {
        let settings = self.settings.clone();
        let mut counters = LinkCounters::default();
        let mut session = Session::new(line, settings.unit, &settings.profile.link, clock, &mut counters);
        if !self.known && !self.get_to_know(&mut session, clock).await? {
            return Ok(());
        }
        for job in &mut self.jobs {
            if let Some(cause) = job.release(&mut session, &settings).await? {
                self.cause = Some(cause);
            }
        }
        while let Some((due, place, step)) = self.next(clock.now()) {
            if due.at > clock.now() + PAUSE {
                return Ok(());
            }
            sleep_until(clock.instant(due.at).into()).await;
            if let Some(job) = self.jobs.get_mut(place) {
                let cause = job.advance(step, &mut session, &settings, clock).await?;
                self.cause = cause.or_else(|| self.cause.take());
            }
        }
        Ok(())
    }

    /// Whether it may be written to.
    async fn get_to_know<B: Bus>(
        &mut self,
        session: &mut Session<'_, B>,
        clock: Clock,
    ) -> Result<bool, Broken> {
        let (profile, name) = (&self.settings.profile, self.settings.name.as_str());
        let mut probe = Probe::new(self.unanswered);
        while !self.known {
            match probe.turn(session, profile, name, &mut self.patience).await {
                Ok(Progress::Done) => self.known = true,
                Ok(Progress::More) => {}
                Err(ProbeError::Stranger(stranger)) if stranger.found.is_none() && clock.now() < STARTING => {
                    self.cause = Some(stranger.to_string());
                    return Ok(false);
                }
                Err(ProbeError::Stranger(stranger)) => {
                    self.decide(&FailsafeError::Stranger(stranger));
                    return Ok(false);
                }
                Err(ProbeError::Failed(Failure::Declined(refusal))) => {
                    self.cause = Some(refusal.to_string());
                    return Ok(false);
                }
                Err(ProbeError::Failed(Failure::Broken(broken))) => return Err(broken),
            }
            if matches!(probe, Probe::Preset(0)) {
                if probe::is_taken(session, profile, name, &mut self.patience).await? {
                    self.decide(&FailsafeError::Local);
                    return Ok(false);
                }
                // Who is let go needs no presets.
                self.known |= self.jobs.iter().all(|job| matches!(job.aim, Aim::Release(_)));
            }
        }
        Ok(true)
    }

    fn decide(&mut self, error: &FailsafeError) {
        for job in &mut self.jobs {
            job.result.get_or_insert_with(|| Err(error.clone()));
        }
    }

    /// The step that is due first.
    fn next(&mut self, now: Millis) -> Option<(Due, usize, Step)> {
        let mut best = None;
        for (place, job) in self.jobs.iter_mut().enumerate().filter(|(_, job)| job.result.is_none()) {
            if let Aim::Hold(value, desk) = &mut job.aim {
                let step = desk.plan(&scene(&self.settings.name, &job.command, *value, now));
                job.result = settled(desk);
                best = sooner(best, step.map(|(due, step)| (due, (place, step))), now);
            }
        }
        best.map(|(due, (place, step))| (due, place, step))
    }

    async fn lost(&mut self, broken: &Broken, medium: Medium) {
        self.known = false;
        self.cause = Some(broken.to_string());
        for job in &mut self.jobs {
            if let Aim::Hold(_, desk) = &mut job.aim {
                desk.doubt();
            }
        }
        if medium == Medium::Anonymous
            && let Some(request) = broken.unanswered()
        {
            self.unanswered = Some(request);
            sleep(millis(self.settings.profile.link.timeout_ms)).await;
        }
    }
}

impl Job {
    /// One step of its desk. What came in the way, if something did.
    async fn advance<B: Bus>(
        &mut self,
        step: Step,
        session: &mut Session<'_, B>,
        settings: &DeviceSettings,
        clock: Clock,
    ) -> Result<Option<String>, Broken> {
        let Aim::Hold(value, desk) = &mut self.aim else {
            return Ok(None);
        };
        let (value, command) = (*value, &self.command);
        let scene = || scene(&settings.name, command, value, clock.now());
        writer::carry_out(desk, step, session, &settings.profile, scene).await?;
        self.result = settled(desk);
        Ok(desk.state.trouble.map(|trouble| trouble.to_string()))
    }

    /// Writes its release word, if it is one to be released. What came in the way, if something did.
    async fn release<B: Bus>(
        &mut self,
        session: &mut Session<'_, B>,
        settings: &DeviceSettings,
    ) -> Result<Option<String>, Broken> {
        let (None, Aim::Release(word)) = (&self.result, &self.aim) else {
            return Ok(None);
        };
        match writer::put(session, &settings.profile, self.command.address, *word).await? {
            Ok(()) => self.result = Some(Ok(())),
            Err(why) => return Ok(Some(why.to_string())),
        }
        Ok(None)
    }
}

fn settled(desk: &Desk) -> Option<Result<(), FailsafeError>> {
    if desk.state.trouble == Some(WriteTrouble::Forbidden) {
        Some(Err(FailsafeError::OutOfRange))
    } else {
        desk.state.verified.map(|_| Ok(()))
    }
}

/// The last word is not kept from a device by a budget; it is written once, and only if it is not there already.
fn desk(device: &str, command: &Command) -> Desk {
    Desk::new(Budgets::in_memory().open(device, command.address, None, today(Millis::ZERO)))
}

fn scene<'a>(device: &'a str, command: &'a Command, value: f32, now: Millis) -> Scene<'a> {
    let wish = Some(Wish { value, at: now });
    Scene { device, command, wish, effect: None, stale: Millis::ZERO, reached_at: now, today: today(now) }
}

fn today(now: Millis) -> Today {
    Today::new(Clock::wall_ms(), now)
}

fn millis(ms: u32) -> Duration {
    Duration::from_millis(ms.into())
}
