//! The table of results: made anew where that is asked for, and otherwise compared with the one in the documentation.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use eisbach_sim::plant::PlantParams;

use super::{Case, Outcome};

/// Set to write the table to `docs/safety.md`.
const WRITE: &str = "EISBACH_WRITE_TABLE";
const BEGIN: &str = "<!-- flow loss by GPU model: begin -->\n";
const END: &str = "<!-- flow loss by GPU model: end -->";

/// The table, in Markdown.
pub(super) fn render(outcomes: &[(Case, Outcome)]) -> String {
    let mut text = String::from(
        "| GPUs | plates hold | supply, hottest core before | detected, capped | idle power | hottest in 20 s | below shutdown \
         | slowdown, shutdown if flow stays away | with nobody at the controls |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    let seconds = |at: Option<f64>| at.map_or_else(|| "–".to_owned(), |at_s| format!("{at_s:.1} s"));
    let whole = |at: Option<f64>| at.map_or_else(|| "–".to_owned(), |at_s| format!("{at_s:.0} s"));
    for (case, outcome) in outcomes {
        let params = PlantParams::of(case.model);
        let _infallible = writeln!(
            text,
            "| {} × {} | × {:.1} | {:.0} °C, {:.0} °C | {}, {} | {} | {:.0} °C | {:.0} K | {}, {} | {}, {} |",
            params.sockets,
            case.model.word().to_uppercase(),
            case.mass,
            outcome.supply_celsius,
            outcome.before_celsius,
            seconds(outcome.detected_s),
            seconds(outcome.capped_s),
            seconds(outcome.idle_s),
            outcome.peak_celsius,
            params.gpu.shutdown_celsius - outcome.peak_celsius,
            whole(outcome.heat.slowdown_s),
            whole(outcome.heat.shutdown_s),
            whole(outcome.alone.slowdown_s),
            whole(outcome.alone.shutdown_s),
        );
    }
    text
}

/// Writes it to where it is kept, if that is asked for; otherwise what is kept there must be the same.
pub(super) fn keep_or_compare(table: &str) {
    let path = document();
    let document = std::fs::read_to_string(&path).expect("docs/safety.md is there");
    let (before, rest) = document.split_once(BEGIN).expect("the place of the table is marked");
    let (kept, after) = rest.split_once(END).expect("the end of the table is marked");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{table}{END}{after}"))
            .expect("docs/safety.md can be written");
    } else {
        assert_eq!(kept, table, "run with {WRITE}=1, and look at what has changed");
    }
}

fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/safety.md")
}
