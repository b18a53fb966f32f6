//! The server's only loop: it hears everybody and waits for nobody.
//!
//! ```text
//!   loader thread ── Loaded, NoDriver ──────────────────┐
//!   worker threads ─ Fresh, Answer, Left ───────────────┤
//!   ears ─────────── Happened ──────────────────────────┤
//!   reader thread ── Beat, Throttle, Detach, Closed … ──┴──► queue ──► handle ──► client (never waits)
//!                                                             │
//!                                                             └─ every TICK: accept, look for stuck calls and dead
//!                                                                workers, say again what nobody has said for a period
//! ```
//!
//! A worker may be stuck in the driver for ever and the loader too: they are only looked at, never joined.

mod say;

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use eisbach_protocol::gpu_link::{
    Beat, Detach, Frame, GpuEvent, HandOver, HandedOver, Hello, MAX_GPUS, Verdict,
};
use eisbach_protocol::units::Millis;

use super::driver::{Driver, DriverError};
use super::handover::may_detach;
use super::seat::Seat;
use super::slot::Request;
use super::socket::{Connection, Ended, Listener};
use super::tenure::{Done, Purpose, Tenure};
use super::worker::Common;
use super::{ServerError, StopFlag};

/// How soon a stuck call, a new client or the stop flag is noticed.
const TICK: Duration = Duration::from_millis(50);
/// A request that is so many cycles behind the agent's last beat is stale: three seconds.
const STALE_CYCLES: u64 = 30;
/// Letting go is given up after so many times the deadline of a call: meanwhile nobody watches over the GPUs.
const PATIENCE: u64 = 5;

/// Everything that can happen.
pub(super) enum Event {
    Loaded { driver: Arc<dyn Driver>, gpus: u32 },
    NoDriver(DriverError),
    DriverReplaced,
    DriverGone,
    LetGo,
    Fresh(u8),
    Answer { request: Request, verdict: Verdict },
    Left(u8),
    Happened(GpuEvent),
    Beat { connection: u64, beat: Beat },
    Throttle(Request),
    Detach { by: Asker, detach: Detach },
    Attach { by: Asker },
    Closed { connection: u64, ended: Ended },
}

/// Where an answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asker {
    pub(super) connection: u64,
    pub(super) sequence: u32,
}

/// The loop's state.
pub(super) struct Supervisor {
    common: Arc<Common>,
    call_deadline: Millis,
    queue: Receiver<Event>,
    listener: Listener,
    client: Option<Connection>,
    /// Connections that ended for another reason than that the client went.
    broken: u64,
    /// Requests that were refused because they were stale.
    stale: u64,
    last_beat: u64,
    tenure: Tenure,
    hanging_said: bool,
    seats: Vec<Seat>,
    said: Option<(Hello, Millis)>,
    stat_turn: usize,
    next_tick: Millis,
}

impl Supervisor {
    pub(super) const fn new(
        common: Arc<Common>,
        call_deadline: Millis,
        queue: Receiver<Event>,
        listener: Listener,
        tenure: Tenure,
    ) -> Self {
        Self {
            call_deadline,
            queue,
            listener,
            client: None,
            broken: 0,
            stale: 0,
            last_beat: 0,
            tenure,
            hanging_said: false,
            seats: Vec::new(),
            said: None,
            stat_turn: 0,
            next_tick: Millis::ZERO,
            common,
        }
    }

    /// Serves until `stop` is raised.
    pub(super) fn run(mut self, stop: &StopFlag, mut alive: impl FnMut()) -> Result<(), ServerError> {
        while !stop.is_raised() {
            if let Ok(event) = self.queue.recv_timeout(TICK) {
                self.handle(event)?;
            }
            let now = self.common.clock.now();
            if now >= self.next_tick {
                self.next_tick = now + millis(TICK);
                self.tick(now)?;
                alive();
            }
        }
        self.leave();
        Ok(())
    }

