//! The verdict on a command. Pure: the same command in the same circumstances gets the same answer.
//!
//! ```text
//!   is it one? ─► for us? ─► new? ─► by whom? ─► in time? ─► allowed? ─► counted? ─► may it now? ─► how far?
//!      └────────────┴──────────┴────────┴───────────┴───────────┴───────────┴────────────┴──► Refusal
//! ```
//!
//! What goes in a safe direction passes without right, counter and clock: nothing may stand between somebody and more
//! cooling but that it be fresh, unique and sensible. That ends where the same issuer's order in force would be
//! weakened: a name is no proof, so this needs what taking it back needs.

use std::ops::RangeInclusive;

use eisbach_control::{Manual, StateName, Tuning};
use eisbach_protocol::units::{Celsius, Millis, Percent, Watts};

use super::FACES;
use super::action::{Action, ActionName, Direction, River};
use super::envelope::Envelope;
use super::ledger::Ledger;
use super::orders::Orders;
use super::refusal::Refusal;
use crate::config::{CommandsConfig, Issuer};
use crate::report::events::Short;

/// Longest time between the making of an envelope and its end, ms (IEC 62351 has seconds; estimate).
pub const LONGEST_LIFE_MS: u64 = 60_000;
/// Clocks of issuers may be ahead by this much, ms (estimate).
pub const SKEW_MS: u64 = 5_000;
/// Least supply temperature that makes sense: water of a chiller.
const LEAST_SUPPLY: Celsius = Celsius::new(10.0);
/// Rivers are no colder and no warmer, °C.
const RIVER: RangeInclusive<f32> = -5.0..=40.0;
/// Heat networks neither.
const NETWORK: RangeInclusive<f32> = 0.0..=150.0;
/// All of it.
const FULL: Percent = Percent::new(100.0);

/// How a command came to be believed.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and nearly always the larger one")]
pub(super) enum Claim {
    /// In an envelope; signed by the key of this name, or not at all.
    Envelope { envelope: Envelope, key: Option<Short> },
    /// A write to a point, with nothing around it.
    Plain { issuer: Short, action: Action },
}

/// What a verdict depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances<'a> {
    pub(super) settings: &'a CommandsConfig,
    pub(super) tuning: &'a Tuning,
    pub(super) node: &'a str,
    pub(super) ledger: &'a Ledger,
    pub(super) orders: &'a Orders,
    pub(super) now: Millis,
    pub(super) state: StateName,
    pub(super) wall_ms: u64,
    /// The time of day can be trusted.
    pub(super) clock_sure: bool,
}

/// A command that may be obeyed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ruling {
    /// As far as it may go.
    pub(super) action: Action,
    pub(super) direction: Direction,
    /// The number that holds instead of the one asked for.
    pub(super) clamped: Option<f32>,
    /// How long it stays in force.
    pub(super) life: Millis,
    /// The counter that must be on the disk first.
    pub(super) spend: Option<u64>,
    /// When it was issued, where it says, in UTC milliseconds.
    pub(super) issued_at: Option<u64>,
}

/// What may be done about a command.
pub(super) fn judge(claim: &Claim, circumstances: &Circumstances<'_>) -> Result<Ruling, Refusal> {
    let Circumstances { settings, tuning, state, ledger, orders, now, .. } = *circumstances;
    let (issuer, action, for_s, issued_at) = match claim {
        Claim::Envelope { envelope: Envelope { issuer, action, for_s, issued_at, .. }, .. } => {
            (issuer, *action, *for_s, Some(*issued_at))
        }
        Claim::Plain { issuer, action } => (issuer, *action, None, None),
    };
    let direction = action.direction(tuning);
    let bounded = clamp(action, tuning)
        .and_then(|(held, clamped)| Ok((held, clamped, life(claim, action.name(), for_s, settings)?)));
    let weakens = direction == Direction::Safe
        && bounded.is_ok_and(|(held, _, life)| orders.weakens(issuer, &held, now + life, now));
    let spend = match claim {
        Claim::Envelope { envelope, key } => {
            let needs = if weakens { Direction::Own } else { direction };
            believe(envelope, key.as_ref(), needs, circumstances)?
        }
        Claim::Plain { .. } if !settings.plain => return Err(Refusal::PlainOff),
        Claim::Plain { .. } if direction == Direction::Authority => return Err(Refusal::NeedsEnvelope),
        Claim::Plain { .. } if weakens => return Err(Refusal::Weaker),
        Claim::Plain { .. } => None,
    };
    if direction == Direction::Authority {
        if ledger.is_local() && !action.name().tells() {
            return Err(Refusal::Local);
        }
        if action.name() == ActionName::Manual && state != StateName::Running {
            return Err(Refusal::NotRunning);
        }
    }
    let (action, clamped, life) = bounded?;
    Ok(Ruling { action, direction, clamped, life, spend, issued_at })
}

