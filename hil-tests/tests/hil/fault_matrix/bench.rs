//! One agent on one faulty line, taken through all its faults.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use eisbach_hil_tests::{
    Configuration, ECHO, ECHO_UNIT, Line, Proxy, Rig, SPEED_REGISTER, Simulator, Stopwatch, echo_points,
    is_allowed, shown_alarms, until, write_echo_profile, written_registers, wrong_values,
};
use serde_json::Value;

use super::faults::{FAULTS, Fault, On, Then};

const MINUTE: Duration = Duration::from_secs(60);
/// The pump's values are stale after this.
const STALE_MS: u64 = 1500;
/// Set-points are written again after this.
const REFRESH_MS: u32 = 400;
/// Longest time until a fault is told: stale, and a cycle, and a busy test machine.
const TOLD: Duration = Duration::from_secs(8);
/// Longest time until all is well after a fault: the longest backoff, and a busy test machine.
const WELL: Duration = Duration::from_secs(15);
/// So many cycles must pass without harm where nothing must happen.
const CALM: i64 = 20;
/// Cycles that may overrun on a busy test machine.
const OVERRUNS: f64 = 0.05;
/// The alarms that are about the faulty pump.
const ALARMS: [&str; 4] = ["pump_silent", "set_point_ignored", "foreign_writer", "wrong_device"];

/// What came of one fault.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) outcome: String,
    recovered: Option<Duration>,
    pub(super) wrong: usize,
}

impl Cell {
    pub(super) fn recovered(&self) -> String {
        self.recovered.map_or_else(|| "–".to_owned(), |after| format!("{:.1} s", after.as_secs_f64()))
    }
}

/// What came of all faults of a line.
#[derive(Debug, Default)]
pub(super) struct Column {
    pub(super) cells: BTreeMap<&'static str, Cell>,
    pub(super) pace: String,
    pub(super) complaints: Vec<String>,
}

/// An agent and its line.
pub(super) struct Bench {
    rig: Rig,
    proxy: Proxy,
    on: On,
}

/// The agent at one moment.
#[derive(Debug)]
struct Look {
    alarms: BTreeSet<String>,
    /// Quality of each of the pump's points.
    quality: BTreeMap<&'static str, String>,
    wrong: BTreeSet<String>,
}