    fn handle(&mut self, event: Event) -> Result<(), ServerError> {
        match event {
            Event::Loaded { driver, gpus } => return self.seat_workers(&driver, gpus),
            Event::NoDriver(error) => self.note_absent(&error),
            Event::DriverReplaced => {
                self.seats.iter().for_each(|seat| seat.slot.leave(false));
                return Err(ServerError::DriverReplaced);
            }
            Event::DriverGone => return self.lose_driver(),
            Event::LetGo => return self.driver_is_free(),
            Event::Fresh(index) => self.hear_worker(index),
            Event::Answer { request, verdict } => self.answer(request, verdict),
            Event::Left(index) => {
                // One that was told to leave and then to stay is started again.
                let stays = self.tenure.is_held();
                self.seat(index).into_iter().for_each(|seat| seat.left = !stays);
            }
            Event::Happened(event) => self.tell_of(event),
            Event::Beat { connection, beat } => {
                if self.is_current(connection) {
                    self.last_beat = beat.cycle;
                    self.common.pulse.hear(self.common.clock.now(), beat);
                }
            }
            Event::Throttle(request) => {
                if self.is_current(request.connection) {
                    self.pass_on(request);
                }
            }
            Event::Detach { by, detach } => return self.detach(by, detach),
            Event::Attach { by } => return self.attach(by),
            Event::Closed { connection, ended } => {
                if self.is_current(connection) {
                    self.drop_client(&ended);
                }
            }
        }
        Ok(())
    }

    fn tick(&mut self, now: Millis) -> Result<(), ServerError> {
        if let Some(connection) = self.listener.accept(&self.common.events) {
            self.welcome(connection, now);
        }
        self.look_after_driver(now)?;
        self.look_after_workers(now);
        self.say_again(now);
        self.say_stat();
        Ok(())
    }

    fn seat_workers(&mut self, driver: &Arc<dyn Driver>, gpus: u32) -> Result<(), ServerError> {
        let served = u8::try_from(gpus.min(u32::try_from(MAX_GPUS).unwrap_or(u32::MAX))).unwrap_or(u8::MAX);
        if !self.tenure.found(Arc::clone(driver), served) {
            return Ok(());
        }
        self.hanging_said = false;
        tracing::info!(gpus, served, version = driver.version().as_str(), "NVIDIA driver is there");
        for index in 0..served {
            let seat = Seat::start(index, driver, &self.common)
                .map_err(|source| ServerError::Thread { name: "gpu", source })?;
            self.seats.push(seat);
        }
        self.introduce(self.common.clock.now());
        Ok(())
    }

    fn note_absent(&mut self, error: &DriverError) {
        if self.tenure.not_found(error) {
            tracing::warn!(%error, "no NVIDIA driver; looking for it again and again");
        }
        self.hanging_said = false;
    }

    /// The kernel module went away under us. Limits went with it; the journal knows them.
    fn lose_driver(&mut self) -> Result<(), ServerError> {
        if !self.tenure.is_held() {
            return Ok(());
        }
        tracing::error!("the NVIDIA driver is gone; looking for it again");
        self.end_tenure(Purpose::Reload)
    }

    fn end_tenure(&mut self, purpose: Purpose) -> Result<(), ServerError> {
        self.seats.iter().for_each(|seat| seat.slot.leave(false));
        let unmet: Vec<_> = self.seats.iter().flat_map(|seat| seat.slot.unanswered()).collect();
        for request in unmet {
            self.answer(request, Verdict::Unreachable);
        }
        self.tenure.end(purpose, self.common.clock.now()).map_err(no_thread)
    }

