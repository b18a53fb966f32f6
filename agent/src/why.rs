//! Why a GPU is not faster, and whose doing that is. Pure.
//!
//! ```text
//!   driver's reasons (bits) ─┐
//!   limits: in force,        ├─► SlowBy: heat · brake · our cap, our clock, our guard ·
//!     requested, default ────┤           somebody else's cap, on this node or from outside · its own limit · idle
//!   what we hold ────────────┘
//! ```
//!
//! The driver says that a power cap holds the clock down, never whose. A clock lock has no bit at all and cannot be read
//! back: only the journal knows of ours.

use eisbach_control::{GpuDecision, Release};
use eisbach_protocol::gpu_link::GpuSample;
use eisbach_protocol::units::{Megahertz, Millis, Watts};

/// Two limits this close are one: drivers round.
const SAME: Watts = Watts::new(1.5);
/// A clock this close to its lock is held by it: clocks come in steps of 15 MHz.
const CLOCK_STEP: Megahertz = Megahertz::new(20.0);

/// Bits of the driver's clock event reasons (nvml.h).
mod bit {
    pub(super) const IDLE: u32 = 0x1;
    pub(super) const CLOCKS_SETTING: u32 = 0x2;
    pub(super) const POWER_CAP: u32 = 0x4;
    pub(super) const HW_SLOWDOWN: u32 = 0x8;
    pub(super) const SYNC_BOOST: u32 = 0x10;
    pub(super) const SW_THERMAL: u32 = 0x20;
    pub(super) const HW_THERMAL: u32 = 0x40;
    pub(super) const POWER_BRAKE: u32 = 0x80;
}

