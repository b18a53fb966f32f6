//! What the controller decides, and who decided it and why.

use eisbach_protocol::gpu_link::MAX_GPUS;
use eisbach_protocol::units::{Celsius, Kelvin, LitersPerMinute, Megahertz, Millis, Percent, Watts};
use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::alarm_book::Devices;
use crate::alarms::AlarmSet;
use crate::learned::Learned;
use crate::permit::RiverView;
use crate::remote::RemoteOutcome;
use crate::setpoint::SetPoints;
use crate::state::{Cause, StateName};

/// The outcome of one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Control state.
    pub state: StateName,
    /// What put the node into this state.
    pub leader: Leader,
    /// Why.
    pub reason: Reason,
    /// Highest rung in use anywhere on the node; what is asked of others is in `escalation`.
    pub rung: Rung,
    /// How much warmer the hottest GPU may get before the next rung; zero on the last one.
    pub next_rung_in: Kelvin,
    /// Whether the pump shall turn. `false` only on a leak.
    pub pump_run: bool,
    /// The drive shall forget an alarm whose cause may be gone. A pulse, now and then, while flow is lost.
    pub pump_reset: bool,
    /// Pump speed.
    pub pump: Output<Percent>,
    /// Recovery valve position.
    pub valve: Output<Percent>,
    /// One for each GPU of the snapshot, in its order.
    pub gpus: Vec<GpuDecision, MAX_GPUS>,
    /// Supply temperature aimed at.
    pub supply_target: Celsius,
    /// What the set-point layer chose.
    pub set_points: SetPoints,
    /// Heat to the river, and what the permit leaves.
    pub river: RiverView,
    /// Coolant flow asked for.
    pub flow_demand: LitersPerMinute,
    /// Power of all GPUs, silent ones at their limit.
    pub node_power: Watts,
    /// Smallest margin, silent GPUs extrapolated; absent while no GPU has ever been seen.
    pub hottest_margin: Option<Kelvin>,
    /// There is evidence that coolant carries the heat away.
    pub cooling_proven: bool,
    /// What is asked of others, because throttling is not enough.
    pub escalation: Escalation,
    /// What became of the orders from afar.
    pub remote: RemoteOutcome,
    /// Which alarms stand.
    pub alarms: AlarmSet,
    /// The actuators that are somewhere else than they were told.
    pub ignoring: Devices,
    /// What has been found out about the loop.
    pub learned: Learned,
}

/// Calls for help from outside, each with what caused it first. Requests only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// No new work for this node.
    pub drain: Option<Cause>,
    /// Work that runs stands still.
    pub freeze: Option<Cause>,
    /// Work that runs ends. Latched until a reset or a restart.
    pub stop: Option<Cause>,
}

impl Escalation {
    /// The highest rung asked for.
    #[must_use]
    pub const fn rung(&self) -> Option<Rung> {
        if self.stop.is_some() {
            Some(Rung::Stop)
        } else if self.freeze.is_some() {
            Some(Rung::Freeze)
        } else if self.drain.is_some() {
            Some(Rung::Drain)
        } else {
            None
        }
    }
}

/// An actuator's set-point with its author.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output<T> {
    /// The set-point; `None` leaves the actuator as it is.
    pub value: Option<T>,
    /// What dictates it.
    pub leader: Leader,
    /// Why.
    pub reason: Reason,
}

/// One GPU's limits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GpuDecision {
    /// Its rung.
    pub rung: Rung,
    /// When it came to this rung.
    pub since: Millis,
    /// Highest power; `None` takes our limit away.
    pub power_cap: Option<Watts>,
    /// Highest SM clock; `None` takes our lock away.
    pub clock_max: Option<Megahertz>,
    /// The low-power profile is wanted, where the device has one.
    pub low_power_profile: bool,
    /// Power comes back: smoothing of its rise is wanted, where the device has it.
    pub smoothing: bool,
    /// What dictates it.
    pub leader: Leader,
    /// Why.
    pub reason: Reason,
    /// What the way back waits for.
    pub release: Release,
    /// Its margin as control sees it: measured, or extrapolated while it is silent.
    pub margin: Option<Kelvin>,
}

