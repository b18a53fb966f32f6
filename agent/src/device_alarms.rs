//! Alarms that the links raise, not the controller: who is not who they should be, what would not be safe without us,
//! and what became of our writes.

use eisbach_control::{Behind, Decision, Devices};
use eisbach_protocol::alarm::Alarm;

use crate::config::DeviceRole;
use crate::links::Links;
use crate::modbus::commission::Protection;
use crate::modbus::device::DeviceLink;
use crate::modbus::state::Phase;
use crate::modbus::write_state::{WriteState, WriteTrouble};
use crate::report::Cycle;

/// Sets every alarm of this file to how things stand; the devices behind those that any of several can raise. A pump
/// whose own alarm stands does not do what it is told, and that is said already: an alarm names a cause, not each of its
/// symptoms.
pub fn tell(cycle: &mut Cycle, links: &Links, decision: &Decision) -> Behind {
    let explained = decision.alarms.has(Alarm::PumpFault) || decision.alarms.has(Alarm::LossOfFlow);
    let wrote = |link: &DeviceLink, such: fn(&WriteState) -> bool| link.write_states().iter().any(such);
    // Only these two are commanded; a rack unit that is meter and leak detector too is asked once.
    let ignores = |role, link: &DeviceLink| match role {
        DeviceRole::Pump => !explained && wrote(link, ignored),
        DeviceRole::Valve => wrote(link, ignored),
        DeviceRole::Meter | DeviceRole::Room | DeviceRole::Leak => false,
    };
    let mut behind = Behind::default();
    let mut tell = |alarm, devices: Devices| {
        cycle.set_alarm(alarm, !devices.is_empty());
        behind.set(alarm, devices);
    };
    tell(Alarm::WrongDevice, such(links, |_, link| matches!(link.state().phase, Phase::Refused(_))));
    tell(Alarm::UnprotectedActuator, such(links, |_, link| unprotected(&link.protection())));
    tell(Alarm::DeviceFrozen, such(links, |_, link| link.heartbeats().ignored));
    tell(Alarm::ForeignWriter, such(links, |_, link| wrote(link, |write| write.yielded)));
    tell(Alarm::WriteBudgetSpent, such(links, |_, link| wrote(link, |write| write.budget_spent)));
    tell(Alarm::SetPointIgnored, such(links, ignores));
    // The controller has found some by their effect.
    behind.set(Alarm::SetPointIgnored, behind.of(Alarm::SetPointIgnored).with(decision.ignoring));
    let local = |role| links.device(role).is_some_and(|link| wrote(link, |write| write.local));
    cycle.set_alarm(Alarm::PumpLocal, local(DeviceRole::Pump));
    cycle.set_alarm(Alarm::ValveLocal, local(DeviceRole::Valve));
    behind
}

/// The devices for which it is so.
fn such(links: &Links, such: impl Fn(DeviceRole, &DeviceLink) -> bool) -> Devices {
    let found = links.devices.iter().filter(|(role, link)| such(*role, link));
    found.fold(Devices::NONE, |all, (role, _)| all.with(device(*role)))
}

const fn device(role: DeviceRole) -> Devices {
    match role {
        DeviceRole::Pump => Devices::PUMP,
        DeviceRole::Valve => Devices::VALVE,
        DeviceRole::Meter => Devices::METER,
        DeviceRole::Room => Devices::ROOM,
        DeviceRole::Leak => Devices::LEAK,
    }
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
fn ignored(write: &WriteState) -> bool {
    write.trouble.is_some_and(|trouble| match trouble {
        WriteTrouble::Forbidden | WriteTrouble::Unproven => false,
        WriteTrouble::Rejected | WriteTrouble::Overwritten | WriteTrouble::NotEffective => true,
    })
}
