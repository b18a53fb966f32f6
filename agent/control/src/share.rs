//! A node's power, shared out among its GPUs.
//!
//! ```text
//!   budget ─► every GPU its lowest limit ─► the rest by margin, up to what each wants ─► the rest of the rest by
//!             (even if that is more)         (as water fills vessels: who is full       margin, up to the default
//!                                            leaves the others their part)
//! ```
//!
//! A GPU that is cooler than another has more of its cooling left, so it gets more of the power.

use eisbach_protocol::gpu_link::MAX_GPUS;
use eisbach_protocol::units::{Kelvin, Watts};
use heapless::Vec;

/// Margins count up to here: no GPU is so much cooler that it may starve the others (estimate).
const WIDEST: Kelvin = Kelvin::new(60.0);
/// Power below this is not worth another round, W.
const CRUMB: f32 = 0.01;

/// What one GPU brings to the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Claim {
    /// Lowest power limit, which it gets in any case.
    pub(crate) lowest: Watts,
    /// Default power limit, which it never gets more than.
    pub(crate) default: Watts,
    /// Distance to slowdown; none is taken for no distance.
    pub(crate) margin: Option<Kelvin>,
    /// What it could use.
    pub(crate) wants: Watts,
}

/// The power limit of each GPU, in the order of the claims.
///
/// The sum is at most `budget`, or the sum of the lowest limits if that is more. A budget that is no number is zero.
pub(crate) fn share(budget: Watts, claims: &[Claim]) -> Vec<Watts, MAX_GPUS> {
    let mut shares: Vec<Watts, MAX_GPUS> = claims.iter().map(|claim| claim.lowest).take(MAX_GPUS).collect();
    let given: f32 = shares.iter().map(|share| share.get()).sum();
    let left = budget.held(Watts::ZERO, Watts::new(f32::MAX)).get() - given;
    let left = fill(&mut shares, claims, left, |claim| claim.wants.held(claim.lowest, claim.default));
    fill(&mut shares, claims, left, |claim| claim.default);
    shares
}

/// Pours `left` in by margin, each share no higher than its brim; what did not fit.
fn fill(shares: &mut [Watts], claims: &[Claim], left: f32, brim: impl Fn(&Claim) -> Watts) -> f32 {
    let mut left = left;
    // Each round fills one share to its brim, or is the last.
    for _ in 0..MAX_GPUS {
        let open = |share: Watts, claim: &Claim| share < brim(claim);
        let all = shares.iter().zip(claims).filter(|(share, claim)| open(**share, claim));
        let (count, weights) = all.fold((0.0, 0.0), |(n, sum), (_, claim)| (n + 1.0, sum + weight(claim)));
        if left < CRUMB || count < 1.0 {
            break;
        }
        let mut poured = 0.0;
        for (share, claim) in shares.iter_mut().zip(claims) {
            if open(*share, claim) {
                // Where nobody has a margin all are equal.
                let part = if weights > 0.0 { weight(claim) / weights } else { 1.0 / count };
                let next = (*share + Watts::new(left * part)).smaller(brim(claim));
                poured += (next - *share).get();
                *share = next;
            }
        }
        left -= poured;
    }
    left
}

fn weight(claim: &Claim) -> f32 {
    claim.margin.map_or(0.0, |margin| margin.held(Kelvin::ZERO, WIDEST).get())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec as StdVec;

    const HALF: Claim = Claim {
        lowest: Watts::new(200.0),
        default: Watts::new(700.0),
        margin: Some(Kelvin::new(20.0)),
        wants: Watts::new(700.0),
    };

    fn shared(budget: f32, claims: &[Claim]) -> StdVec<f32> {
        share(Watts::new(budget), claims).iter().map(|watts| watts.get()).collect()
    }

    prop_compose! {
        fn claim()(lowest in 50.0..300.0_f32, above in 0.0..900.0_f32, margin in -30.0..90.0_f32, kind in 0..10_u8,
            wants in -100.0..1500.0_f32) -> Claim
        {
            let margin = match kind { 0 => None, 1 => Some(f32::NAN), 2 => Some(f32::INFINITY), _ => Some(margin) };
            let wants = if kind == 3 { f32::NAN } else { wants };
            Claim {
                lowest: Watts::new(lowest),
                default: Watts::new(lowest + above),
                margin: margin.map(Kelvin::new),
                wants: Watts::new(wants),
            }
        }
    }

    fn budget() -> impl Strategy<Value = f32> {
        prop_oneof![8 => -100.0..15_000.0_f32, 1 => Just(f32::NAN), 1 => Just(f32::INFINITY)]
    }

    proptest! {
        #[test]
        fn the_sum_is_within_the_budget_and_every_share_within_its_device(
            budget in budget(), claims in prop::collection::vec(claim(), 0..=MAX_GPUS)
        ) {
            let shares = shared(budget, &claims);
            let lowest: f32 = claims.iter().map(|claim| claim.lowest.get()).sum();
            let most = if budget > lowest { budget } else { lowest };
            prop_assert!(shares.iter().sum::<f32>() <= most + 0.1);
            for (share, claim) in shares.iter().zip(&claims) {
                prop_assert!((claim.lowest.get()..=claim.default.get()).contains(share), "{share} {claim:?}");
            }
        }

        #[test]
        fn a_wider_margin_never_gets_less(
            budget in budget(), claims in prop::collection::vec(claim(), 1..=MAX_GPUS), more in 0.0..50.0_f32
        ) {
            let mut cooler = claims.clone();
            cooler[0].margin = claims[0].margin.map(|margin| margin + Kelvin::new(more));
            prop_assert!(shared(budget, &cooler)[0] >= shared(budget, &claims)[0] - 0.1);
        }

        #[test]
        fn the_order_of_the_gpus_does_not_matter(
            budget in budget(), claims in prop::collection::vec(claim(), 1..=MAX_GPUS), by in 0..MAX_GPUS
        ) {
            let mut turned = claims.clone();
            let by = by % claims.len();
            turned.rotate_left(by);
            let mut expected = shared(budget, &claims);
            expected.rotate_left(by);
            for (share, expected) in shared(budget, &turned).iter().zip(expected) {
                prop_assert!((share - expected).abs() < 0.1, "{share} {expected}");
            }
        }
    }

    #[test]
    fn what_is_left_above_the_lowest_goes_by_margin() {
        let cooler = Claim { margin: Some(Kelvin::new(30.0)), ..HALF };
        assert_eq!(shared(900.0, &[HALF, cooler]), [400.0, 500.0]);
    }

    #[test]
    fn what_one_gpu_cannot_use_the_others_get() {
        let idle = Claim { wants: Watts::new(250.0), ..HALF };
        assert_eq!(shared(900.0, &[idle, HALF]), [250.0, 650.0]);
        assert_eq!(shared(1200.0, &[idle, HALF]), [500.0, 700.0], "and the rest goes back to it");
    }

    #[test]
    fn without_any_margin_all_are_equal() {
        let hot = Claim { margin: None, ..HALF };
        assert_eq!(shared(600.0, &[hot, hot]), [300.0, 300.0]);
    }

    #[test]
    fn a_budget_of_nothing_or_no_number_leaves_the_lowest_limits() {
        for budget in [0.0, -5000.0, f32::NAN] {
            assert_eq!(shared(budget, &[HALF, HALF]), [200.0, 200.0]);
        }
    }
}
