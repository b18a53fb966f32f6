//! What an integration asks for, within guard rails. No I/O, no clock.
//!
//! ```text
//!   heartbeat ─► alive ──┐ silent for 30 s
//!                        ▼
//!   set-point request ─► held between min and max ─► walks at the rate ─► wish
//!                        └── silence, untrusted: walks back to our own, then no wish
//!   isolation request ─► configured? ─► wish, as long as it stands
//! ```
//!
//! The writer asks, the owner decides: what came of it is told by our own state and nowhere else.

use eisbach_protocol::units::{Celsius, Kelvin, Millis};

use super::words::Heard;

/// An integration whose heartbeat stands still for this is gone: three of its beats.
pub(super) const LOST: Millis = Millis::from_secs(30);
/// A request that is not repeated for this is over: twice the interval at which the contract has it repeated.
const OVER: Millis = Millis::from_secs(200);
/// A request older than this, or from so far ahead, is not of now, ms.
const AWAY_MS: u64 = 120_000;
/// Longest step of a set-point: it does not jump because nobody looked.
const LONGEST_STEP: Millis = Millis::from_secs(1);

/// The guard rails.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rails {
    /// Coldest supply that is asked of the loop.
    pub(super) min: Celsius,
    /// Warmest.
    pub(super) max: Celsius,
    /// How fast it moves, K/min.
    pub(super) kelvin_per_min: f32,
    /// Our own set-point, without anybody's wish.
    pub(super) own: Celsius,
    /// Whether the loop is stopped if somebody asks for it.
    pub(super) isolation: bool,
}

/// Why a request counts for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Refusal {
    /// Kept by the broker from an unknown time ago.
    Retained,
    /// Not a value as the contract writes it.
    Malformed,
    /// Not a point that anybody may write for us.
    Foreign,
    /// Its writer does not trust it, or it is no number.
    Untrusted,
    /// Not of now, or older than the one before.
    Old,
    /// Its writer's heartbeat is not heard.
    NoHeartbeat,
    /// The configuration does not allow it.
    SwitchedOff,
    /// No room for more points of that kind.
    Full,
}

impl Refusal {
    /// One stable word.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Retained => "retained",
            Self::Malformed => "malformed",
            Self::Foreign => "foreign",
            Self::Untrusted => "untrusted",
            Self::Old => "old",
            Self::NoHeartbeat => "no_heartbeat",
            Self::SwitchedOff => "switched_off",
            Self::Full => "full",
        }
    }
}

/// What is asked of the controller.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Wish {
    /// Supply temperature.
    pub(super) supply: Option<Celsius>,
    /// The loop shall stand still.
    pub(super) isolate: bool,
}

/// One request as it was heard last.
#[derive(Clone, Copy, Debug)]
struct Asked<T> {
    what: T,
    stamp_ms: u64,
    heard: Millis,
}

/// The requests of one integration.
#[derive(Debug)]
pub(super) struct Requests {
    rails: Rails,
    /// Its last heartbeat, and when that moved.
    beat: Option<(u64, Millis)>,
    supply: Option<Asked<Celsius>>,
    isolate: Option<Asked<bool>>,
    /// Where the set-point has walked to.
    at: Option<Celsius>,
    last: Option<Millis>,
}

impl Requests {
    /// Nobody asks for anything.
    pub(super) const fn new(rails: Rails) -> Self {
        Self { rails, beat: None, supply: None, isolate: None, at: None, last: None }
    }

