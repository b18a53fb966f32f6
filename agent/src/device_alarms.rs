//! Alarms that the links raise, not the controller: who is not who they should be, what would not be safe without us,
//! and what became of our writes.

use eisbach_control::AlarmSet;
use eisbach_protocol::alarm::Alarm;

use crate::config::DeviceRole;
use crate::links::Links;
use crate::modbus::commission::Protection;
use crate::modbus::device::DeviceLink;
use crate::modbus::state::Phase;
use crate::modbus::write_state::WriteTrouble;
use crate::report::Cycle;

/// Sets every alarm of this file to how things stand. A pump whose own alarm stands does not do what it is told, and
/// that is said already: an alarm names a cause, not each of its symptoms.
pub fn tell(cycle: &mut Cycle, links: &Links, of_control: AlarmSet) {
    let devices = || links.devices.iter().map(|(_, link)| link);
    let writes = || devices().flat_map(DeviceLink::write_states);
    cycle
        .set_alarm(Alarm::WrongDevice, devices().any(|link| matches!(link.state().phase, Phase::Refused(_))));
    cycle.set_alarm(Alarm::UnprotectedActuator, devices().any(|link| unprotected(&link.protection())));
    cycle.set_alarm(Alarm::DeviceFrozen, devices().any(|link| link.heartbeats().ignored));
    cycle.set_alarm(Alarm::ForeignWriter, writes().any(|write| write.yielded));
    cycle.set_alarm(Alarm::WriteBudgetSpent, writes().any(|write| write.budget_spent));
    let explained = of_control.has(Alarm::PumpFault) || of_control.has(Alarm::LossOfFlow);
    // Only these two are commanded; a rack unit that is meter and leak detector too is asked once.
    let ignoring = |role| {
        links
            .device(role)
            .is_some_and(|link| link.write_states().iter().any(|write| write.trouble.is_some_and(ignored)))
    };
    let ignoring = (!explained && ignoring(DeviceRole::Pump)) || ignoring(DeviceRole::Valve);
    cycle.set_alarm(Alarm::SetPointIgnored, ignoring);
    let local =
        |role| links.device(role).is_some_and(|link| link.write_states().iter().any(|write| write.local));
    cycle.set_alarm(Alarm::PumpLocal, local(DeviceRole::Pump));
    cycle.set_alarm(Alarm::ValveLocal, local(DeviceRole::Valve));
}

const fn unprotected(protection: &Protection) -> bool {
    match protection {
        Protection::Unprotected { .. } => true,
        Protection::Protected { .. }
        | Protection::LocalMode { .. }
        | Protection::Unknown { .. }
        | Protection::NotNeeded => false,
    }
}

/// A request that the profile forbids is our own mistake, said in the log; all else means that the actuator is
/// somewhere else than control wants it.
const fn ignored(trouble: WriteTrouble) -> bool {
    match trouble {
        WriteTrouble::Forbidden | WriteTrouble::Unproven => false,
        WriteTrouble::Rejected | WriteTrouble::Overwritten | WriteTrouble::NotEffective => true,
    }
}