/// Whether an envelope is for us, new, by whom it says, in time, and allowed; the counter that it spends.
fn believe(
    envelope: &Envelope,
    key: Option<&Short>,
    direction: Direction,
    circumstances: &Circumstances<'_>,
) -> Result<Option<u64>, Refusal> {
    let Circumstances { settings, ledger, node, .. } = *circumstances;
    let issuer = settings.issuer(envelope.issuer.as_str());
    if FACES.contains(&envelope.issuer.as_str()) {
        return Err(Refusal::ReservedName);
    }
    match (&envelope.target, direction) {
        (Some(target), _) if target.as_str() == node => {}
        (None, Direction::Safe) => {}
        (Some(_), _) | (None, Direction::Own | Direction::Authority) => return Err(Refusal::WrongTarget),
    }
    if ledger.knows(issuer.map(|issuer| issuer.name.as_str()), &envelope.id) {
        return Err(Refusal::Duplicate);
    }
    match key {
        Some(key) if *key == envelope.issuer => {}
        Some(_) => return Err(Refusal::BadSignature),
        None if issuer.is_some_and(|issuer| issuer.key.is_some()) => return Err(Refusal::Unsigned),
        None => {}
    }
    in_time(envelope, direction, circumstances)?;
    let name = envelope.action.name();
    let weaker = direction == Direction::Own && name != ActionName::Release;
    let Some(issuer) = issuer else {
        // A stranger has no counter here, and anybody may use its name: what it asked for ends by its time.
        return match direction {
            Direction::Safe => Ok(None),
            Direction::Own if weaker => Err(Refusal::Weaker),
            Direction::Own | Direction::Authority => Err(Refusal::NotAllowed),
        };
    };
    match direction {
        Direction::Safe => return in_order(envelope, issuer, circumstances).map(|()| None),
        Direction::Authority if !issuer.may.contains(&name.right()) => return Err(Refusal::NotAllowed),
        Direction::Own | Direction::Authority => {}
    }
    let counter = envelope.counter.ok_or(if weaker { Refusal::Weaker } else { Refusal::NoCounter })?;
    if ledger.is_unreadable() {
        return Err(Refusal::LedgerUnreadable);
    }
    if !ledger.is_newer(&envelope.issuer, counter) {
        return Err(Refusal::CounterNotNewer);
    }
    in_order(envelope, issuer, circumstances)?;
    Ok(Some(counter))
}

/// Whether an envelope that its issuer has signed is newer than what came from there before. Without a key, others
/// could use up the issuer's numbers.
fn in_order(envelope: &Envelope, issuer: &Issuer, circumstances: &Circumstances<'_>) -> Result<(), Refusal> {
    let Circumstances { ledger, orders, now, .. } = *circumstances;
    if issuer.key.is_none() {
        return Ok(());
    }
    if envelope.counter.is_some_and(|counter| !ledger.is_newer(&envelope.issuer, counter)) {
        return Err(Refusal::CounterNotNewer);
    }
    let own = orders.own(&envelope.issuer, envelope.action.name(), now);
    if own.and_then(|own| own.issued_at).is_some_and(|issued_at| issued_at > envelope.issued_at) {
        return Err(Refusal::Overtaken);
    }
    Ok(())
}

fn in_time(
    envelope: &Envelope,
    direction: Direction,
    circumstances: &Circumstances<'_>,
) -> Result<(), Refusal> {
    let Envelope { issued_at, expires_at, .. } = *envelope;
    if expires_at < issued_at || expires_at - issued_at > LONGEST_LIFE_MS {
        return Err(Refusal::LifeTooLong);
    }
    if !circumstances.clock_sure {
        return if direction == Direction::Safe { Ok(()) } else { Err(Refusal::ClockUnsure) };
    }
    if issued_at > circumstances.wall_ms.saturating_add(SKEW_MS) {
        return Err(Refusal::FromTheFuture);
    }
    if expires_at <= circumstances.wall_ms {
        return Err(Refusal::TooLate);
    }
    Ok(())
}