    /// Workers that leave are waited for, but not for ever: one that hangs keeps the driver.
    fn look_after_driver(&mut self, now: Millis) -> Result<(), ServerError> {
        if let Some(call) = self.tenure.stuck(now, self.call_deadline)
            && !self.hanging_said
        {
            tracing::error!(call, "NVIDIA driver does not come back from being loaded or let go");
            self.hanging_said = true;
        }
        if self.tenure.is_away() && self.tenure.away_left(now) == Millis::ZERO {
            tracing::warn!("the time for which the driver was to be left alone is over");
            self.look_again()?;
        }
        self.tenure.listen_again(u8::try_from(self.seats.len()).unwrap_or(u8::MAX));
        if self.seats.iter().all(Seat::has_ended) {
            self.tenure.let_go().map_err(no_thread)?;
        }
        let Some((purpose, since)) = self.tenure.ending() else { return Ok(()) };
        let overdue = now.since(since).get() > PATIENCE * self.call_deadline.get();
        let held_by = |seat: &&Seat| !seat.has_ended() && (seat.is_hung() || overdue);
        let obstacle = match self.seats.iter().find(held_by) {
            Some(seat) => (HandOver::GpuHung, seat.slot.index),
            None if overdue => (HandOver::DriverHung, 0),
            None => return Ok(()),
        };
        match purpose {
            Purpose::Reload => Err(ServerError::DriverGone),
            Purpose::Detach { by, .. } => {
                let (result, gpu) = obstacle;
                tracing::error!(result = result.as_str(), gpu, "not detached: the driver is held on to");
                self.hand_over(by, result, gpu, now.since(since));
                self.take_back()
            }
        }
    }

    /// Starts again the workers that have left.
    fn take_back(&mut self) -> Result<(), ServerError> {
        self.tenure.keep();
        let Some(driver) = self.tenure.driver() else { return Ok(()) };
        for seat in &mut self.seats {
            seat.stay(driver, &self.common).map_err(|source| ServerError::Thread { name: "gpu", source })?;
        }
        Ok(())
    }

    fn driver_is_free(&mut self) -> Result<(), ServerError> {
        let now = self.common.clock.now();
        self.seats.clear();
        self.hanging_said = false;
        let free = self.tenure.is_free(now).map_err(no_thread)?;
        if let Some(Done { purpose: Purpose::Detach { by, for_ms }, took }) = free {
            tracing::warn!(
                took_ms = took.get(),
                for_s = for_ms / 1000,
                "detached: the NVIDIA driver is free"
            );
            self.hand_over(by, HandOver::Detached, 0, took);
        }
        self.introduce(now);
        Ok(())
    }

    fn detach(&mut self, by: Asker, detach: Detach) -> Result<(), ServerError> {
        let now = self.common.clock.now();
        let busy = self.tenure.is_on_its_way_out() || self.tenure.stuck(now, self.call_deadline).is_some();
        let samples: Vec<_> = self.all_indices().filter_map(|index| self.look(index, now)).collect();
        match may_detach(detach, samples) {
            Err(obstacle) => {
                tracing::warn!(result = obstacle.result.as_str(), gpu = obstacle.gpu, "not detached");
                self.hand_over(by, obstacle.result, obstacle.gpu, Millis::ZERO);
            }
            Ok(()) if busy => self.hand_over(by, HandOver::Busy, 0, Millis::ZERO),
            Ok(()) => return self.end_tenure(Purpose::Detach { by, for_ms: detach.for_ms }),
        }
        Ok(())
    }

    fn attach(&mut self, by: Asker) -> Result<(), ServerError> {
        let result = if self.tenure.is_away() {
            self.look_again()?;
            HandOver::Attached
        } else if self.tenure.is_held() {
            HandOver::Attached
        } else {
            HandOver::Busy
        };
        self.hand_over(by, result, 0, Millis::ZERO);
        Ok(())
    }

    fn look_again(&mut self) -> Result<(), ServerError> {
        tracing::info!("attaching: looking for the NVIDIA driver");
        self.tenure.look().map_err(no_thread)
    }

    /// Names those that are stuck and answers for them; starts those again that died.
    fn look_after_workers(&mut self, now: Millis) {
        let mut unreachable = Vec::new();
        let driver = self.tenure.driver();
        for seat in &mut self.seats {
            if let Some(driver) = driver {
                seat.restart_if_dead(now, driver, &self.common);
            }
            if seat.has_got_stuck(now, self.call_deadline) {
                unreachable.extend(seat.slot.unanswered());
            }
        }
        for request in unreachable {
            self.answer(request, Verdict::Unreachable);
        }
    }

