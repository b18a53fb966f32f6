//! A driver for tests: its GPUs do as they are told, record every write, and hang on demand.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use eisbach_protocol::gpu_link::{Field, GpuSample};
use eisbach_protocol::units::{Celsius, Kelvin, Millis, Watts};

use super::driver::{
    Card, ClockMhz, Driver, DriverError, Events, Fault, Gpu, Happening, Load, Milliwatts, Switch,
};
use super::journal::{Claim, Journal};
use super::watch::CallWatch;
use crate::gpu::lock;

/// What a test sees and steers of one GPU.
#[derive(Debug)]
pub(super) struct State {
    pub(super) temperature: Option<f32>,
    pub(super) margin: Option<f32>,
    pub(super) requested_mw: u32,
    /// Shown as the limit instead.
    pub(super) shows_mw: Option<u32>,
    /// The limit cannot be read.
    pub(super) tells_no_limit: bool,
    pub(super) clock: Option<u16>,
    pub(super) low_power_profile: bool,
    pub(super) smoothing: bool,
    /// Every call answers so.
    pub(super) fault: Option<Fault>,
    /// Setting power answers so.
    pub(super) refuses_power: Option<Fault>,
    /// Setting the clock answers so.
    pub(super) refuses_clock: Option<Fault>,
    /// The next call panics.
    pub(super) panics: bool,
    /// Calls do not come back while this is set.
    pub(super) hangs: bool,
    pub(super) writes: Vec<Write>,
}

/// One setter call, and what the journal on disk said at that moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Write {
    pub(super) what: What,
    pub(super) recorded: Claim,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Power(u32),
    Clock(u16),
    Unlock,
    Switch(Switch, bool),
}

/// One GPU that outlives the server.
#[derive(Clone, Debug)]
pub(super) struct FakeGpu {
    card: Card,
    shared: Arc<(Mutex<State>, Condvar)>,
    state_dir: PathBuf,
}

impl FakeGpu {
    /// 700 W, 200 W at least, 345 MHz at least, at 50 °C.
    pub(super) fn new(index: u8, state_dir: &Path) -> Self {
        let state = State {
            temperature: Some(50.0),
            margin: Some(37.0),
            requested_mw: 700_000,
            shows_mw: None,
            tells_no_limit: false,
            clock: None,
            low_power_profile: false,
            smoothing: false,
            fault: None,
            refuses_power: None,
            refuses_clock: None,
            panics: false,
            hangs: false,
            writes: Vec::new(),
        };
        let card = Card {
            uuid: format!("GPU-{index}").as_str().try_into().unwrap(),
            limits: Some((Milliwatts(200_000), Milliwatts(700_000))),
            lowest_clock: Some(ClockMhz(345)),
            switches: Vec::new(),
        };
        Self { card, shared: Arc::new((Mutex::new(state), Condvar::new())), state_dir: state_dir.to_owned() }
    }

    /// The same with every switch there is.
    pub(super) fn with_switches(mut self) -> Self {
        self.card.switches = Switch::ALL.to_vec();
        self
    }

    pub(super) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        let answer = look(&mut lock(&self.shared.0));
        self.shared.1.notify_all();
        answer
    }

    /// Everything that was written, in order.
    pub(super) fn writes(&self) -> Vec<What> {
        self.with(|state| state.writes.iter().map(|write| write.what).collect())
    }

    /// A handle, as a worker holds it.
    pub(super) fn handle(&self, watch: Arc<CallWatch>) -> Box<dyn Gpu> {
        Box::new(Handle { gpu: self.clone(), watch })
    }
}

struct Handle {
    gpu: FakeGpu,
    watch: Arc<CallWatch>,
}

impl Handle {
    fn call<T>(
        &self,
        call: &'static str,
        act: impl FnOnce(&mut State) -> Result<T, Fault>,
    ) -> Result<T, DriverError> {
        let _inside = self.watch.enter(call);
        let (state, bell) = &*self.gpu.shared;
        let mut state = bell.wait_while(lock(state), |state| state.hangs).unwrap();
        if std::mem::take(&mut state.panics) {
            drop(state);
            panic!("a fake driver's bug");
        }
        let answer = state.fault.clone().map_or_else(|| act(&mut state), Err);
        answer.map_err(|fault| DriverError { call, fault })
    }

    fn write(&self, what: What, refuses: impl FnOnce(&State) -> Option<Fault>) -> Result<(), DriverError> {
        self.call("set", |state| {
            let journal = Journal::new(&self.gpu.state_dir).read();
            let recorded = journal.get(self.gpu.card.uuid.as_str()).copied().unwrap_or_default();
            state.writes.push(Write { what, recorded });
            if let Some(fault) = refuses(state) {
                return Err(fault);
            }
            match what {
                What::Power(limit) => state.requested_mw = limit,
                What::Clock(highest) => state.clock = Some(highest),
                What::Unlock => state.clock = None,
                What::Switch(Switch::LowPowerProfile, on) => state.low_power_profile = on,
                What::Switch(Switch::Smoothing, on) => state.smoothing = on,
            }
            Ok(())
        })
    }
}

impl Gpu for Handle {
    fn card(&self) -> &Card {
        &self.gpu.card
    }

