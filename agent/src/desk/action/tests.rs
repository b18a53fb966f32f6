//! Actions and their parameters.

use super::*;
use eisbach_protocol::catalogue::{Kind, POINTS};

#[test]
fn i04_every_number_that_a_host_may_write_goes_in_a_safe_direction() {
    for def in POINTS.iter().filter(|def| def.writable && def.kind != Kind::Text) {
        for value in [def.low, def.high] {
            let action = plain(def.id, value).unwrap();
            assert_eq!(action.direction(&Tuning::default()), Direction::Safe, "{}", def.name);
        }
    }
    assert!(PLAIN.iter().all(|(id, _)| POINTS.iter().any(|def| def.id == *id && def.writable)));
}
