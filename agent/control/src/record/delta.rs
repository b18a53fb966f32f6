//! What differs between two steps that resemble each other.
//!
//! ```text
//!   before  a b c d e f g h i        op: copy n · skip s and add k (one byte, half each) · k bytes
//!   now     a b X d e f g Y Z i
//!           copy 2, skip 1, add X · copy 4, skip 1, add Y Z · copy 1
//! ```
//!
//! Steps of a tenth of a second differ in a few numbers, most of them in place; only the age of a reading, a number of
//! varying length, moves what follows. So a difference is looked for close by, never over the whole step.

/// Most bytes that one op skips or adds: half a byte tells it.
const NEAR: usize = 15;
/// So many bytes must agree before the two count as in step again.
const AGREE: usize = 3;

/// Writes what makes `now` of `before`. Its length, unless `out` is too short for it.
pub(super) fn encode(before: &[u8], now: &[u8], out: &mut [u8]) -> Option<usize> {
    let (mut before, mut now, mut used) = (before, now, 0);
    while !now.is_empty() {
        let same = common(before, now);
        (before, now) = (after(before, same), after(now, same));
        let (skip, add) = apart(before, now);
        used += varint(same, out.get_mut(used..)?)?;
        *out.get_mut(used)? = u8::try_from(skip << 4 | add).ok()?;
        used += 1;
        out.get_mut(used..used + add)?.copy_from_slice(now.get(..add)?);
        used += add;
        (before, now) = (after(before, skip), after(now, add));
    }
    Some(used)
}

/// Makes of `before` what `delta` says. Its length, unless the two do not fit or `out` is too short.
pub(super) fn apply(before: &[u8], delta: &[u8], out: &mut [u8]) -> Option<usize> {
    let (mut before, mut delta, mut used) = (before, delta, 0_usize);
    while !delta.is_empty() {
        let (same, rest) = unvarint(delta)?;
        out.get_mut(used..used.checked_add(same)?)?.copy_from_slice(before.get(..same)?);
        used += same;
        let (halves, rest) = rest.split_first()?;
        let (skip, add) = (usize::from(halves >> 4), usize::from(halves & 0xF));
        let (added, rest) = rest.split_at_checked(add)?;
        out.get_mut(used..used + add)?.copy_from_slice(added);
        used += add;
        (before, delta) = (before.get(same.checked_add(skip)?..)?, rest);
    }
    Some(used)
}

/// How far two that differ here are to be moved until they agree: bytes to skip of the one, bytes to add of the other.
fn apart(before: &[u8], now: &[u8]) -> (usize, usize) {
    let again = |&(skip, add): &(usize, usize)| {
        let rest = after(now, add);
        common(after(before, skip), rest) >= AGREE.min(rest.len())
    };
    let within = |&(skip, add): &(usize, usize)| skip <= before.len() && add <= now.len();
    // In place first: most numbers keep their length.
    let near = (0..=NEAR).flat_map(|far| {
        core::iter::once((far, far)).chain((0..far).flat_map(move |less| [(less, far), (far, less)]))
    });
    let nothing_near = || (before.len().min(NEAR), now.len().min(NEAR));
    near.filter(within).find(again).unwrap_or_else(nothing_near)
}

fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

fn after(bytes: &[u8], count: usize) -> &[u8] {
    bytes.get(count..).unwrap_or_default()
}

/// Seven bits a byte, lowest first; the highest bit says that more follow.
fn varint(mut number: usize, out: &mut [u8]) -> Option<usize> {
    let mut used = 0;
    loop {
        let low = u8::try_from(number & 0x7F).ok()?;
        number >>= 7;
        *out.get_mut(used)? = if number == 0 { low } else { low | 0x80 };
        used += 1;
        if number == 0 {
            return Some(used);
        }
    }
}

fn unvarint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut number = 0_usize;
    for (index, byte) in bytes.iter().enumerate().take(4) {
        number |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((number, after(bytes, index + 1)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn both_ways(before: &[u8], now: &[u8]) -> (Vec<u8>, usize) {
        let (mut delta, mut back) = ([0; 8192], [0; 2048]);
        let length = encode(before, now, &mut delta).unwrap();
        let made = apply(before, &delta[..length], &mut back).unwrap();
        (back[..made].to_vec(), length)
    }

    #[test]
    fn a_number_that_changes_in_place_costs_its_bytes_and_two() {
        let before: Vec<u8> = (0..100).collect();
        let mut now = before.clone();
        now[40] = 200;
        now[41] = 201;
        let (back, length) = both_ways(&before, &now);
        // One op more copies what is left.
        assert_eq!((back, length), (now, 2 + 2 + 2));
    }

    #[test]
    fn a_number_that_grows_moves_nothing_behind_it() {
        let before: Vec<u8> = (0..100).collect();
        let mut now = before.clone();
        now[40] = 0x80;
        now.insert(41, 1);
        let (back, length) = both_ways(&before, &now);
        assert_eq!((back, length), (now, 2 + 2 + 2));
    }

    proptest! {
        #[test]
        fn what_was_encoded_comes_back(
            before in vec(0_u8..4, 0..600),
            edits in vec((any::<prop::sample::Index>(), 0_usize..40, vec(any::<u8>(), 0..40)), 0..6),
        ) {
            let mut now = before.clone();
            for (place, cut, fresh) in edits {
                let from = place.index(now.len() + 1);
                let to = (from + cut).min(now.len());
                now.splice(from..to, fresh);
            }
            prop_assert_eq!(both_ways(&before, &now).0, now);
        }

        #[test]
        fn any_bytes_are_refused_or_make_something_within_bounds(
            before in vec(any::<u8>(), 0..40),
            delta in vec(any::<u8>(), 0..40),
        ) {
            let mut out = [0; 64];
            if let Some(made) = apply(&before, &delta, &mut out) {
                prop_assert!(made <= out.len());
            }
        }
    }
}