impl Bench {
    pub(super) fn start(line: Line, on: On) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = format!("pump={ECHO}");
        let mut words = vec!["--workload", "idle", "--model", &model];
        if line != Line::Tcp {
            words.extend(["--rtu-tcp", "pump"]);
        }
        let simulator = Simulator::start(folder.path(), &words);
        let upstream =
            if line == Line::Tcp { simulator.at("pump") } else { simulator.at("/rtu_tcp/address") };
        let proxy = Proxy::start(folder.path(), line, upstream);
        let profiles = folder.path().join("profiles");
        std::fs::create_dir(&profiles).unwrap();
        write_echo_profile(&profiles, REFRESH_MS);
        let mut configuration = Configuration::of(folder.path(), &simulator)
            .set("paths", "profiles", profiles.display().to_string())
            .set("pump", "address", proxy.address())
            .set("pump", "unit", i64::from(ECHO_UNIT))
            .set("pump", "profile", ECHO)
            .set("pump", "poll_ms", 50)
            .set("pump", "stale_ms", i64::try_from(STALE_MS).unwrap());
        if line != Line::Tcp {
            configuration = configuration.set("pump", "serial", "19200 8N1");
        }
        Self { rig: Rig::assemble(folder, simulator, &configuration), proxy, on }
    }

    /// The faults that this line can have.
    pub(super) fn faults(&self) -> Vec<String> {
        self.proxy.faults()
    }

    /// All faults of this line, one after the other.
    pub(super) fn run(self) -> Column {
        until("the agent runs and the pump is well", MINUTE, || self.look(), Look::is_well);
        let (cycles, began_ms) = (self.rig.cycles(), self.clock_ms());
        let mut column = Column::default();
        for fault in FAULTS.iter().filter(|fault| fault.lines.contains(&self.proxy.line())) {
            if let Some(cell) = self.cell(fault, &mut column.complaints) {
                column.cells.insert(fault.words, cell);
            }
        }
        self.judge_pace(cycles, began_ms, &mut column);
        let written = written_registers(self.rig.simulator.at("pump"));
        if !is_allowed(&written) {
            column.complaints.push(format!("{}: registers written: {written:?}", self.name()));
        }
        column
    }

    fn cell(&self, fault: &Fault, complaints: &mut Vec<String>) -> Option<Cell> {
        let then = fault.then(self.on);
        if then == Then::Nothing {
            return None;
        }
        let mut wrong = BTreeSet::new();
        if let Some(first) = fault.after {
            self.proxy.fail(first);
            let _told_or_else_the_next_one_is_not =
                self.watch(&mut wrong, TOLD, |look| Then::Silent.is_told(look));
        }
        let watch = Stopwatch::start();
        let happened = self.provoke(fault, &mut wrong);
        let told_after = watch.elapsed();
        self.proxy.clear();
        let watch = Stopwatch::start();
        // Whoever is yielded to is yielded to for ten minutes.
        let well = (fault.name() != "foreign-writer").then(|| self.watch(&mut wrong, WELL, Look::is_well));
        let well_after = watch.elapsed();

        let mut complain =
            |what: String| complaints.push(format!("{}, {}: {what}", self.name(), fault.words));
        wrong.iter().for_each(|value| complain(format!("WRONG {value}")));
        if let Err(last) = &happened {
            let log = self.rig.agent.log();
            let said: Vec<_> = log.lines().rev().take(8).collect();
            complain(format!("not {then:?}: {last:?}; the agent said last, newest first: {said:#?}"));
        }
        if let Some(Err(last)) = &well {
            complain(format!("not well again: {last:?}"));
        }
        let outcome =
            happened.map_or_else(|_| "NOT AS IT MUST".to_owned(), |look| then.outcome(&look, told_after));
        let recovered = well.is_some_and(|well| well.is_ok()).then_some(well_after);
        Some(Cell { outcome, recovered, wrong: wrong.len() })
    }

    /// Lets the wire fail, and waits until what must follow has followed, or else shows the agent as it was.
    fn provoke(&self, fault: &Fault, wrong: &mut BTreeSet<String>) -> Result<Look, Look> {
        let then = fault.then(self.on);
        let before = self.bites(fault);
        self.proxy.fail(&self.words(fault));
        if let Some(event) = fault.event(self.on) {
            self.rig.event(event);
        }
        let bit = || self.bites(fault) > before;
        match then {
            Then::Good => {
                let calm = self.rig.cycles().0 + CALM;
                let over = |look: &Look| !look.all_good() || (bit() && self.rig.cycles().0 > calm);
                self.watch(wrong, MINUTE, over)
                    .and_then(|look| if look.all_good() { Ok(look) } else { Err(look) })
            }
            Then::Restored => {
                self.watch(wrong, TOLD, |look| bit() && look.is_well() && self.holds_the_set_point())
            }
            // A write whose answer is spoilt may have arrived. Then there is nothing to tell.
            Then::Ignored => self.watch(wrong, TOLD, |look| bit() && then.is_told(look)).or_else(|look| {
                if bit() && look.is_well() && self.holds_the_set_point() { Ok(look) } else { Err(look) }
            }),
            Then::Silent | Then::NoRegisters | Then::Yielded | Then::Nothing => {
                self.watch(wrong, TOLD, |look| bit() && then.is_told(look))
            }
        }
    }

    /// How often the fault has done something. A frozen register that does not change is frozen all the same.
    fn bites(&self, fault: &Fault) -> u64 {
        if fault.name() == "frozen" {
            self.proxy.seen(fault.name())
        } else {
            self.proxy.changed(fault.name())
        }
    }

    /// The fault's words for this direction. Another master or a restart cares for no direction.
    fn words(&self, fault: &Fault) -> String {
        match (fault.name(), self.on) {
            ("foreign-writer" | "unit-restart" | "connection-limit" | "wrong-echo" | "frozen", _) => {
                fault.words.to_owned()
            }
            (_, On::Reads) => format!("{} only reads", fault.words),
            (_, On::Writes) => format!("{} only writes", fault.words),
        }
    }

    /// Looks until `enough`, and keeps every wrong value. Returns the last look, as an error if the time is over.
    fn watch(
        &self,
        wrong: &mut BTreeSet<String>,
        limit: Duration,
        enough: impl Fn(&Look) -> bool,
    ) -> Result<Look, Look> {
        let watch = Stopwatch::start();
        loop {
            let mut look = self.look();
            wrong.append(&mut look.wrong);
            if enough(&look) {
                return Ok(look);
            }
            if watch.elapsed() > limit {
                return Err(look);
            }
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    fn look(&self) -> Look {
        let status = self.rig.status();
        let pump = &status["objects"]["pump"]["points"];
        let word = |value: &Value| value.as_str().unwrap_or("none").to_owned();
        Look {
            alarms: shown_alarms(&status)
                .into_iter()
                .filter(|name| ALARMS.contains(&name.as_str()))
                .collect(),
            quality: echo_points().map(|name| (name, word(&pump[name]["quality"]))).collect(),
            wrong: wrong_values(&status).into_iter().collect(),
        }
    }

    fn holds_the_set_point(&self) -> bool {
        let held = written_registers(self.rig.simulator.at("pump"));
        let wanted = self.rig.number("pump", "SpeedSetpoint").unwrap_or(f64::NAN);
        held.iter().any(|(register, word)| {
            *register == SPEED_REGISTER && (f64::from(*word) / 100.0 - wanted).abs() < 1.0
        })
    }

    fn judge_pace(&self, (cycles, overruns): (i64, i64), began_ms: f64, column: &mut Column) {
        let (cycles_now, overruns_now) = self.rig.cycles();
        let passed = f64::from(i32::try_from(cycles_now - cycles).unwrap());
        let seconds = (self.clock_ms() - began_ms) / 1000.0;
        let overran = f64::from(i32::try_from(overruns_now - overruns).unwrap());
        column.pace = format!("{passed} cycles in {seconds:.1} s, {overran} overran");
        if !(9.5..=10.5).contains(&(passed / seconds)) || overran > OVERRUNS * passed {
            column.complaints.push(format!("{}: {}", self.name(), column.pace));
        }
    }

    /// The agent's own clock.
    fn clock_ms(&self) -> f64 {
        self.rig.status()["timestamp_ms"].as_f64().expect("a status has a time")
    }

    fn name(&self) -> String {
        format!("{}, {:?}", self.proxy.line().as_str(), self.on)
    }
}

impl Look {
    fn is_well(&self) -> bool {
        self.alarms.is_empty() && self.all_good()
    }

    fn all_good(&self) -> bool {
        self.quality.values().all(|quality| quality == "good")
    }

    fn none_good<'a>(&self, mut names: impl Iterator<Item = &'a str>) -> bool {
        names.all(|name| self.quality.get(name).is_some_and(|quality| quality != "good"))
    }
}

