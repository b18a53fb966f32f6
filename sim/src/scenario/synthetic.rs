//! A made-up load with the restlessness of a large machine: samples of 15 s, held; half of them unchanged; now and then a
//! jump of half the range.
//!
//! It is synthetic. Its numbers are those published of the heat of 25 cooling units of a large machine over a day
//! (`input_04-07-24.csv` of `HewlettPackard/sustain-lc`), as shares of the range: mean 0.48, 99 % of changes below 0.12,
//! 99.9 % below 0.24, the largest 0.54. The trace itself is not at hand.

use std::fmt::Write as _;

use crate::rng::Noise;

/// Time between samples, s.
const EVERY_S: u32 = 15;
/// Level to which it comes back.
const MEAN: f64 = 0.48;
/// Way back to the mean in one change.
const PULL: f64 = 0.02;
/// Share of samples in which nothing changes.
const UNCHANGED: f64 = 0.5;
/// Share of changes that are large, and their range.
const LARGE: (f64, f64, f64) = (0.016, 0.12, 0.24);
/// Deviation of all other changes.
const SMALL: f64 = 0.042;
/// The one jump of all: sign and size as published.
const JUMP: f64 = 0.54;

/// So many samples as CSV, with one jump in the middle.
#[must_use]
pub fn restless(samples: u32, seed: u64) -> String {
    let mut noise = Noise::new(seed);
    let mut level = MEAN;
    let mut text = format!(
        "# Synthetic, seed {seed}: made by sim/src/scenario/synthetic.rs with the statistics published of a large\n\
         # machine's cooling units, not measured. Held from line to line.\ntime_s,utilisation\n"
    );
    for sample in 0..samples {
        if sample == samples / 2 {
            level += if level < 0.5 { JUMP } else { -JUMP };
        } else if noise.unit() >= UNCHANGED {
            level += PULL * (MEAN - level) + change(&mut noise);
        }
        level = level.clamp(0.02, 1.0);
        let _infallible = writeln!(text, "{},{level:.3}", sample * EVERY_S);
    }
    text
}

fn change(noise: &mut Noise) -> f64 {
    let (share, low, high) = LARGE;
    if noise.unit() < share {
        let size = noise.between(low, high);
        if noise.unit() < 0.5 { size } else { -size }
    } else {
        SMALL * noise.normal()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Set to write the trace anew.
    const WRITE: &str = "EISBACH_WRITE_TABLE";

    fn levels(text: &str) -> Vec<f64> {
        let lines = text.lines().skip_while(|line| !line.starts_with("0,"));
        lines.map(|line| line.split_once(',').unwrap().1.parse().unwrap()).collect()
    }

    #[test]
    fn it_is_as_restless_as_the_machine_was() {
        let levels = levels(&restless(200_000, 4));
        let mut changes: Vec<f64> = levels.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
        let unchanged = changes.iter().filter(|change| **change < 5e-4).count();
        changes.sort_by(f64::total_cmp);
        let at = |share: usize| changes[changes.len() * share / 1000];
        let mean = levels.iter().sum::<f64>() / 200_000.0;
        assert!((mean - 0.48).abs() < 0.05, "{mean}");
        assert!((90_000..115_000).contains(&unchanged), "{unchanged}");
        assert!((0.10..0.14).contains(&at(990)), "{}", at(990));
        assert!((0.20..0.26).contains(&at(999)), "{}", at(999));
        assert!((changes.last().unwrap() - 0.54).abs() < 0.01);
    }

    #[test]
    fn the_scenarios_trace_is_what_the_generator_makes() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/s04-restless.csv");
        if std::env::var_os(WRITE).is_some() {
            std::fs::write(&file, restless(960, 4)).unwrap();
        }
        let kept = std::fs::read_to_string(&file).unwrap();
        assert_eq!(kept, restless(960, 4), "run with {WRITE}=1, and look at what has changed");
    }
}
