//! Alarms about the way to the facility: nobody hears us, or soon will not.

use eisbach_protocol::alarm::Alarm;

use crate::facility::{CertificateState, FacilityState, FacilityStatus};
use crate::report::Cycle;

/// A certificate that ends within this is to be renewed: two weeks, as a person needs them.
const RENEW_WITHIN_MS: u64 = 14 * 24 * 3600 * 1000;

/// Sets every alarm of this file to how things stand.
pub fn tell(cycle: &mut Cycle, wall_ms: u64) {
    let unheard = cycle.facility.iter().any(|status| status.state != FacilityState::Birthed);
    let certificates = cycle.facility.iter().any(|status| ails(status, wall_ms));
    cycle.set_alarm(Alarm::FacilityUnreachable, unheard);
    cycle.set_alarm(Alarm::CertificateTrouble, certificates);
}

fn ails(status: &FacilityStatus, wall_ms: u64) -> bool {
    // An end that cannot be read may be near.
    let ends =
        status.certificates.expires_ms.is_none_or(|ends| ends < wall_ms.saturating_add(RENEW_WITHIN_MS));
    match status.certificates.state {
        CertificateState::NotUsed => false,
        CertificateState::Good => ends,
        CertificateState::Unusable => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facility::{CertificateStatus, FacilityCounters};

    fn alarms(state: CertificateState, expires_ms: Option<u64>) -> bool {
        let status = FacilityStatus {
            section: "facility",
            state: FacilityState::Birthed,
            certificates: CertificateStatus { state, expires_ms },
            counters: FacilityCounters::default(),
        };
        let mut cycle = Cycle { facility: vec![status], ..Cycle::default() };
        tell(&mut cycle, 1000);
        assert!(!cycle.alarm(Alarm::FacilityUnreachable));
        cycle.alarm(Alarm::CertificateTrouble)
    }

    #[test]
    fn a_certificate_that_ends_soon_or_cannot_be_used_is_an_alarm() {
        assert!(!alarms(CertificateState::NotUsed, None));
        assert!(!alarms(CertificateState::Good, Some(1000 + RENEW_WITHIN_MS)));
        assert!(alarms(CertificateState::Good, Some(999 + RENEW_WITHIN_MS)));
        assert!(alarms(CertificateState::Good, Some(0)), "it has ended");
        assert!(alarms(CertificateState::Good, None), "nobody knows when it ends");
        assert!(alarms(CertificateState::Unusable, Some(u64::MAX)));
    }
}