macro_rules! slow_by {
    ($($(#[$doc:meta])* $variant:ident $word:literal $text:literal)+) => {
        /// What keeps a GPU from running faster.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum SlowBy { $($(#[$doc])* $variant),+ }

        impl SlowBy {
            /// One stable word for faces and logs.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The same for people.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

slow_by! {
    /// Nothing.
    Nothing "nothing" "nothing slows it down"
    /// There is no work.
    Idle "idle" "it has no work"
    /// The guard of the GPU process.
    Guard "eisbach_guard" "the GPU process holds it at its lowest, by itself"
    /// Our power cap.
    OurCap "eisbach_power_cap" "our power cap"
    /// Our clock lock.
    OurClock "eisbach_clock_lock" "our clock lock"
    /// A power limit that somebody else set on this node.
    ForeignCap "foreign_power_cap" "a power limit that somebody else set on this node"
    /// A power limit from outside the node: BMC, power manager.
    OutsideCap "outside_power_cap" "a power limit from outside this node (BMC, power manager)"
    /// The device's own power limit.
    OwnLimit "own_power_limit" "its own power limit, or its board's"
    /// Clocks that somebody else set.
    ForeignClocks "foreign_clocks" "clocks that somebody else set"
    /// The driver, for heat.
    DriverHeat "driver_heat" "the driver, because it is hot"
    /// The hardware, for heat.
    HardwareHeat "hardware_heat" "the hardware, because it is too hot"
    /// The board's power brake.
    PowerBrake "power_brake" "the board's power brake"
    /// The hardware, for a reason that it does not tell.
    Hardware "hardware" "the hardware, for a reason that it does not tell"
    /// Another GPU of its group.
    Group "sync_boost" "a slower GPU of its group"
    /// The driver does not say.
    Unknown "unknown" "the driver does not say"
}

/// What keeps a GPU from running faster, by its newest sample.
#[must_use]
pub fn slow_by(sample: &GpuSample) -> SlowBy {
    let Some(bits) = sample.throttle_reasons.value() else { return SlowBy::Unknown };
    let has = |bit: u32| bits & bit != 0;
    if has(bit::HW_THERMAL) {
        SlowBy::HardwareHeat
    } else if has(bit::SW_THERMAL) {
        SlowBy::DriverHeat
    } else if has(bit::POWER_BRAKE) {
        SlowBy::PowerBrake
    } else if has(bit::HW_SLOWDOWN) {
        SlowBy::Hardware
    } else if has(bit::IDLE) {
        SlowBy::Idle
    } else if sample.guarded {
        SlowBy::Guard
    } else if has(bit::POWER_CAP) {
        whose_cap(sample)
    } else if at_our_lock(sample) {
        SlowBy::OurClock
    } else if has(bit::CLOCKS_SETTING) {
        SlowBy::ForeignClocks
    } else if has(bit::SYNC_BOOST) {
        SlowBy::Group
    } else {
        SlowBy::Nothing
    }
}

/// Whose power limit is the lowest.
fn whose_cap(sample: &GpuSample) -> SlowBy {
    let (Some(enforced), Some(requested)) = (sample.limit_enforced.value(), sample.limit_requested.value())
    else {
        return SlowBy::Unknown;
    };
    let ours = sample.held_cap.is_some_and(|cap| cap <= requested + SAME);
    let below_default = sample.limit_default.is_some_and(|default| requested + SAME < default);
    if enforced + SAME < requested {
        SlowBy::OutsideCap
    } else if ours {
        SlowBy::OurCap
    } else if below_default {
        SlowBy::ForeignCap
    } else {
        SlowBy::OwnLimit
    }
}

fn at_our_lock(sample: &GpuSample) -> bool {
    sample.held_clock.zip(sample.sm_clock.value()).is_some_and(|(lock, clock)| clock + CLOCK_STEP >= lock)
}

/// One sentence for people about a GPU that is throttled or slow; `None` for one that is neither.
#[must_use]
pub fn sentence(sample: &GpuSample, decision: Option<&GpuDecision>, now: Millis) -> Option<String> {
    let slow = slow_by(sample);
    let rung = decision.filter(|decision| decision.rung.number() > 0);
    let slow_text = match slow {
        SlowBy::Nothing | SlowBy::Idle | SlowBy::Unknown => None,
        SlowBy::Guard
        | SlowBy::OurCap
        | SlowBy::OurClock
        | SlowBy::ForeignCap
        | SlowBy::OutsideCap
        | SlowBy::OwnLimit
        | SlowBy::ForeignClocks
        | SlowBy::DriverHeat
        | SlowBy::HardwareHeat
        | SlowBy::PowerBrake
        | SlowBy::Hardware
        | SlowBy::Group => Some(format!("slowed by {}", slow.text())),
    };
    let rung_text = rung.map(|decision| {
        format!(
            "on rung {} for {:.0} s ({}: {}), {}",
            decision.rung.number(),
            now.since(decision.since).as_secs_f32(),
            decision.leader.as_str(),
            decision.reason.as_str(),
            way_back(&decision.release),
        )
    });
    match (slow_text, rung_text) {
        (None, None) => None,
        (Some(only), None) | (None, Some(only)) => Some(only),
        (Some(slow), Some(rung)) => Some(format!("{slow}; {rung}")),
    }
}

/// What the way back waits for, for people.
fn way_back(release: &Release) -> String {
    match release {
        Release::Nothing => "nothing is held".to_owned(),
        Release::Margin { missing, held, needed } if missing.get() > 0.0 => format!(
            "back when the margin is {:.1} K wider for {:.0} s",
            missing.get(),
            needed.since(*held).as_secs_f32()
        ),
        Release::Margin { held, needed, .. } => {
            format!("back in {:.0} s if the margin stays", needed.since(*held).as_secs_f32())
        }
        Release::CoolingProof => "back when cooling is proven".to_owned(),
        Release::Ramp { to_go } => format!("coming back, {:.0} W to go", to_go.get()),
        Release::Budget => "back when the budget grows".to_owned(),
    }
}

/// What the way back waits for, as one stable word.
#[must_use]
pub const fn waits_for(release: &Release) -> &'static str {
    match release {
        Release::Nothing => "nothing",
        Release::Margin { .. } => "margin",
        Release::CoolingProof => "cooling_proof",
        Release::Ramp { .. } => "ramp",
        Release::Budget => "budget",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eisbach_protocol::gpu_link::Field;

    /// A busy GPU with limits in force, requested, and held by us.
    fn gpu(bits: u32, enforced: f32, requested: f32, held: Option<f32>) -> GpuSample {
        GpuSample {
            throttle_reasons: Field::fresh(bits),
            limit_enforced: Field::fresh(Watts::new(enforced)),
            limit_requested: Field::fresh(Watts::new(requested)),
            limit_default: Some(Watts::new(700.0)),
            held_cap: held.map(Watts::new),
            ..GpuSample::default()
        }
    }

    #[test]
    fn a_power_cap_is_told_with_its_owner() {
        assert_eq!(slow_by(&gpu(0x4, 300.0, 300.0, Some(300.0))), SlowBy::OurCap);
        assert_eq!(slow_by(&gpu(0x4, 500.0, 500.0, None)), SlowBy::ForeignCap);
        assert_eq!(slow_by(&gpu(0x4, 400.0, 700.0, None)), SlowBy::OutsideCap);
        assert_eq!(slow_by(&gpu(0x4, 250.0, 300.0, Some(300.0))), SlowBy::OutsideCap, "the lower one bites");
        assert_eq!(slow_by(&gpu(0x4, 700.0, 700.0, None)), SlowBy::OwnLimit);
    }

    #[test]
    fn heat_goes_before_power_and_power_before_clocks() {
        assert_eq!(slow_by(&gpu(0x4 | 0x20, 300.0, 300.0, Some(300.0))), SlowBy::DriverHeat);
        assert_eq!(slow_by(&gpu(0x4 | 0x8 | 0x40, 300.0, 300.0, None)), SlowBy::HardwareHeat);
        assert_eq!(slow_by(&gpu(0x8 | 0x80, 700.0, 700.0, None)), SlowBy::PowerBrake);
    }

    #[test]
    fn our_clock_lock_is_known_though_the_driver_has_no_word_for_it() {
        let locked = GpuSample {
            held_clock: Some(Megahertz::new(1485.0)),
            sm_clock: Field::fresh(Megahertz::new(1485.0)),
            ..gpu(0, 700.0, 700.0, None)
        };
        assert_eq!(slow_by(&locked), SlowBy::OurClock);
        assert_eq!(slow_by(&GpuSample { held_clock: None, ..locked }), SlowBy::Nothing);
    }

    #[test]
    fn a_guarded_gpu_says_so_and_a_silent_driver_is_unknown() {
        assert_eq!(
            slow_by(&GpuSample { guarded: true, ..gpu(0x4, 200.0, 200.0, Some(200.0)) }),
            SlowBy::Guard
        );
        assert_eq!(slow_by(&GpuSample::default()), SlowBy::Unknown);
        assert_eq!(slow_by(&gpu(0x1, 700.0, 700.0, None)), SlowBy::Idle);
    }
}
