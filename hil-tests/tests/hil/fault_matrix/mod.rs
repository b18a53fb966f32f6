//! Every fault of the proxy, on every line, against reads and against writes.
//!
//! ```text
//!   agent ──► proxy ──► address-echo      one agent for each line and direction, all at the same time;
//!     │         ▲                         in each, one fault after the other:
//!     └─ status │
//!          ▼    └ fault ─► does what must happen happen? ─► clear ─► is all well again?
//!        looks: never a value that belongs to something else, and the cycle goes on
//! ```

mod bench;
mod faults;
mod table;

use std::thread;

use eisbach_hil_tests::Line;

use self::bench::Bench;
use self::faults::{FAULTS, On};

#[test]
fn i01_no_fault_of_any_wire_makes_a_wrong_value_and_each_is_told_and_survived() {
    let columns: Vec<_> = [Line::Tcp, Line::RtuOverTcp, Line::Rtu]
        .into_iter()
        .flat_map(|line| [(line, On::Reads), (line, On::Writes)])
        .collect();
    let results = thread::scope(|scope| {
        let started: Vec<_> =
            columns.iter().map(|&(line, on)| scope.spawn(move || Bench::start(line, on).run())).collect();
        started.into_iter().map(|column| column.join().expect("a column runs to its end")).collect::<Vec<_>>()
    });
    let columns: Vec<_> = columns.into_iter().zip(results).collect();
    let text = table::render(&columns);
    eprintln!("{text}");
    table::keep(&text);
    let wrong: Vec<_> = columns.iter().flat_map(|(_, column)| &column.complaints).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_fault_that_the_proxy_knows_is_in_the_matrix() {
    let bench = Bench::start(Line::Rtu, On::Reads);
    let tcp = Bench::start(Line::Tcp, On::Reads);
    for known in bench.faults().into_iter().chain(tcp.faults()) {
        assert!(FAULTS.iter().any(|fault| fault.name() == known), "{known} is not in the matrix");
    }
}