    fn read(&mut self, _now: Millis) -> Result<GpuSample, DriverError> {
        let uuid = self.gpu.card.uuid.clone();
        self.call("read", |state| {
            Ok(GpuSample {
                uuid,
                temperature: told(state.temperature.map(Celsius::new)),
                margin: told(state.margin.map(Kelvin::new)),
                power: Field::fresh(Watts::new(300.0)),
                limit_requested: Field::fresh(Milliwatts(state.requested_mw).watts()),
                ..GpuSample::default()
            })
        })
    }

    fn requested_limit(&mut self) -> Result<Milliwatts, DriverError> {
        self.call("requested_limit", |state| {
            if state.tells_no_limit {
                return Err(Fault::NotSupported);
            }
            Ok(Milliwatts(state.shows_mw.unwrap_or(state.requested_mw)))
        })
    }

    fn set_power_limit(&mut self, limit: Milliwatts) -> Result<(), DriverError> {
        self.write(What::Power(limit.0), |state| state.refuses_power.clone())
    }

    fn lock_clock(&mut self, highest: ClockMhz) -> Result<(), DriverError> {
        self.write(What::Clock(highest.0), |state| state.refuses_clock.clone())
    }

    fn unlock_clock(&mut self) -> Result<(), DriverError> {
        self.write(What::Unlock, |state| state.refuses_clock.clone())
    }

    fn switch_is_on(&mut self, switch: Switch) -> Result<bool, DriverError> {
        self.call("switch_is_on", |state| {
            Ok(match switch {
                Switch::LowPowerProfile => state.low_power_profile,
                Switch::Smoothing => state.smoothing,
            })
        })
    }

    fn set_switch(&mut self, switch: Switch, on: bool) -> Result<(), DriverError> {
        self.write(What::Switch(switch, on), |_| None)
    }
}

fn told<T: Copy>(value: Option<T>) -> Field<T> {
    value.map_or(Field::Failed { last: None }, Field::fresh)
}

/// A node of such GPUs; without any, there is no driver.
#[derive(Clone, Debug)]
pub(super) struct FakeNode {
    pub(super) gpus: Vec<FakeGpu>,
    /// What the driver is about to tell.
    pub(super) happenings: Arc<Mutex<VecDeque<Happening>>>,
    /// Drivers that are loaded and not yet let go of.
    pub(super) loaded: Arc<AtomicUsize>,
    /// Names of the threads that let go of one.
    pub(super) let_go_by: Arc<Mutex<Vec<String>>>,
    /// Loading does not come back while this is set.
    pub(super) loading_hangs: Arc<(Mutex<bool>, Condvar)>,
    /// Listening does not come back while this is set.
    pub(super) listening_hangs: Arc<(Mutex<bool>, Condvar)>,
    /// Times that somebody has begun to load.
    pub(super) loads: Arc<AtomicUsize>,
    /// Times that somebody listened.
    pub(super) listens: Arc<AtomicUsize>,
}

impl FakeNode {
    pub(super) fn new(gpus: Vec<FakeGpu>) -> Self {
        Self {
            gpus,
            happenings: Arc::default(),
            loaded: Arc::default(),
            let_go_by: Arc::default(),
            loading_hangs: Arc::default(),
            listening_hangs: Arc::default(),
            loads: Arc::default(),
            listens: Arc::default(),
        }
    }

    pub(super) fn set_hanging(gate: &(Mutex<bool>, Condvar), hangs: bool) {
        *lock(&gate.0) = hangs;
        gate.1.notify_all();
    }
}

/// The driver while it is loaded.
struct Loaded {
    node: FakeNode,
}

impl Drop for Loaded {
    fn drop(&mut self) {
        lock(&self.node.let_go_by).push(std::thread::current().name().unwrap_or_default().to_owned());
        self.node.loaded.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Load for FakeNode {
    fn load(&self, watch: &CallWatch) -> Result<(Arc<dyn Driver>, u32), DriverError> {
        if self.gpus.is_empty() {
            let fault = Fault::Absent("not in this test".to_owned());
            return Err(DriverError { call: "load", fault });
        }
        let _inside = watch.enter("load");
        let (hangs, bell) = &*self.loading_hangs;
        self.loads.fetch_add(1, Ordering::SeqCst);
        drop(bell.wait_while(lock(hangs), |hangs| *hangs).unwrap());
        self.loaded.fetch_add(1, Ordering::SeqCst);
        Ok((Arc::new(Loaded { node: self.clone() }), u32::try_from(self.gpus.len()).unwrap()))
    }
}

impl Driver for Loaded {
    fn version(&self) -> heapless::String<32> {
        "1.2.3".try_into().unwrap()
    }

    fn open(&self, index: u8, watch: Arc<CallWatch>) -> Result<Box<dyn Gpu>, DriverError> {
        let handle = Handle { gpu: self.node.gpus[usize::from(index)].clone(), watch };
        handle.call("open", |_| Ok(()))?;
        Ok(Box::new(handle))
    }

    fn events(&self, _gpus: u8) -> Result<Box<dyn Events>, DriverError> {
        Ok(Box::new(FakeEvents(self.node.clone())))
    }
}

struct FakeEvents(FakeNode);

impl Events for FakeEvents {
    fn wait(&mut self, _limit: Duration) -> Result<Option<Happening>, DriverError> {
        let (hangs, bell) = &*self.0.listening_hangs;
        self.0.listens.fetch_add(1, Ordering::SeqCst);
        drop(bell.wait_while(lock(hangs), |hangs| *hangs).unwrap());
        let next = lock(&self.0.happenings).pop_front();
        if next.is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(next)
    }
}