impl Then {
    fn is_told(self, look: &Look) -> bool {
        let alarm = |name: &str| look.alarms.contains(name);
        match self {
            Self::Silent => alarm("pump_silent") && look.none_good(echo_points()),
            Self::NoRegisters => {
                alarm("pump_silent") && look.none_good(echo_points().filter(|name| *name != "Running"))
            }
            Self::Ignored => alarm("set_point_ignored") || alarm("pump_silent"),
            Self::Yielded => alarm("foreign_writer"),
            Self::Good | Self::Restored => look.all_good(),
            Self::Nothing => true,
        }
    }

    fn outcome(self, look: &Look, after: Duration) -> String {
        let after = format!("after {:.1} s", after.as_secs_f64());
        let qualities: BTreeSet<_> =
            look.quality.values().filter(|quality| *quality != "good").map(String::as_str).collect();
        let qualities = qualities.into_iter().collect::<Vec<_>>().join(", ");
        let alarms = look.alarms.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        match self {
            Self::Silent | Self::NoRegisters => format!("{qualities}; {alarms} {after}"),
            Self::Ignored if alarms.is_empty() => "in force all the same".to_owned(),
            Self::Ignored | Self::Yielded => format!("{alarms} {after}"),
            Self::Good => "good all the time".to_owned(),
            Self::Restored => format!("set-point in force again {after}"),
            Self::Nothing => "–".to_owned(),
        }
    }
}
