//! Where segments lie: numbered files in a folder of their own.

use std::fs::{self, DirEntry, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::PathBuf;

/// Longest segment that is read, bytes: a minute of the longest steps, and half as much again. Whatever else has such a
/// name, the agent's memory is not for it.
const LONGEST_SEGMENT: u64 = 15_000_000;

/// What the ring needs of a disk.
pub(super) trait Store: Send {
    /// Numbers of the segments there are, in any order.
    fn list(&mut self) -> io::Result<Vec<u64>>;
    /// What a segment holds.
    fn read(&mut self, number: u64) -> io::Result<Vec<u8>>;
    /// How long a segment is that cannot be read.
    fn length(&mut self, number: u64) -> io::Result<u64>;
    /// Makes an empty segment, to which [`append`](Self::append) then writes.
    fn create(&mut self, number: u64) -> io::Result<()>;
    /// Adds to the segment that was made last.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Removes a segment; that it is gone already is as well.
    fn remove(&mut self, number: u64) -> io::Result<()>;
}

/// A folder on a real disk.
#[derive(Debug)]
pub(super) struct Folder {
    place: PathBuf,
    open: Option<File>,
}

impl Folder {
    pub(super) const fn new(place: PathBuf) -> Self {
        Self { place, open: None }
    }

    fn file(&self, number: u64) -> PathBuf {
        self.place.join(format!("{number:010}.rec"))
    }
}

/// The number in a segment's file name. What has another name, or is no file, is none of ours.
fn number(entry: &DirEntry) -> io::Result<Option<u64>> {
    let name = entry.file_name();
    let number = name.to_str().and_then(|name| name.strip_suffix(".rec")).filter(|name| {
        // Twelve digits last for ever, and leave room to count on.
        (10..=12).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_digit())
    });
    match number.and_then(|number| number.parse().ok()) {
        Some(number) => Ok(entry.file_type()?.is_file().then_some(number)),
        None => Ok(None),
    }
}

impl Store for Folder {
    fn list(&mut self) -> io::Result<Vec<u64>> {
        let entries = match fs::read_dir(&self.place) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let numbers = entries.map(|entry| entry.and_then(|entry| number(&entry)));
        numbers.filter_map(Result::transpose).collect()
    }

    fn read(&mut self, number: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.file(number))?.take(LONGEST_SEGMENT + 1).read_to_end(&mut bytes)?;
        let fits = u64::try_from(bytes.len()).is_ok_and(|length| length <= LONGEST_SEGMENT);
        if fits { Ok(bytes) } else { Err(ErrorKind::FileTooLarge.into()) }
    }

    fn length(&mut self, number: u64) -> io::Result<u64> {
        fs::metadata(self.file(number)).map(|found| found.len())
    }

    fn create(&mut self, number: u64) -> io::Result<()> {
        self.open = None;
        fs::create_dir_all(&self.place)?;
        self.open = Some(OpenOptions::new().append(true).create_new(true).open(self.file(number))?);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        // No sync: what a power cut takes is some seconds, and a sync ten times a second would wear the disk out.
        self.open
            .as_mut()
            .map_or_else(|| Err(io::Error::other("no segment is open")), |file| file.write_all(bytes))
    }

    fn remove(&mut self, number: u64) -> io::Result<()> {
        match fs::remove_file(self.file(number)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_files_are_segments() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["0000000007.rec", "notes.rec", "12.rec", "0000000008.tmp", "incident.eisrec"];
        for name in names.into_iter().chain(["18446744073709551615.rec"]) {
            File::create(folder.path().join(name)).unwrap();
        }
        fs::create_dir(folder.path().join("0000000009.rec")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", folder.path().join("0000000010.rec")).unwrap();
        assert_eq!(Folder::new(folder.path().to_owned()).list().unwrap(), [7]);
    }

    #[test]
    fn i13_a_huge_file_with_our_name_is_not_taken_into_memory() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("0000000007.rec")).unwrap();
        // All hole: it takes no room on the disk.
        file.set_len(1 << 40).unwrap();
        let mut store = Folder::new(folder.path().to_owned());
        assert_eq!(store.read(7).unwrap_err().kind(), ErrorKind::FileTooLarge);
        assert_eq!(store.length(7).unwrap(), 1 << 40);
    }

    #[test]
    fn a_folder_that_is_not_there_yet_holds_nothing_and_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Folder::new(folder.path().join("deep/record"));
        assert!(store.list().unwrap().is_empty());
        store.append(b"x").unwrap_err();
        store.create(3).unwrap();
        store.append(b"ab").unwrap();
        store.append(b"c").unwrap();
        assert_eq!((store.list().unwrap(), store.read(3).unwrap()), (vec![3], b"abc".to_vec()));
        store.remove(3).unwrap();
        store.remove(3).unwrap();
        assert!(store.list().unwrap().is_empty());
    }
}
