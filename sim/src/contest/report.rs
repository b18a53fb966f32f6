//! Tables that people read.

use core::fmt::Write as _;

use super::course::Course;
use super::optimum::Cost;
use super::score::Score;
use super::year::Year;

/// A column: its head, and its cell.
type Column = (&'static str, fn(&Score) -> String);

const HEAT: &[Column] = &[
    ("peak °C", |score| format!("{:.1}", score.peak_celsius)),
    ("99.9 % °C", |score| or_none(score.celsius_999, 1)),
    ("s at slowdown", |score| or_none(score.above_slowdown_s, 0)),
    ("s within 5 K", |score| or_none(score.close_to_slowdown_s, 0)),
    ("throttled GPU-s", |score| or_none(score.throttled_gpu_s, 0)),
    ("return °C", |score| format!("{:.1} ± {:.2}", score.return_celsius, score.return_sigma)),
    ("supply °C", |score| format!("{:.1} ± {:.2}", score.supply_celsius, score.supply_sigma)),
    ("valve strokes", |score| or_none(score.valve_strokes, 1)),
    ("pump starts", |score| or_none(score.pump_starts.map(f64::from), 0)),
];

const ENERGY: &[Column] = &[
    ("pump kWh", |score| format!("{:.3}", score.pump_kwh)),
    ("pump / IT", |score| format!("{:.2} %", 100.0 * score.pump_kwh / score.it_kwh)),
    ("heat delivered kWh", |score| format!("{:.1}", score.delivered_kwh)),
    ("heat pump kWh", |score| format!("{:.2}", score.heat_pump_kwh)),
    ("leakage kWh", |score| format!("{:.2}", score.leakage_kwh)),
    ("not delivered kWh", |score| format!("{:.1}", (score.demanded_kwh - score.delivered_kwh).max(0.0))),
    ("cost kWh", |score| format!("{:.2}", score.total_cost_kwh)),
    ("permit min", |score| format!("{:.0}", score.permit_minutes)),
    ("PUE", |score| format!("{:.4}", score.pue)),
    ("ERF", |score| format!("{:.3}", score.erf)),
    ("WUE L/kWh", |score| format!("{:.0}", score.wue)),
];

/// What is not told of a state at rest.
fn or_none(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}

/// The scores, course by course.
pub(super) fn tables(scores: &[Score]) -> String {
    let mut text = String::new();
    for course in Course::ALL {
        let of: Vec<&Score> = scores.iter().filter(|score| score.workload == course.word()).collect();
        // Writing into a text cannot fail.
        let _written = write!(text, "### {}\n\n", course.word());
        text.push_str(&table(&of, HEAT));
        text.push('\n');
        text.push_str(&table(&of, ENERGY));
        text.push('\n');
    }
    text
}

/// Term by term.
fn difference(one: &Cost, other: &Cost) -> Cost {
    let mut difference = *one;
    difference.add(other, -1.0);
    difference
}

/// The year, term by term.
pub(super) fn of_year(year: &Year) -> String {
    let mut text = String::new();
    let _written = write!(
        text,
        "{} hours compared, {} left out (of them {} with GPUs held back, {:.1} GPU-hours). Hottest core \
         {:.1} °C, permit broken for {:.0} min, {:.0} of them in hours whose work could have been cooled within it.\n\n| kWh of electricity | pump | heat pump | leakage | not delivered, \
         weighed | total | over optimum | heat delivered kWh |\n|---|--:|--:|--:|--:|--:|--:|--:|\n",
        year.hours,
        year.hours_left_out,
        year.hours_throttled,
        year.throttled_gpu_hours,
        year.peak_celsius,
        year.permit_minutes,
        year.permit_minutes_avoidable
    );
    let over = |cost: &Cost| format!("{:+.2} %", 100.0 * (cost.total() / year.optimum.total() - 1.0));
    let more = difference(&year.ours, &year.optimum);
    let [by_ours, by_optimum, wanted] = year.delivered_kwh;
    let rows = [
        ("ours", &year.ours, over(&year.ours), Some(by_ours)),
        ("optimum", &year.optimum, over(&year.optimum), Some(by_optimum)),
        ("ours more than the optimum", &more, String::new(), Some(by_ours - by_optimum)),
        ("optimum that keeps our distance to slowdown", &year.careful, over(&year.careful), None),
    ];
    for (name, cost, over, delivered) in rows {
        let _written = writeln!(
            text,
            "| {name} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {over} | {} |",
            cost.pump,
            cost.heat_pump,
            cost.leakage,
            cost.undelivered,
            cost.total(),
            or_none(delivered, 0)
        );
    }
    let _written =
        writeln!(text, "\nHeat wanted: {wanted:.0} kWh; electricity of the node: {:.0} kWh.", year.it_kwh);
    text
}

fn table(scores: &[&Score], columns: &[Column]) -> String {
    let mut text = String::from("| controller |");
    for (head, _) in columns {
        let _written = write!(text, " {head} |");
    }
    text.push_str("\n|---|");
    text.push_str(&"--:|".repeat(columns.len()));
    text.push('\n');
    for score in scores {
        let _written = write!(text, "| {} |", score.controller);
        for (_, cell) in columns {
            let _written = write!(text, " {} |", cell(score));
        }
        text.push('\n');
    }
    text
}