    /// The integration's heartbeat. The same one again is no sign of life; any other is, for a clock that was ahead
    /// and has been set right must not end the integration for ever.
    pub(super) fn beat(&mut self, heard: &Heard, now: Millis) -> Result<u64, Refusal> {
        let beat = heard.good().filter(|beat| (0.0..1e15).contains(beat)).ok_or(Refusal::Untrusted)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "judged just above")]
        let beat = beat as u64;
        if self.beat.is_none_or(|(last, _)| beat != last) {
            self.beat = Some((beat, now));
        }
        Ok(beat)
    }

    /// Whether the integration is there.
    pub(super) fn is_alive(&self, now: Millis) -> bool {
        self.beat.is_some_and(|(_, at)| now.since(at) <= LOST)
    }

    /// A request for a supply temperature.
    pub(super) fn supply(&mut self, heard: &Heard, (now, wall_ms): (Millis, u64)) -> Result<(), Refusal> {
        let last = self.supply.map(|asked| asked.stamp_ms);
        let asked = self.judge(heard, last, (now, wall_ms));
        let asked = asked.inspect_err(|why| {
            if *why == Refusal::Untrusted {
                self.supply = None;
            }
        })?;
        #[expect(clippy::cast_possible_truncation, reason = "a temperature, to four digits")]
        let what = Celsius::new(asked as f32);
        self.supply = Some(Asked { what, stamp_ms: heard.timestamp, heard: now });
        Ok(())
    }

    /// A request for isolation: 1 is one, and anything else is none.
    pub(super) fn isolation(&mut self, heard: &Heard, (now, wall_ms): (Millis, u64)) -> Result<(), Refusal> {
        let last = self.isolate.map(|asked| asked.stamp_ms);
        let asked = self.judge(heard, last, (now, wall_ms));
        let asked = asked.inspect_err(|why| {
            if *why == Refusal::Untrusted {
                self.isolate = None;
            }
        })?;
        #[expect(clippy::float_cmp, reason = "states are whole numbers, and only this one stops a loop")]
        let what = asked == 1.0;
        if what && !self.rails.isolation {
            return Err(Refusal::SwitchedOff);
        }
        self.isolate = Some(Asked { what, stamp_ms: heard.timestamp, heard: now });
        Ok(())
    }

    /// What is asked of the controller now.
    pub(super) fn step(&mut self, now: Millis) -> Wish {
        let passed = self.last.map_or(Millis::ZERO, |last| now.since(last));
        let passed = if passed > LONGEST_STEP { LONGEST_STEP } else { passed };
        self.last = Some(now);
        let alive = self.is_alive(now);
        self.supply = self.supply.filter(|asked| alive && now.since(asked.heard) <= OVER);
        self.isolate = self.isolate.filter(|asked| alive && now.since(asked.heard) <= OVER);
        self.walk(passed);
        Wish { supply: self.at, isolate: self.isolate.is_some_and(|asked| asked.what) }
    }

    fn walk(&mut self, passed: Millis) {
        let Rails { min, max, own, kelvin_per_min, .. } = self.rails;
        let most = Kelvin::new(kelvin_per_min / 60.0 * passed.as_secs_f32());
        let goal = self.supply.map(|asked| asked.what.held(min, max));
        let from = match (self.at, goal) {
            (None, None) => return,
            (at, _) => at.unwrap_or(own),
        };
        let to = goal.unwrap_or(own);
        let at = to.held(from - most, from + most);
        self.at = if goal.is_none() && at == own { None } else { Some(at) };
    }

    fn judge(&self, heard: &Heard, last: Option<u64>, (now, wall_ms): (Millis, u64)) -> Result<f64, Refusal> {
        let asked = heard.good().ok_or(Refusal::Untrusted)?;
        let stamp = heard.timestamp;
        if stamp.abs_diff(wall_ms) > AWAY_MS || last.is_some_and(|last| stamp < last) {
            return Err(Refusal::Old);
        }
        if self.is_alive(now) { Ok(asked) } else { Err(Refusal::NoHeartbeat) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WALL: u64 = 1_790_000_000_000;

    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are whole numbers of f64")]
    fn wall(ms: u64) -> f64 {
        ms as f64
    }

    /// Requests of an integration that is alive, and the seconds since it came.
    struct Scene {
        requests: Requests,
        seconds: u64,
        beating: bool,
    }

    impl Scene {
        fn new(isolation: bool) -> Self {
            let c = Celsius::new;
            let rails = Rails { min: c(20.0), max: c(45.0), kelvin_per_min: 6.0, own: c(35.0), isolation };
            let mut scene = Self { requests: Requests::new(rails), seconds: 0, beating: true };
            scene.after(0);
            scene
        }

        fn heard(&self, value: f64, quality: i64) -> Heard {
            let stamp = WALL + self.seconds * 1000;
            Heard::read(format!(r#"{{"value":{value},"timestamp":{stamp},"quality":{quality}}}"#).as_bytes())
                .unwrap()
        }

        fn times(&self) -> (Millis, u64) {
            (Millis::from_secs(self.seconds), WALL + self.seconds * 1000)
        }

        fn supply(&mut self, value: f64) -> Result<(), Refusal> {
            let (heard, times) = (self.heard(value, 1), self.times());
            self.requests.supply(&heard, times)
        }

        fn isolation(&mut self, value: f64) -> Result<(), Refusal> {
            let (heard, times) = (self.heard(value, 1), self.times());
            self.requests.isolation(&heard, times)
        }

        fn after(&mut self, seconds: u64) -> Wish {
            let mut wish = Wish::default();
            for _ in 0..=seconds {
                if self.beating {
                    let beat = self.heard(wall(WALL + self.seconds * 1000), 1);
                    self.requests.beat(&beat, Millis::from_secs(self.seconds)).unwrap();
                }
                wish = self.requests.step(Millis::from_secs(self.seconds));
                self.seconds += 1;
            }
            self.seconds -= 1;
            wish
        }

        fn supply_after(&mut self, seconds: u64) -> Option<f32> {
            self.after(seconds).supply.map(|at| (at.get() * 10.0).round() / 10.0)
        }
    }

    #[test]
    fn a_set_point_walks_at_its_rate_from_our_own() {
        let mut scene = Scene::new(false);
        scene.supply(30.0).unwrap();
        assert_eq!([10, 10, 60].map(|s| scene.supply_after(s)), [Some(34.0), Some(33.0), Some(30.0)]);
    }

    #[test]
    fn a_set_point_beyond_the_rails_is_held_at_them() {
        let mut scene = Scene::new(false);
        scene.supply(80.0).unwrap();
        assert_eq!(scene.supply_after(190), Some(45.0));
        scene.supply(-5.0).unwrap();
        assert_eq!(scene.supply_after(199), Some(25.1), "on its way");
        scene.supply(-5.0).unwrap();
        assert_eq!(scene.supply_after(199), Some(20.0));
    }

    #[test]
    fn a_lost_heartbeat_walks_back_to_our_own() {
        let mut scene = Scene::new(false);
        scene.supply(30.0).unwrap();
        assert_eq!(scene.supply_after(60), Some(30.0));
        scene.beating = false;
        assert_eq!(scene.supply_after(30), Some(30.0));
        assert_eq!(scene.supply_after(10), Some(31.0));
        assert_eq!(scene.supply_after(60), None);
        assert_eq!(scene.supply(30.0), Err(Refusal::NoHeartbeat));
    }

    #[test]
    fn a_request_that_is_not_repeated_or_not_trusted_is_over() {
        let mut scene = Scene::new(false);
        scene.supply(34.0).unwrap();
        assert_eq!(scene.supply_after(200), Some(34.0));
        assert_eq!(scene.supply_after(60), None);
        scene.supply(34.0).unwrap();
        scene.after(20);
        let (untrusted, times) = (scene.heard(30.0, 0), scene.times());
        assert_eq!(scene.requests.supply(&untrusted, times), Err(Refusal::Untrusted));
        assert_eq!(scene.supply_after(60), None);
    }

    #[test]
    fn a_request_of_another_time_is_refused() {
        let mut scene = Scene::new(false);
        let early = scene.heard(30.0, 1);
        scene.after(121);
        let times = scene.times();
        assert_eq!(scene.requests.supply(&early, times), Err(Refusal::Old));
        scene.supply(30.0).unwrap();
        scene.seconds -= 1;
        assert_eq!(scene.supply(20.0), Err(Refusal::Old), "than the one before");
    }

    #[test]
    fn the_same_heartbeat_again_is_no_sign_of_life() {
        let mut scene = Scene::new(false);
        let same = scene.heard(wall(WALL), 1);
        scene.beating = false;
        for _ in 0..40 {
            scene.after(1);
            scene.requests.beat(&same, scene.times().0).unwrap();
        }
        assert!(!scene.requests.is_alive(scene.times().0));
    }

    #[test]
    fn a_heartbeat_from_the_far_future_is_no_end_of_the_next_ones() {
        let mut scene = Scene::new(false);
        let ahead = scene.heard(9e14, 1);
        scene.requests.beat(&ahead, scene.times().0).unwrap();
        scene.after(60);
        assert!(scene.requests.is_alive(scene.times().0));
    }

    #[test]
    fn isolation_is_obeyed_only_where_it_is_allowed_and_asked_for_with_a_one() {
        let mut scene = Scene::new(false);
        assert_eq!(scene.isolation(1.0), Err(Refusal::SwitchedOff));
        assert!(!scene.after(1).isolate);
        let mut scene = Scene::new(true);
        for none in [0.0, -1.0, 2.0, 0.999] {
            scene.isolation(none).unwrap();
            assert!(!scene.after(1).isolate, "{none}");
        }
        scene.isolation(1.0).unwrap();
        assert!(scene.after(1).isolate);
        scene.isolation(0.0).unwrap();
        assert!(!scene.after(1).isolate);
    }

    proptest! {
        #[test]
        fn whatever_is_asked_the_wish_stays_between_the_rails_and_moves_no_faster(
            asked in proptest::collection::vec((any::<f64>(), -1_i64..3, 0_u64..90, any::<bool>()), 1..20),
        ) {
            let mut scene = Scene::new(true);
            let mut before = 35.0;
            for (value, quality, seconds, beating) in asked {
                scene.beating = beating;
                let value = if value.is_finite() { value } else { 1e300 };
                let (heard, times) = (scene.heard(value, quality), scene.times());
                let _ = scene.requests.supply(&heard, times);
                for _ in 0..seconds {
                    scene.seconds += 1;
                    let at = scene.after(0).supply.map_or(35.0, Celsius::get);
                    prop_assert!((20.0..=45.0).contains(&at));
                    prop_assert!((at - before).abs() <= 0.101);
                    before = at;
                }
            }
        }
    }
}
