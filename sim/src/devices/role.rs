//! What the holder of a client certificate may do, by the Modbus/TCP Security protocol specification V2.1.
//!
//! ```text
//!   certificate ──► extension 1.3.6.1.4.1.50316.802.1 ──► UTF8String ──► Role ──► function allowed? ──no──► 01
//! ```
//!
//! The specification defines the extension and leaves the roles to the vendor; these two are ours.

use x509_parser::asn1_rs::{FromDer as _, Utf8String, oid};
use x509_parser::certificate::X509Certificate;

/// Role of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Reads and writes.
    Operator,
    /// Reads.
    Observer,
    /// Nothing: the certificate names no role, or none of these.
    Nobody,
}

impl Role {
    /// The role that a certificate (DER) names.
    pub(crate) fn of(certificate: &[u8]) -> Self {
        match name(certificate).as_deref() {
            Some("operator") => Self::Operator,
            Some("observer") => Self::Observer,
            Some(_) | None => Self::Nobody,
        }
    }

    /// May it use this function?
    pub(crate) const fn may(self, function: u8) -> bool {
        match self {
            Self::Operator => true,
            Self::Observer => matches!(function, 1..=4),
            Self::Nobody => false,
        }
    }
}

fn name(certificate: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    // A certificate with two roles has none.
    let extension = certificate.get_extension_unique(&oid!(1.3.6.1.4.1.50316.802.1)).ok()??;
    let (rest, role) = Utf8String::from_der(extension.value).ok()?;
    rest.is_empty().then(|| role.string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observer_reads_and_an_operator_does_everything() {
        for (function, observer) in
            [(1, true), (3, true), (4, true), (5, false), (6, false), (16, false), (23, false)]
        {
            assert_eq!(Role::Observer.may(function), observer, "function {function}");
            assert!(Role::Operator.may(function) && !Role::Nobody.may(function));
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_role() {
        assert_eq!(Role::of(b"no certificate"), Role::Nobody);
    }
}
