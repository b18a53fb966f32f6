//! Where a point's value comes from: snapshot, decision, links and the GPU process, each asked in its own way.

use eisbach_control::{AlarmView, Decision, Drift, GpuDecision, Snapshot};
use eisbach_protocol::alarm::ALARMS;
use eisbach_protocol::catalogue::PointValue;
use eisbach_protocol::gpu_link::Field;
use eisbach_protocol::reading::Reading;
use eisbach_protocol::registers::Signal;
use eisbach_protocol::units::{Millis, Quantity};

use super::cycle::Cycle;
use super::value::{ABSENT, UNDECIDED, count, days, heard, int, known, text};
use crate::config::DeviceRole;
use crate::gpu::client::{GpuEntry, GpuView};
use crate::links::Links;
use crate::modbus::write_state::WriteState;
use crate::sense::{GPU_STALE, judged, told};

/// What a GPU tells in turn, one thing a batch, is stale after this.
pub(crate) const SLOW_STALE: Millis = Millis::from_secs(30);

/// Everything the points are made of.
pub(super) struct Sources<'a> {
    pub(super) links: &'a Links,
    pub(super) snapshot: &'a Snapshot,
    pub(super) decision: &'a Decision,
    pub(super) cycle: &'a Cycle,
    pub(super) view: &'a GpuView,
    pub(super) now: Millis,
    pub(super) wall_ms: u64,
}

/// One GPU with what was decided about it.
pub(super) struct Gpu<'a> {
    pub(super) entry: &'a GpuEntry,
    pub(super) decision: Option<&'a GpuDecision>,
    /// What has been found out about its cold plate.
    pub(super) plate: Option<Drift>,
}

impl Gpu<'_> {
    pub(super) fn decided(
        &self,
        value: impl FnOnce(&GpuDecision) -> Reading<PointValue>,
    ) -> Reading<PointValue> {
        self.decision.map_or(UNDECIDED, value)
    }
}

impl Sources<'_> {
    pub(super) fn first_out(&self) -> &'static str {
        let mut alarms = ALARMS.iter().zip(&self.cycle.book);
        alarms.find(|(_, view)| view.first_out).map_or("none", |(def, _)| def.name)
    }

    pub(super) fn alarms_that(&self, holds: impl Fn(&AlarmView) -> bool) -> Reading<PointValue> {
        let count = self.cycle.book.iter().filter(|view| holds(view)).count();
        int(i64::try_from(count).unwrap_or(i64::MAX))
    }

    pub(super) fn link(&self, role: DeviceRole) -> Reading<PointValue> {
        self.links.device(role).map_or(ABSENT, |link| text(link.state().phase.as_str()))
    }

    pub(super) fn protection(&self, role: DeviceRole) -> Reading<PointValue> {
        self.links.device(role).map_or(ABSENT, |link| text(link.protection().as_str()))
    }

    pub(super) fn writes(&self, role: DeviceRole, count: impl Fn(&WriteState) -> u32) -> Reading<PointValue> {
        let Some(link) = self.links.device(role) else { return ABSENT };
        int(link.write_states().iter().map(|write| i64::from(count(write))).sum())
    }

    pub(super) fn number(&self, role: DeviceRole, signal: Signal) -> Reading<PointValue> {
        self.links.reading(role, signal, self.now).map(PointValue::Float)
    }

    pub(super) fn flag(&self, role: DeviceRole, signal: Signal) -> Reading<PointValue> {
        self.links.reading(role, signal, self.now).map(|value| PointValue::Bool(value >= 0.5))
    }

    pub(super) fn sampled<Q: Quantity>(&self, gpu: &Gpu<'_>, field: &Field<Q>) -> Reading<PointValue> {
        let reading = judged(field, gpu.entry.age(self.now), &(f32::MIN..=f32::MAX));
        reading.map(|value| PointValue::Float(value.get()))
    }

    /// What the GPU process itself knows of a GPU, whether that answers or not: as old as its word.
    pub(super) fn said(&self, gpu: &Gpu<'_>, value: PointValue) -> Reading<PointValue> {
        heard(value, self.now.since(gpu.entry.received_at), GPU_STALE)
    }

    /// What was made of the newest batch of readings: as old as that.
    pub(super) fn batch(&self, gpu: &Gpu<'_>, value: PointValue) -> Reading<PointValue> {
        heard(value, gpu.entry.age(self.now), GPU_STALE)
    }

    pub(super) fn told<T: Copy>(&self, gpu: &Gpu<'_>, field: &Field<T>) -> Reading<T> {
        told(field, gpu.entry.age(self.now), SLOW_STALE)
    }

    pub(super) fn counted<T: Copy + TryInto<i64>>(
        &self,
        gpu: &Gpu<'_>,
        field: &Field<T>,
    ) -> Reading<PointValue> {
        self.told(gpu, field).map(|count| PointValue::Int(count.try_into().unwrap_or(i64::MAX)))
    }

    /// A moment to come in ms since 1970.
    pub(super) fn wall_then(&self, at: Millis) -> Reading<PointValue> {
        count(self.wall_ms.saturating_add(at.since(self.now).get()))
    }

    /// Until the first of our certificates ends; less than nothing once it has.
    pub(super) fn certificate_days(&self) -> Reading<PointValue> {
        let ends = self.cycle.facility.iter().filter_map(|status| status.certificates.expires_ms).min();
        ends.map_or(ABSENT, |ends| known(PointValue::Float(days(ends, self.wall_ms))))
    }

    /// A moment of the agent's clock in ms since 1970.
    pub(super) fn wall(&self, at: Millis) -> Reading<PointValue> {
        count(self.wall_ms.saturating_sub(self.now.since(at).get()))
    }

    /// A value made from several readings: an estimate as soon as one of them is missing.
    pub(super) fn derived<Q: Quantity>(&self, value: Q) -> Reading<PointValue> {
        let all = self.snapshot.gpus.len() >= self.snapshot.gpus_expected
            && self
                .snapshot
                .gpus
                .iter()
                .all(|gpu| gpu.power.usable().is_some() && gpu.margin.usable().is_some());
        let value = PointValue::Float(value.get());
        if all { Reading::measured(value, Millis::ZERO) } else { Reading::estimated(value, Millis::ZERO) }
    }
}
