//! The one-shot way to safety.

use super::fake_slave::{Fault, once};
use super::*;
use crate::modbus::failsafe::{DEADLINE, FailsafeError, SafeWrite, drive_safe};

fn safe(device: &str, control: Control, value: f32) -> SafeWrite {
    SafeWrite { device: device.to_owned(), control, value }
}

#[tokio::test]
async fn i02_no_device_keeps_another_from_its_safe_state() {
    let pump = FakeSlave::start().await;
    let silent = FakeSlave::scheming(|_| Some(Fault::Silent)).await;
    let strange = FakeSlave::start().await;
    strange.device().registers.insert(29, 7);
    let devices = [
        settings("silent", &silent.address, bench()),
        settings("gone", "127.0.0.1:1", bench()),
        settings("strange", &strange.address, bench()),
        settings("pump", &pump.address, bench()),
    ];
    let writes = [
        safe("silent", Control::PumpSpeed, 100.0),
        safe("nowhere", Control::PumpSpeed, 100.0),
        safe("pump", Control::PumpSpeed, 100.0),
        safe("pump", Control::ValvePosition, 100.0),
        safe("pump", Control::PumpRun, 1.0),
        safe("gone", Control::PumpRun, 1.0),
        safe("strange", Control::PumpRun, 1.0),
        safe("pump", Control::PumpSpeed, 101.0),
    ];
    let outcomes = drive_safe(&devices, &writes, DEADLINE).await;
    for (outcome, write) in outcomes.iter().zip(&writes) {
        assert_eq!(&outcome.write, write, "in the order asked");
    }
    assert!(matches!(&outcomes[0].result, Err(FailsafeError::Late(cause)) if cause.contains("no answer")));
    assert_eq!(outcomes[1].result, Err(FailsafeError::UnknownDevice));
    assert_eq!(outcomes[2].result, Ok(()));
    assert_eq!(outcomes[3].result, Err(FailsafeError::UnknownControl));
    assert_eq!(outcomes[4].result, Ok(()));
    assert!(matches!(&outcomes[5].result, Err(FailsafeError::Late(cause)) if cause.contains("refused")));
    assert!(matches!(outcomes[6].result, Err(FailsafeError::Stranger(_))));
    assert_eq!(outcomes[7].result, Err(FailsafeError::OutOfRange));
    assert_eq!((pump.writes_to(103), pump.writes_to(100)), (vec![10_000], vec![3]));
    assert!(strange.device().log.iter().all(|asked| asked.function != 6));
}

#[tokio::test]
async fn a_write_that_fails_is_tried_again_until_it_is_proven() {
    for fault in [Fault::Echo, Fault::Forget, Fault::Reset, Fault::Silent, Fault::Exception(0x04)] {
        let pump =
            FakeSlave::scheming(once(fault, 1, |asked| asked.address == 103 && asked.function == 6)).await;
        let devices = [settings("pump", &pump.address, bench())];
        let writes = [safe("pump", Control::PumpSpeed, 100.0), safe("pump", Control::PumpRun, 1.0)];
        let outcomes = drive_safe(&devices, &writes, PATIENCE).await;
        assert!(outcomes.iter().all(|outcome| outcome.result == Ok(())), "{fault:?}: {outcomes:?}");
        assert_eq!(pump.writes_to(103), [10_000, 10_000], "{fault:?}");
        assert_eq!(pump.writes_to(100), [3], "what is proven is not written again");
    }
}
