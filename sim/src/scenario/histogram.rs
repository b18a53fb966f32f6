//! Distributions as a drawing: one histogram for each case, all on the same scale.

use super::montecarlo::{Distribution, Findings};
use super::svg::{Anchor, Svg, ticks};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 60.0;
const ROW: f64 = 74.0;
const BARS: f64 = 46.0;
/// Width of a bar, K.
const BIN: f64 = 0.5;

const INK: &str = "#222";
const BAR: &str = "#0072b2";
const LIMIT: &str = "#d55e00";

/// Draws the smallest margins of all nodes, a row for each case.
#[must_use]
pub fn histograms(found: &Findings) -> String {
    let most = found.margins.iter().map(|case| case.greatest).fold(10.0, f64::max);
    let least = found.margins.iter().map(|case| case.least.min(case.limit)).fold(0.0, f64::min);
    let (low, high) = ((least / 5.0).floor() * 5.0, (most / 5.0).floor() * 5.0 + 5.0);
    let x = |kelvin: f64| LEFT + (WIDTH - LEFT - RIGHT) * (kelvin - low) / (high - low);
    let rows = found.margins.iter().fold(0.0, |rows, _| rows + 1.0);
    let bottom = TOP + rows * ROW;
    let mut svg = Svg::new(WIDTH, bottom + 44.0);
    let title =
        format!("Smallest distance of the hottest core below slowdown: {} nodes, none as drawn", found.seeds);
    svg.text((LEFT, 24.0), Anchor::Start, 16, INK, &title);
    for tick in ticks(low, high, 10.0) {
        svg.line((x(tick), TOP - 14.0), (x(tick), bottom), "#e4e4e4", "");
        svg.text((x(tick), bottom + 16.0), Anchor::Middle, 11, INK, &format!("{tick}"));
    }
    svg.text((WIDTH - RIGHT, bottom + 34.0), Anchor::End, 11, INK, "K below slowdown");
    let mut top = TOP;
    for case in &found.margins {
        row(&mut svg, case, top, (low, high), x);
        top += ROW;
    }
    svg.finish()
}

fn row(svg: &mut Svg, case: &Distribution, top: f64, (low, high): (f64, f64), x: impl Fn(f64) -> f64) {
    let base = top + ROW - 12.0;
    let mut bins = Vec::new();
    let mut from = low;
    while from < high {
        let inside = case.values.iter().filter(|value| (from..from + BIN).contains(*value));
        bins.push((from, inside.fold(0.0, |count, _| count + 1.0)));
        from += BIN;
    }
    let tallest = bins.iter().map(|(_, count)| *count).fold(1.0, f64::max);
    for (from, count) in bins.iter().filter(|(_, count)| *count > 0.0) {
        let height = (BARS * count / tallest).max(1.0);
        svg.rect((x(*from), base - height), (x(from + BIN) - x(*from) - 0.5, height), BAR);
    }
    svg.line((LEFT, base), (WIDTH - RIGHT, base), INK, "");
    svg.line((x(case.limit), base - BARS), (x(case.limit), base), LIMIT, "4 3");
    svg.text((LEFT - 8.0, base), Anchor::End, 12, INK, &case.case);
    let told = format!("{} (least {:.1} K, limit {} K)", case.title, case.least, case.limit);
    svg.text((LEFT + 4.0, base - BARS - 2.0), Anchor::Start, 11, INK, &told);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_is_in_a_bar() {
        let case = Distribution {
            case: "s01".to_owned(),
            title: "Step".to_owned(),
            limit: 2.0,
            least: 3.2,
            one_percent: 3.2,
            median: 9.9,
            greatest: 20.0,
            values: vec![3.2, 9.9, 20.0],
        };
        let svg = histograms(&Findings { seeds: 3, broken: Vec::new(), margins: vec![case] });
        assert_eq!(svg.matches(BAR).count(), 3);
        assert!(svg.contains("least 3.2 K"));
    }
}
