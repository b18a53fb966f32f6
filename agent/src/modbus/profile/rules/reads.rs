//! What is read together: atomic groups that fit into one read, and a sentinel in every read of a device that
//! fills up with zeros.

use eisbach_protocol::registers::{Point, Profile};

use super::{Flaw, ensure};

pub(super) fn check(profile: &Profile) -> Result<(), Flaw> {
    for (at, point) in profile.points.iter().enumerate() {
        if let Some(group) = point.atomic.as_deref() {
            self::group(at, point, group, profile)?;
        }
    }
    if profile.link.zero_fills { sentinels(profile) } else { Ok(()) }
}

/// Whether the point at `at` can be read in one request with the others of its group.
fn group(at: usize, point: &Point, group: &str, profile: &Profile) -> Result<(), Flaw> {
    let refuse = |sound, mend| ensure(sound, format!("points[{at}].atomic"), group, mend);
    let members = || profile.points.iter().filter(|other| other.atomic.as_deref() == Some(group));
    refuse(members().count() > 1, "stands alone; give another point the same word, or remove it")?;
    let like = members()
        .all(|other| (other.table, other.poll, other.slotted) == (point.table, point.poll, point.slotted));
    refuse(like, "must have one table, one poll class, and be slotted as a whole or not at all")?;
    let first = members().map(|other| u32::from(other.address)).min().unwrap_or_default();
    let end = members().map(end).max().unwrap_or_default();
    refuse(end - first <= u32::from(profile.link.max_words), "reaches over more registers than max_words")?;
    let touching = runs(members().collect()).count() == 1;
    refuse(touching || !profile.link.zero_fills, "has a gap, which this device would fill with zeros")
}

/// Reads never bridge a gap here, so each run of touching points is a read of its own, and long runs are several.
fn sentinels(profile: &Profile) -> Result<(), Flaw> {
    let mut points: Vec<&Point> = profile.points.iter().collect();
    points.sort_by_key(|point| (point.table as u8, point.poll as u8, point.address));
    let reads = points
        .chunk_by(|one, other| (one.table, one.poll) == (other.table, other.poll))
        .flat_map(|alike| runs(alike.to_vec()))
        .flat_map(|run| cut(&run, profile.link.max_words));
    for read in reads {
        let first = read.first().map(|point| point.address);
        ensure(
            read.iter().any(|point| point.sentinel),
            "link.zero_fills",
            true,
            "needs a point with `sentinel = true` in every read",
        )
        .map_err(|flaw| Flaw {
            value: format!("{} (read at {})", flaw.value, first.unwrap_or_default()),
            ..flaw
        })?;
    }
    Ok(())
}

/// `points` of one table, by runs without a gap.
fn runs(mut points: Vec<&Point>) -> impl Iterator<Item = Vec<&Point>> {
    points.sort_by_key(|point| point.address);
    let mut runs: Vec<Vec<&Point>> = Vec::new();
    let mut reached = 0;
    for point in points {
        match runs.last_mut().filter(|_| u32::from(point.address) <= reached) {
            Some(run) => run.push(point),
            None => runs.push(vec![point]),
        }
        reached = end(point).max(reached);
    }
    runs.into_iter()
}

/// `run` in pieces of at most `max_words` registers.
fn cut<'a>(run: &[&'a Point], max_words: u16) -> Vec<Vec<&'a Point>> {
    let mut pieces: Vec<Vec<&Point>> = Vec::new();
    for &point in run {
        let piece = pieces.last_mut().filter(|piece| {
            piece.first().is_some_and(|first| end(point) - u32::from(first.address) <= u32::from(max_words))
        });
        match piece {
            Some(piece) => piece.push(point),
            None => pieces.push(vec![point]),
        }
    }
    pieces
}

/// The register behind the point.
fn end(point: &Point) -> u32 {
    u32::from(point.address) + u32::from(point.encoding.words())
}
