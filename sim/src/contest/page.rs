//! The page `docs/control-results.md`: what was compared and how, the targets, the tables.

use core::fmt::Write as _;

use super::command::Fighter;
use super::course::Course;
use super::report;
use super::score::Score;
use super::year::Year;

const INTRODUCTION: &str = "\
Six ways to run pump and recovery valve of one node: the same plant, the same work, the same seed. All numbers are of the
simulated plant (`sim/src/plant`, an eight-H200 node on a pump and a CDU of its own), many of whose numbers are estimates: they
compare controllers, and forecast no bill.

## Who and how

* **fixed flow**: the pump stands where it gives 1.5 L/min per installed kW.
* **PI on ΔT**: the pump holds 10 K between supply and return.
* **PI on hottest GPU**: the pump holds the hottest core.
* **zone of PIDs**: after the documented behaviour of OpenBMC's phosphor-pid-control: a PID for each GPU's margin and one for
  the return, the largest wish counts, a fail-safe percentage while a sensor is missing.
* **ours, told nothing of the network**: the agent's controller with its default tuning, and nothing from the facility.
* **ours**: the same, told of river, heat demand, network temperature and date.
* **clairvoyant optimum**: no controller but a yardstick: for each minute the pump speed and supply temperature at which the
  plant at rest costs least, found by search with the plant's own equations, load known in advance. What depends on transients it
  does not tell. It may go as near as 5 K to slowdown, as nobody should who does not know the future. It stores no heat from one
  minute for the next: where the load stands still nobody undercuts it, where it jumps somebody may.

The first four bring no loop for the valve; they all have the same one, a PI that holds 35 °C supply, or dew point plus 2 K. Their
gains are the best of a grid over the same kinds of work with another seed (`--tune`): valve and PI on ΔT for the steadiest
supply and return (the valve's wear weighs too), the other two for the least cost, with no GPU within 5 K of slowdown.

**Cost** is in kilowatt-hours of electricity: pump, heat pump, leakage of the GPUs (it grows with temperature), and half a
kilowatt-hour for each kilowatt-hour of heat that the network wanted and did not get (heat at 0.10, electricity at 0.20 € per
kWh: estimates). PUE = (IT + pump) / IT: neither the building's pumps nor the heat pump count. ERF = recovered heat /
(IT + pump). WUE is zero: nothing evaporates, and what the river gives it gets back. The hour before each bout is not
counted. A GPU counts as throttled while it does less than 98 % of what it was asked, also where leakage only leaves its own
power limiter less.
";

const THE_YEAR: &str = "\
The year runs on the factory engine (one node, steps of a second, `sim/src/factory`) with the simulated river, weather, permit and
heat network, a node's share of a site of 1,250, and inference with day, night and weekend; the controller runs once a second. For
each hour the optimum gets the hour's mean load, river and demand, and the plant at rest. Hours in which nothing within the limits
carries all heat away, or in which ours held work back by more than a thousandth, are left out and counted. One more optimum
keeps the margin at which our pump's trim begins, in place of 5 K to slowdown: what it costs more is the price of that distance.
The rest of the gap is not taken apart further than its terms. Suspects: set-points that move slowly and only when it is worth
it, a model in the controller that is not the plant, loads that swing within the hour.
";

/// Least saving of pump energy against fixed flow, and largest part of the deviation of PI on ΔT.
const SAVING: f64 = 0.40;
const SIGMA_PART: f64 = 0.5;
/// Most that a year may cost more than the optimum.
const GAP: f64 = 0.05;

/// The page.
pub(super) fn document(scores: &[Score], year: Option<&Year>, command: &str) -> String {
    let mut text =
        format!("# Contest of controllers\n\nMade by `{command}`; not edited by hand.\n\n{INTRODUCTION}\n");
    text.push_str(&targets(scores, year));
    text.push_str("\n## Tables\n\n");
    text.push_str(&report::tables(scores));
    if let Some(year) = year {
        let _written = write!(text, "## A year\n\n{THE_YEAR}\n{}", report::of_year(year));
    }
    text
}

/// What was aimed at, and what came of it.
fn targets(scores: &[Score], year: Option<&Year>) -> String {
    let of = |course: Course, fighter: Fighter| {
        scores.iter().find(|score| score.workload == course.word() && score.controller == fighter.name())
    };
    let mut text = String::from("## Targets\n\n| what | aim | came to | met |\n|---|---|--:|---|\n");
    let mut row = |what: String, aim: &str, came: String, met: bool| {
        let met = if met { "yes" } else { "**no**" };
        // Writing into a text cannot fail.
        let _written = writeln!(text, "| {what} | {aim} | {came} | {met} |");
    };
    for course in Course::ALL {
        let pair = (of(course, Fighter::Fixed), of(course, Fighter::Ours));
        let (Some(fixed), Some(ours)) = pair else { continue };
        let word = course.word();
        if matches!(course, Course::Inference | Course::Square) {
            let saved = 1.0 - ours.pump_kwh / fixed.pump_kwh;
            let came = format!("{:.0} % less", 100.0 * saved);
            row(
                format!("pump energy against fixed flow, {word}"),
                "at least 40 % less",
                came,
                saved >= SAVING,
            );
            let close = ours.close_to_slowdown_s.unwrap_or(0.0);
            let came = format!("{close:.0} s, peak {:.1} °C", ours.peak_celsius);
            row(format!("GPUs within 5 K of slowdown, {word}"), "none", came, close <= 0.0);
        }
        if let Some(rise) = of(course, Fighter::Rise) {
            let part = ours.return_sigma / rise.return_sigma;
            let came = format!("{:.0} %", 100.0 * part);
            let what = format!("deviation of the return against PI on ΔT, {word}");
            row(what, "at most 50 %", came, part <= SIGMA_PART);
        }
    }
    if let Some(year) = year {
        let gap = year.gap();
        let came = format!("{:+.1} %", 100.0 * gap);
        row("cost of a year against the optimum".to_owned(), "at most 5 % more", came, gap <= GAP);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_its_command_and_marks_what_was_missed() {
        let year = Year { ours: Year::example(1.2), optimum: Year::example(1.0), ..Year::default() };
        let page = document(&[], Some(&year), "eisbach-sim bench control");
        assert!(page.contains("Made by `eisbach-sim bench control`"));
        assert!(
            page.contains("| cost of a year against the optimum | at most 5 % more | +20.0 % | **no** |"),
            "{page}"
        );
    }
}
