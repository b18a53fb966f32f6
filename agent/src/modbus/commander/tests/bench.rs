//! A pump of a few registers, its commander, and a cycle in virtual time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::modbus::bus::{Bus, CallError, Request, Response, Span};
use crate::modbus::commander::Commander;
use crate::modbus::device::DeviceSettings;
use crate::modbus::gate::Wish;
use crate::modbus::ledger::Budgets;
use crate::modbus::session::{Broken, Line, Session};
use crate::modbus::state::{Cells, LinkCounters, Sample};
use crate::modbus::wire::Wire;
use crate::modbus::write_state::WriteState;
use eisbach_protocol::registers::{Profile, Table};
use tokio::time::sleep;

pub(super) const PROFILE: &str = r#"
    name = "bench"
    device = "Bench"
    sources = { manual = "none" }
    link = { max_words = 60, timeout_ms = 500 }
    authority = { local_remote = { local = "pump_local" } }
    [watchdog.heartbeat]
    address = 7
    period_ms = 1000
    echo = 8
    source = "manual"
    grade = "A"
    [[commands]]
    control = "pump_run"
    address = 100
    form = { word = { on = 3, off = 1, arm = 2, allow_mask = 3 } }
    refresh_ms = 60000
    min_interval_ms = 100
    persistence = "volatile"
    safe = 1.0
    source = "manual"
    grade = "A"
    [[commands]]
    control = "pump_speed"
    address = 103
    form = { number = { scale = 0.01, low = 0.0, high = 100.0, dead_band = 0.1 } }
    refresh_ms = 60000
    min_interval_ms = 100
    persistence = "volatile"
    read_back = { address = 307, table = "input", tolerance = 1, within_ms = 500 }
    effect = { signal = "pump_speed", tolerance = 5.0, within_ms = 2000 }
    safe = 100.0
    source = "manual"
    grade = "A"
    [[points]]
    signal = "pump_local"
    table = "holding"
    address = 200
    encoding = { bit = 12 }
    low = 0.0
    high = 1.0
    source = "manual"
    grade = "A"
    [[points]]
    signal = "pump_speed"
    table = "holding"
    address = 302
    encoding = "u16"
    scale = 0.01
    low = 0.0
    high = 120.0
    source = "manual"
    grade = "A"
"#;

pub(super) const LOCAL: u16 = 1 << 12;
pub(super) const RUN: usize = 0;
pub(super) const SPEED: usize = 1;

/// The device: holding registers, and one set-point that is read back elsewhere.
#[derive(Default)]
pub(super) struct Pump {
    pub(super) registers: BTreeMap<u16, u16>,
    /// The PLC no longer copies the counter.
    pub(super) frozen: bool,
    pub(super) requests: Vec<Request>,
    pub(super) broken: bool,
}

impl Bus for &mut Pump {
    async fn call(&mut self, unit: u8, request: Request) -> Result<Response, CallError> {
        assert_eq!(unit, 17);
        self.requests.push(request);
        if self.broken {
            return Err(CallError::Transport(std::io::ErrorKind::ConnectionReset.into()));
        }
        let register = |address| self.registers.get(&address).copied().unwrap_or(0);
        Ok(match request {
            Request::Read(Span { table: Table::Holding, first: 8, .. }) if !self.frozen => {
                Response::Holding(vec![register(7)])
            }
            Request::Read(Span { table: Table::Holding, first, .. }) => {
                Response::Holding(vec![register(first)])
            }
            Request::Read(Span { first, .. }) => {
                assert_eq!(first, 307);
                Response::Input(vec![register(103)])
            }
            Request::Write { address, word } => {
                self.registers.insert(address, word);
                Response::Written { address, word }
            }
        })
    }
}

pub(super) struct Bench {
    pub(super) commander: Commander,
    pub(super) cells: Arc<Cells>,
    pub(super) clock: Clock,
    pub(super) pump: Pump,
    pub(super) counters: LinkCounters,
    pub(super) wishes: [Option<f32>; 2],
    pub(super) cycle: u64,
    pub(super) hung: bool,
    /// The poller reads the switch.
    pub(super) polls: bool,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(toml::from_str(PROFILE).unwrap())
    }

    pub(super) fn with(profile: Profile) -> Self {
        let clock = Clock::start();
        let settings = Arc::new(DeviceSettings {
            name: "bench".to_owned(),
            wire: Wire::Tcp { address: "192.0.2.1:502".to_owned() },
            unit: 17,
            profile,
            poll_ms: 100,
            stale_ms: 1_000,
        });
        let cells = Arc::new(Cells::new(clock.now()));
        let budgets = Budgets::in_memory();
        let commander = Commander::new(settings, Arc::clone(&cells), clock, &budgets);
        let (pump, counters) = (Pump::default(), LinkCounters::default());
        Self {
            commander,
            cells,
            clock,
            pump,
            counters,
            wishes: [None; 2],
            cycle: 0,
            hung: false,
            polls: true,
        }
    }

    /// The cycle runs at 10 Hz, and whatever is due is done, for `seconds`.
    pub(super) async fn run(&mut self, seconds: u64) {
        for tick in 0..seconds * 100 {
            if tick % 10 == 0 && !self.hung {
                self.cycle += 1;
                self.cycle();
            }
            while self.turn().await.unwrap() {}
            sleep(Duration::from_millis(10)).await;
        }
    }

    pub(super) fn cycle(&self) {
        let at = self.clock.now();
        for (index, value) in self.wishes.iter().enumerate() {
            if let Some(value) = *value {
                self.cells.wish(index, Wish { value, at });
            }
        }
        self.cells.beat(self.cycle);
        if self.polls {
            let register = |address| self.pump.registers.get(&address).copied().unwrap_or(0);
            let local = f32::from(u8::from(register(200) & LOCAL != 0));
            let sample = |value| Sample { outcome: Ok(value), doubtful: false, at };
            self.cells.image.send_modify(|image| {
                image.sample(0, sample(local));
                image.sample(1, sample(f32::from(register(302)) * 0.01));
            });
        }
    }

    /// One turn, if one is due.
    pub(super) async fn turn(&mut self) -> Result<bool, Broken> {
        let now = self.clock.now();
        if self.commander.is_given_back(now) {
            return Ok(false);
        }
        if self.commander.next(now).is_none_or(|due| due.at > now) {
            return Ok(false);
        }
        let limits = self.commander.settings.profile.link.clone();
        let mut line = Line::new(&mut self.pump);
        let mut session = Session::new(&mut line, 17, &limits, self.clock, &mut self.counters);
        self.commander.turn(&mut session).await.map(|()| true)
    }

    /// Words written to `address` so far; forgets all requests.
    pub(super) fn written(&mut self, to: u16) -> Vec<u16> {
        let requests = std::mem::take(&mut self.pump.requests);
        let words = requests.into_iter().filter_map(|request| match request {
            Request::Write { address, word } if address == to => Some(word),
            Request::Write { .. } | Request::Read(_) => None,
        });
        words.collect()
    }

    pub(super) fn writes(&self) -> bool {
        self.pump.requests.iter().any(|request| matches!(request, Request::Write { .. }))
    }

    pub(super) fn state(&self, index: usize) -> WriteState {
        self.cells.image.borrow().writes[index]
    }
}
