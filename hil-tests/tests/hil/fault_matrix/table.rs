//! The table of results: printed, and kept in the documentation where that is asked for.

use std::fmt::Write as _;
use std::path::Path;

use eisbach_hil_tests::Line;

use super::bench::Column;
use super::faults::{FAULTS, On};

/// Set to write the table to `docs/reliability.md`.
const WRITE: &str = "EISBACH_WRITE_TABLE";
const BEGIN: &str = "<!-- fault matrix: begin -->\n";
const END: &str = "<!-- fault matrix: end -->";

/// The table, in Markdown.
pub(super) fn render(columns: &[((Line, On), Column)]) -> String {
    let of = |line, on| columns.iter().find(|(which, _)| *which == (line, on)).map(|(_, column)| column);
    let mut text = String::from(
        "| fault | wire | reads: outcome | sound again | writes: outcome | sound again | wrong values |\n\
         | --- | --- | --- | ---: | --- | ---: | ---: |\n",
    );
    for fault in FAULTS {
        for &line in fault.lines {
            let cell = |on| of(line, on).and_then(|column: &Column| column.cells.get(fault.words));
            let told = |on| {
                cell(on).map_or_else(
                    || ("–".to_owned(), "–".to_owned()),
                    |cell| (cell.outcome.clone(), cell.recovered()),
                )
            };
            let wrong: usize =
                [On::Reads, On::Writes].into_iter().filter_map(cell).map(|cell| cell.wrong).sum();
            let ((read, read_again), (write, write_again)) = (told(On::Reads), told(On::Writes));
            let _infallible = writeln!(
                text,
                "| `{}` | {} | {read} | {read_again} | {write} | {write_again} | {wrong} |",
                fault.words,
                line.as_str()
            );
        }
    }
    text.push('\n');
    for ((line, on), column) in columns {
        let _infallible = writeln!(text, "* {}, {on:?}: {}", line.as_str(), column.pace);
    }
    text
}

/// Writes it to where it is kept, if that is asked for.
pub(super) fn keep(table: &str) {
    if std::env::var_os(WRITE).is_none() {
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reliability.md");
    let document = std::fs::read_to_string(&path).expect("docs/reliability.md is there");
    let (before, rest) = document.split_once(BEGIN).expect("the place of the table is marked");
    let (_, after) = rest.split_once(END).expect("the end of the table is marked");
    std::fs::write(path, format!("{before}{BEGIN}{table}{END}{after}"))
        .expect("docs/reliability.md can be written");
}