impl GpuDecision {
    /// No limit at all.
    pub(crate) const fn free(margin: Option<Kelvin>) -> Self {
        Self {
            rung: Rung::Free,
            since: Millis::ZERO,
            power_cap: None,
            clock_max: None,
            low_power_profile: false,
            smoothing: false,
            leader: Leader::Normal,
            reason: Reason::Nothing,
            release: Release::Nothing,
            margin,
        }
    }
}

/// What a throttled GPU waits for before it gets something back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Release {
    /// Nothing is held.
    #[default]
    Nothing,
    /// Its margin must be wide enough for long enough.
    Margin {
        /// Kelvin that are missing; zero while it is wide enough.
        missing: Kelvin,
        /// How long it has been wide enough.
        held: Millis,
        /// How long it must be.
        needed: Millis,
    },
    /// Evidence that coolant carries the heat away.
    CoolingProof,
    /// Nothing more: power is coming back.
    Ramp {
        /// Up to the device's default.
        to_go: Watts,
    },
    /// A larger budget.
    Budget,
}

/// A step of the throttling ladder, lowest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Rung {
    /// Nothing is throttled or given up.
    #[default]
    Free,
    /// The pump gives all it has.
    MoreFlow,
    /// Heat recovery is given back to cooling.
    RecoveryBack,
    /// SM clocks are locked low, and the low-power profile is on where there is one.
    Soft,
    /// Power is capped.
    PowerCap,
    /// No new work for this node is asked for.
    Drain,
    /// Work that runs is asked to stand still.
    Freeze,
    /// Work that runs is asked to end.
    Stop,
}

