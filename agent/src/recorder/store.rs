//! Where segments lie: numbered files in a folder of their own.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// What the ring needs of a disk.
pub(super) trait Store: Send {
    /// Numbers of the segments there are, in any order.
    fn list(&mut self) -> io::Result<Vec<u64>>;
    /// What a segment holds.
    fn read(&mut self, number: u64) -> io::Result<Vec<u8>>;
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

/// The number in a segment's file name; what has another name is none of ours.
fn number(file: &Path) -> Option<u64> {
    let name = file.file_name()?.to_str()?.strip_suffix(".rec")?;
    let digits = name.len() >= 10 && name.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| name.parse().ok())?
}

impl Store for Folder {
    fn list(&mut self) -> io::Result<Vec<u64>> {
        let entries = match fs::read_dir(&self.place) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let numbers = entries.map(|entry| entry.map(|entry| number(&entry.path())));
        numbers.filter_map(Result::transpose).collect()
    }

    fn read(&mut self, number: u64) -> io::Result<Vec<u8>> {
        fs::read(self.file(number))
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
        for name in ["0000000007.rec", "notes.rec", "12.rec", "0000000008.tmp", "incident.eisrec"] {
            File::create(folder.path().join(name)).unwrap();
        }
        assert_eq!(Folder::new(folder.path().to_owned()).list().unwrap(), [7]);
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
