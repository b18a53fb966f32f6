//! One GPU, looked at on a thread of its own: who it is, what each call says and how long it takes.

use std::time::Duration;

use nvml_wrapper::Nvml;

use super::desk::{Desk, INIT_DEADLINE};
use super::fields::{self, BATCH};
use super::freshness;
use super::getters::{GETTERS, Getter, MARGIN, POWER, TEMPERATURE, TEMPERATURE_V};
use super::raw::{Handle, Told};
use super::report::{BatchFound, FieldFound, GetterFound, GpuFound, Latency, MarginFound, Value, meaning};
use crate::clock::Clock;

/// Time in which calls are repeated; after it each is made once more at most.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// How long and how often to look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) rounds: u32,
    /// Time to watch values change; none if they are not watched.
    pub(super) watch: Option<Duration>,
}

/// Looks at the GPU; what it finds is on the desk, from the first call on.
pub(super) fn look(nvml: &'static Nvml, index: u32, pace: Pace, clock: Clock, desk: &Desk) {
    let open = || Handle::open(nvml, index);
    let (opened, took) = desk.call_within(INIT_DEADLINE, "nvmlDeviceGetHandleByIndex_v2", open);
    match opened {
        Ok(gpu) => Look { gpu, pace, clock, desk, began: clock.elapsed() }.everything(),
        Err(rc) => desk.note(|found| {
            let name = "nvmlDeviceGetHandleByIndex_v2";
            let latency = Latency::of(vec![took]);
            found.getters.push(GetterFound { name, of: "", rc, meaning: meaning(rc), value: None, latency });
        }),
    }
    desk.note(|found| found.complete = true);
}

struct Look<'a> {
    gpu: Handle,
    pace: Pace,
    clock: Clock,
    desk: &'a Desk,
    began: Duration,
}

impl Look<'_> {
    fn everything(&self) {
        // First what decides whether it answers at all: what hangs later does not hide it.
        GETTERS.iter().for_each(|getter| self.getter(getter));
        fields::all().for_each(|field| self.field(field));
        self.desk.note(|found| found.answered = answered(found));
        self.margin();
        self.batch();
        if let Some(watch) = self.pace.watch {
            let seen = freshness::watch(&self.gpu, watch, self.clock, self.desk);
            self.desk.note(|found| found.freshness = seen);
        }
    }

    /// Runs `once` as often as asked, or as time allows; once at least.
    fn rounds(&self, mut once: impl FnMut()) {
        for round in 0..self.pace.rounds {
            if round > 0 && self.clock.elapsed().saturating_sub(self.began) > PATIENCE {
                return;
            }
            once();
        }
    }

    fn getter(&self, getter: &Getter) {
        let (mut first, mut times) = (None, Vec::new());
        self.rounds(|| {
            let (told, took) = self.desk.call(getter.name, || (getter.call)(&self.gpu));
            times.push(took);
            first.get_or_insert(told);
        });
        let (rc, value) = match first {
            Some(Ok(value)) => (0, Some(value)),
            Some(Err(rc)) => (rc, None),
            None => return,
        };
        let Getter { name, of, .. } = *getter;
        let latency = Latency::of(times);
        self.desk.note(|found| {
            found.getters.push(GetterFound { name, of, rc, meaning: meaning(rc), value, latency });
        });
    }

    fn field(&self, (id, scope): (u32, u32)) {
        let (told, _) = self.desk.call(FIELDS, || self.gpu.fields(&[(id, scope)]));
        let (rc, value_type, value) = match told {
            Ok(answers) => match answers.first() {
                Some(answer) => (answer.rc, answer.value_type, answer.value),
                None => return,
            },
            Err(rc) => (rc, 0, None),
        };
        let name = fields::name(id);
        self.desk.note(|found| {
            found.fields.push(FieldFound { id, name, scope, rc, meaning: meaning(rc), value_type, value });
        });
    }

    /// Temperature and margin side by side: their sum is where the slowdown begins, if both are what they say.
    fn margin(&self) {
        let mut sums = Vec::new();
        self.rounds(|| {
            let temperature = self.number(TEMPERATURE_V).or_else(|| self.number(TEMPERATURE));
            sums.extend(
                temperature.zip(self.number(MARGIN)).map(|(temperature, margin)| temperature + margin),
            );
        });
        self.desk.note(|found| {
            let threshold = |of: &str| {
                let told = found.getters.iter().find(|getter| getter.of == of)?;
                told.value.as_ref()?.number()
            };
            let field = |id| found.fields.iter().find(|field| field.id == id)?.value;
            let by_margin = |id| Some(sums.first()? - field(id)?);
            found.margin = MarginFound {
                rounds: u32::try_from(sums.len()).unwrap_or(u32::MAX),
                sum_min_celsius: sums.iter().min().copied(),
                sum_max_celsius: sums.iter().max().copied(),
                slowdown_celsius: threshold("slowdown"),
                shutdown_celsius: threshold("shutdown"),
                slowdown_by_margin_celsius: by_margin(194),
                shutdown_by_margin_celsius: by_margin(193),
            };
        });
    }

    fn number(&self, name: &'static str) -> Option<i64> {
        let getter = GETTERS.iter().find(|getter| getter.name == name)?;
        let (told, _): (Told<Value>, _) = self.desk.call(name, || (getter.call)(&self.gpu));
        told.ok()?.number()
    }

    fn batch(&self) {
        let (mut together, mut one_by_one) = (Vec::new(), Vec::new());
        self.rounds(|| {
            together.push(self.desk.call(FIELDS, || self.gpu.fields(&BATCH)).1);
            let singles = BATCH.iter().map(|field| self.desk.call(FIELDS, || self.gpu.fields(&[*field])).1);
            one_by_one.push(singles.sum());
        });
        self.desk.note(|found| {
            found.batch = BatchFound {
                fields: BATCH.len(),
                together: Latency::of(together),
                one_by_one: Latency::of(one_by_one),
            };
        });
    }
}

/// The call behind every field.
pub(super) const FIELDS: &str = "nvmlDeviceGetFieldValues";

/// Whether temperature and power have been told.
fn answered(found: &GpuFound) -> bool {
    let told =
        |names: &[&str]| found.getters.iter().any(|getter| getter.rc == 0 && names.contains(&getter.name));
    let instant = found.fields.iter().any(|field| field.id == 186 && field.rc == 0);
    told(&[TEMPERATURE_V, TEMPERATURE]) && (told(&[POWER]) || instant)
}