impl Rung {
    /// Its number on every face.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Free => 0,
            Self::MoreFlow => 1,
            Self::RecoveryBack => 2,
            Self::Soft => 3,
            Self::PowerCap => 4,
            Self::Drain => 5,
            Self::Freeze => 6,
            Self::Stop => 7,
        }
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$item:meta])* $variant:ident => $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name { $($(#[$item])* $variant),+ }
        impl $name {
            /// Stable text for faces and logs.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

words! {
    /// The part of the controller that dictates an output.
    Leader {
        /// Start-up.
        Boot => "boot",
        /// Flow for the power drawn.
        FeedForward => "feed_forward",
        /// The hottest GPU's margin.
        MarginTrim => "margin_trim",
        /// The least flow that cold plates need.
        MinimumFlow => "minimum_flow",
        /// The supply temperature loop.
        SupplyLoop => "supply_loop",
        /// The condensation limit.
        DewPoint => "dew_point",
        /// Cooling goes before recovery.
        CoolingFirst => "cooling_first",
        /// The loss-of-flow guard.
        FlowGuard => "flow_guard",
        /// A GPU's temperature.
        Temperature => "temperature",
        /// A part that does not answer.
        SilentPart => "silent_part",
        /// The leak interlock.
        LeakInterlock => "leak_interlock",
        /// A budget that the node's GPUs share.
        Budget => "budget",
        /// The choice of supply and rise, each minute.
        SetPoints => "set_points",
        /// The permit to give heat to the river.
        Permit => "permit",
        /// An order from afar.
        Remote => "remote",
        /// The staged release after throttling.
        Release => "release",
        /// Ordinary operation.
        Normal => "normal",
    }
}

words! {
    /// Why an output is what it is.
    Reason {
        /// Nothing limits.
        Nothing => "nothing limits",
        /// Not all inputs have been seen yet.
        FirstReadings => "waiting for the first reading of every required input",
        /// Devices keep what they have until the first readings are in.
        HoldAtStart => "holding what the devices do while the first readings come in",
        /// Feed-forward.
        HeatLoad => "flow for the heat load",
        /// Trim.
        HottestGpu => "the hottest GPU is closer to its limit than wanted",
        /// Lower bound.
        PlateMinimum => "cold plates need a minimum flow",
        /// Supply loop.
        HoldSupply => "holding the supply temperature",
        /// Dew point floor.
        AboveDewPoint => "holding supply above the dew point",
        /// Dew point floor by assumption.
        DewPointAssumed => "dew point unknown, holding supply above the worst case",
        /// Recovery limited.
        MarginForCooling => "margins are small, heat goes to the river",
        /// A GPU is hot.
        GpuHot => "a GPU is close to slowdown",
        /// A GPU is at its limit.
        GpuAtLimit => "a GPU has reached slowdown",
        /// The driver's thermal bits.
        ThermalSlowdown => "the driver slows a GPU down for its heat",
        /// Cooling is at its limit.
        ThermalBudget => "the coolant carries no more heat than this",
        /// Power limits have a lower end.
        LowestLimits => "GPUs cannot be set lower than this",
        /// The facility's word.
        FacilityBudget => "the facility grants no more power than this",
        /// The network wants heat.
        HeatWanted => "hot and with little flow, because the network wants heat",
        /// The network wants none.
        LeastCost => "pump and leakage together draw least like this",
        /// The permit limits.
        RiverLimited => "the river may take no more heat than this",
        /// The permit will limit soon.
        RiverClosing => "the river may soon take less heat, and power comes down ahead of it",
        /// The permit forbids.
        RiverClosed => "the river may take no heat",
        /// There is no river.
        RiverDry => "the river has no water to take heat",
        /// By an order.
        RiverOrdered => "less heat for the river was ordered from afar",
        /// More flow by order.
        FlowOrdered => "more flow was ordered from afar",
        /// More cooling by order.
        CoolingOrdered => "less heat for recovery was ordered from afar",
        /// Set-point by order.
        SupplyOrdered => "this supply temperature was ordered from afar",
        /// The highest set-point.
        SupplyHighest => "supply may not be warmer than this",
        /// By hand.
        HeldByHand => "held by hand, by order from afar",
        /// Draining by order.
        DrainOrdered => "draining was ordered from afar",
        /// Isolation by order.
        IsolationOrdered => "isolation was ordered from afar, loop stopped",
        /// The GPU process has let go.
        GpusDetached => "the GPUs are detached and count as heating",
        /// A GPU does not answer.
        GpuSilent => "a GPU does not answer and counts as heating",
        /// The meter does not answer.
        MeterSilent => "flow and supply temperature are unknown",
        /// Supply is unknown.
        SupplyUnknown => "supply temperature is unknown",
        /// The drive does not turn.
        PumpStopped => "the pump does not turn as commanded",
        /// The drive is in alarm.
        PumpAlarm => "the pump's drive reports an alarm",
        /// Flow collapsed.
        FlowCollapsed => "flow is far below what the pump speed should give",
        /// Head collapsed.
        HeadCollapsed => "head is far below what the pump speed should give",
        /// Blocked.
        LoopBlocked => "head rose and flow fell: the loop is blocked",
        /// GPUs heat up.
        HeatingUp => "GPUs heat up while their power does not rise",
        /// Nothing is known.
        FlowUnknown => "neither pump nor meter answers and temperatures are not steady",
        /// Water.
        WaterFound => "water found, loop stopped",
        /// Water was found earlier.
        LeakLatched => "a leak was found, or isolation ordered, and has not been reset",
        /// Deep for long.
        DeepForLong => "a GPU has been at lowest power and clocks for long",
        /// Deep does not help.
        DeepInVain => "lowest power and clocks do not cool a GPU",
        /// No telemetry, no flow.
        BlindWithoutFlow => "no GPU tells its temperature and flow is not proven",
        /// Nothing helped.
        NothingHelped => "full cooling and minimum power did not help",
        /// Margin is back.
        GivingBack => "cooling is proven, limits are given back in steps",
        /// Held until cooling is proven.
        CoolingNotProven => "limits stay until cooling is proven",
    }
}