    /// A request goes to its worker even if that is stuck: it will be met as soon as the driver lets go.
    fn pass_on(&mut self, request: Request) {
        if request.throttle.cycle.saturating_add(STALE_CYCLES) < self.last_beat {
            self.stale += 1;
            let (gpu, cycle) = (request.throttle.gpu, request.throttle.cycle);
            tracing::warn!(
                gpu,
                cycle,
                last_beat = self.last_beat,
                stale = self.stale,
                "stale request refused"
            );
            return self.answer(request, Verdict::Stale);
        }
        let refused = if self.tenure.is_away() {
            Some(Verdict::Detached)
        } else if !self.tenure.is_held() {
            Some(Verdict::Unreachable)
        } else {
            None
        };
        let held = refused.is_none();
        match (refused, self.seat(request.throttle.gpu)) {
            (Some(verdict), _) => self.answer(request, verdict),
            (None, None) if held => self.answer(request, Verdict::NoSuchGpu),
            (None, None) => self.answer(request, Verdict::Unreachable),
            (None, Some(seat)) => {
                let (replaced, hung) = (seat.slot.put(request), seat.is_hung());
                if let Some(replaced) = replaced {
                    self.answer(replaced, Verdict::Superseded);
                }
                if hung {
                    self.answer(request, Verdict::Unreachable);
                }
            }
        }
    }

    fn hear_worker(&mut self, index: u8) {
        if let Some(seat) = self.seat(index) {
            seat.heard();
        }
        self.say_sample(index, self.common.clock.now());
    }

    fn welcome(&mut self, connection: Connection, now: Millis) {
        if self.client.is_some() {
            self.drop_client(&Ended::Replaced);
        }
        tracing::info!(connection = connection.id, "agent connected");
        self.client = Some(connection);
        // Another agent counts its own cycles.
        self.last_beat = 0;
        self.said = None;
        self.introduce(now);
    }

    fn drop_client(&mut self, ended: &Ended) {
        self.client = None;
        match ended {
            Ended::Closed | Ended::Replaced => tracing::info!(%ended, "agent disconnected"),
            Ended::Stuck | Ended::Malformed(_) | Ended::WrongDirection | Ended::Io(_) => {
                self.broken += 1;
                tracing::warn!(%ended, broken = self.broken, "connection to the agent dropped");
            }
        }
    }

    /// Lets the workers give limits back if the agent's last word allows it, and waits for those that can.
    fn leave(&mut self) {
        let now = self.common.clock.now();
        let restore = self.common.pulse.may_restore_at_stop(now);
        self.client = None;
        self.seats.iter().for_each(|seat| seat.slot.leave(restore));
        let give_up_at = now + self.call_deadline;
        while restore && self.seats.iter().any(|seat| !seat.left && !seat.is_hung()) {
            let left = give_up_at.since(self.common.clock.now());
            match self.queue.recv_timeout(Duration::from_millis(left.get())) {
                Ok(Event::Left(index)) => self.seat(index).into_iter().for_each(|seat| seat.left = true),
                Ok(_) if left > Millis::ZERO => {}
                Ok(_) | Err(_) => break,
            }
        }
        let stuck = self.seats.iter().filter(|seat| seat.is_hung()).count();
        tracing::info!(restore, stuck, "GPU process stops");
    }

    fn hand_over(&mut self, to: Asker, result: HandOver, gpu: u8, took: Millis) {
        if self.is_current(to.connection) {
            let took_ms = u32::try_from(took.get()).unwrap_or(u32::MAX);
            self.say(&Frame::HandedOver(HandedOver { of: to.sequence, result, gpu, took_ms }));
        }
    }

    fn seat(&mut self, index: u8) -> Option<&mut Seat> {
        self.seats.get_mut(usize::from(index))
    }

    fn all_indices(&self) -> impl Iterator<Item = u8> + use<> {
        (0..u8::MAX).take(self.seats.len())
    }

    fn is_current(&self, connection: u64) -> bool {
        self.client.as_ref().is_some_and(|client| client.id == connection)
    }
}

const fn no_thread(source: std::io::Error) -> ServerError {
    ServerError::Thread { name: "driver", source }
}

fn millis(duration: Duration) -> Millis {
    Millis::new(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
