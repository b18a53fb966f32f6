//! What the plant's faults look like to an operator: one trouble, one alarm.

use eisbach_control::{AlarmBook, AlarmChange, Conditions, Moment};
use eisbach_protocol::alarm::{ALARMS, Alarm};
use eisbach_protocol::units::Millis;
use eisbach_sim::plant::Fault;
use eisbach_sim::workload::Workload;

use crate::bench::Bench;

/// A book of alarms beside the controller.
struct Watch {
    bench: Bench,
    book: AlarmBook,
    now: Moment,
}

impl Watch {
    fn start(workload: Workload) -> Self {
        Self { bench: Bench::new(workload, 1), book: AlarmBook::default(), now: Moment::default() }
    }

    /// Runs for so many seconds. Every alarm that came, in order.
    fn run(&mut self, seconds: u64) -> Vec<Alarm> {
        let mut raised = Vec::new();
        for _ in 0..seconds * 10 {
            let standing = self.bench.tick().alarms;
            self.now.at += Millis::new(100);
            self.now.wall_ms += 100;
            let changes = self.book.step(&Conditions { standing, ..Conditions::default() }, self.now);
            let came = changes.iter().filter(|(_, change)| matches!(change, AlarmChange::Raised { .. }));
            raised.extend(came.map(|(alarm, _)| *alarm));
        }
        raised
    }

    fn shown(&self) -> Vec<Alarm> {
        let shown = ALARMS.iter().zip(self.book.views()).filter(|(_, view)| view.is_shown());
        shown.map(|(def, _)| def.alarm).collect()
    }
}

#[test]
fn ordinary_operation_raises_no_alarm() {
    for workload in [Workload::Full, Workload::Idle, Workload::Training, Workload::Inference] {
        let mut watch = Watch::start(workload);
        assert_eq!(watch.run(900), [], "{workload}");
    }
}

#[test]
fn a_lost_flow_is_one_alarm_and_hides_what_follows_from_it() {
    let mut watch = Watch::start(Workload::Full);
    watch.run(120);
    watch.bench.node.plant.inject(Fault::FlowLoss);
    assert_eq!(watch.run(60), [Alarm::LossOfFlow, Alarm::OverTemperature]);
    assert_eq!(watch.shown(), [Alarm::LossOfFlow]);
    assert_eq!(watch.book.first_out(), Some(Alarm::LossOfFlow));
    let hot = watch.book.view(Alarm::OverTemperature);
    assert!(hot.is_active() && hot.suppressed_by == Some(Alarm::LossOfFlow), "{hot:?}");
    watch.bench.node.plant.clear(Fault::FlowLoss.kind());
    assert_eq!(watch.run(120), [], "nothing new on the way back");
    assert_eq!(watch.shown(), []);
}

#[test]
fn a_tripped_pump_is_named_as_the_cause_of_the_lost_flow() {
    let mut watch = Watch::start(Workload::Full);
    watch.run(120);
    watch.bench.node.plant.inject(Fault::PumpTrip);
    watch.run(20);
    assert_eq!(watch.shown(), [Alarm::LossOfFlow, Alarm::PumpFault]);
    assert_eq!(watch.book.first_out(), Some(Alarm::PumpFault));
    assert_eq!(watch.book.view(Alarm::LossOfFlow).explained_by, Some(Alarm::PumpFault));
}
