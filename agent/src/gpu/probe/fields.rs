//! Field values that are looked at, and what they are called.

use std::ops::RangeInclusive;

/// Ids that are looked at, without a scope.
const RANGES: [RangeInclusive<u32>; 4] = [82..=82, 187..=196, 226..=230, 251..=273];
/// Power, averaged and at once: for the GPU, the module and the memory.
const SCOPED: [u32; 2] = [185, 186];
const SCOPES: RangeInclusive<u32> = 0..=2;

/// What the agent reads in one call: memory temperature, power at once, limit in force, limit requested.
pub(super) const BATCH: [(u32, u32); 4] = [(82, 0), (186, 0), (190, 0), (192, 0)];

/// Every field that is looked at: id and scope.
pub(super) fn all() -> impl Iterator<Item = (u32, u32)> {
    let plain = RANGES.into_iter().flatten().map(|id| (id, 0));
    let scoped = SCOPED.into_iter().flat_map(|id| SCOPES.map(move |scope| (id, scope)));
    plain.chain(scoped)
}

/// Name of a field. Those from 251 on changed places with driver 580.82 and have none here.
pub(super) const fn name(id: u32) -> &'static str {
    match id {
        82 => "memory temperature",
        185 => "power average",
        186 => "power instant",
        187 => "power limit min",
        188 => "power limit max",
        189 => "power limit default",
        190 => "power limit in force",
        191 => "energy",
        192 => "power limit requested",
        193 => "shutdown T.Limit",
        194 => "slowdown T.Limit",
        195 => "memory max T.Limit",
        196 => "core max T.Limit",
        226 => "reset status",
        227 => "drain and reset status",
        228 => "PCIe outbound atomics",
        229 => "PCIe inbound atomics",
        230 => "recovery action",
        _ => "",
    }
}

/// Name of a value type of the header.
pub(super) const fn type_name(value_type: u32) -> &'static str {
    match value_type {
        0 => "double",
        1 => "unsigned int",
        2 => "unsigned long",
        3 => "unsigned long long",
        4 => "signed long long",
        5 => "signed int",
        6 => "unsigned short",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_looked_at_once_and_power_in_every_scope() {
        let fields: Vec<_> = all().collect();
        let once: std::collections::BTreeSet<_> = fields.iter().collect();
        assert_eq!((fields.len(), once.len()), (45, 45));
        assert!(
            [(186, 0), (186, 1), (186, 2), (82, 0), (230, 0), (273, 0)]
                .iter()
                .all(|field| once.contains(field))
        );
    }
}