/// The action as far as it may go, and the number that holds instead of the one asked for.
fn clamp(action: Action, tuning: &Tuning) -> Result<(Action, Option<f32>), Refusal> {
    let percent = |asked: Percent, least: Percent| {
        if !asked.get().is_finite() {
            return Err(Refusal::NotANumber);
        }
        if asked < Percent::ZERO {
            return Err(Refusal::OutOfRange);
        }
        let held = asked.held(least, FULL);
        Ok((held, (held != asked).then_some(held.get())))
    };
    match action {
        Action::PumpAtLeast(asked) => {
            let (held, clamped) = percent(asked, Percent::ZERO)?;
            Ok((Action::PumpAtLeast(held), clamped))
        }
        Action::ValveAtMost(asked) => {
            let (held, clamped) = percent(asked, Percent::ZERO)?;
            Ok((Action::ValveAtMost(held), clamped))
        }
        Action::SupplyTarget(asked) => {
            if !asked.get().is_finite() {
                return Err(Refusal::NotANumber);
            }
            let held = asked.held(LEAST_SUPPLY, tuning.supply_target_max.larger(tuning.supply_target));
            Ok((Action::SupplyTarget(held), (held != asked).then_some(held.get())))
        }
        Action::PowerBudget(watts) | Action::RiverAtMost(watts) if !watts.get().is_finite() => {
            Err(Refusal::NotANumber)
        }
        Action::PowerBudget(watts) | Action::RiverAtMost(watts) if watts < Watts::ZERO => {
            Err(Refusal::OutOfRange)
        }
        Action::River(river) if !is_a_river(&river) => Err(Refusal::OutOfRange),
        Action::HeatDemand { watts, network } if watts < Watts::ZERO || !NETWORK.contains(&network.get()) => {
            Err(Refusal::OutOfRange)
        }
        Action::Manual(asked) => {
            let pump = asked.pump.map(|pump| percent(pump, tuning.pump_min)).transpose()?;
            let valve = asked.valve.map(|valve| percent(valve, Percent::ZERO)).transpose()?;
            let held = Manual { pump: pump.map(|(held, _)| held), valve: valve.map(|(held, _)| held) };
            let of = |part: Option<(Percent, Option<f32>)>| part.and_then(|(_, clamped)| clamped);
            Ok((Action::Manual(held), of(pump).or_else(|| of(valve))))
        }
        Action::Shelve { minutes: 0 | 481.., .. } => Err(Refusal::OutOfRange),
        Action::PowerBudget(_)
        | Action::RiverAtMost(_)
        | Action::River(_)
        | Action::HeatDemand { .. }
        | Action::Drain
        | Action::Auto
        | Action::Isolate
        | Action::Release(_)
        | Action::Acknowledge(_)
        | Action::Shelve { .. }
        | Action::Unshelve(_)
        | Action::Reset(_)
        | Action::Rebirth => Ok((action, None)),
    }
}

/// Whether every number is one that a river may have.
fn is_a_river(river: &River) -> bool {
    river.celsius.is_none_or(|celsius| RIVER.contains(&celsius.get()))
        && river.flow.is_none_or(|flow| flow.get() >= 0.0)
        && river.share.is_none_or(|share| (0.0..=1.0).contains(&share))
}

/// How long an order stays in force.
fn life(
    claim: &Claim,
    name: ActionName,
    for_s: Option<u32>,
    settings: &CommandsConfig,
) -> Result<Millis, Refusal> {
    let longest = if name == ActionName::Manual { settings.manual_longest } else { settings.longest };
    let life = match (for_s, claim) {
        (Some(0), _) => return Err(Refusal::OutOfRange),
        (Some(seconds), _) => Millis::from_secs(seconds.into()),
        (None, Claim::Plain { .. }) => settings.plain_life,
        (None, Claim::Envelope { .. }) => settings.usual.min(longest),
    };
    if life > longest { Err(Refusal::TooLong) } else { Ok(life) }
}
