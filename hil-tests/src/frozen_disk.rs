//! A small disk that can be frozen: who writes to it then sleeps in the kernel, and not even SIGKILL ends that.
//!
//! ```text
//!   image ── loop device ──► ext4 ── fsfreeze -f ──► writers sleep ── fsfreeze -u ──► writers go on
//! ```

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A mounted disk. Dropping it unmounts it, so whoever uses it must have ended before.
#[derive(Debug)]
pub struct Disk {
    folder: TempDir,
}

/// A frozen disk. Dropping it thaws the disk.
#[derive(Debug)]
pub struct Thaw(PathBuf);

impl Disk {
    /// Makes one and mounts it.
    ///
    /// # Errors
    /// Why this machine does not let us: it takes root and a loop device.
    pub fn mount() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let (image, place) = (folder.path().join("image"), folder.path().join("disk"));
        let file = std::fs::File::create(&image).map_err(|error| error.to_string())?;
        file.set_len(8 << 20).map_err(|error| error.to_string())?;
        std::fs::create_dir(&place).map_err(|error| error.to_string())?;
        system("mkfs.ext4", &["-q".as_ref(), &image])?;
        system("mount", &["-o".as_ref(), "loop".as_ref(), &image, &place])?;
        Ok(Self { folder })
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    /// Freezes it until the result is dropped.
    ///
    /// # Panics
    /// If it cannot be frozen.
    #[must_use]
    pub fn freeze(&self) -> Thaw {
        system("fsfreeze", &["-f".as_ref(), &self.path()]).expect("a disk of our own can be frozen");
        Thaw(self.path())
    }
}

impl Drop for Thaw {
    fn drop(&mut self) {
        if let Err(why) = system("fsfreeze", &["-u".as_ref(), &self.0]) {
            eprintln!("STILL FROZEN: {why}; fsfreeze -u {}", self.0.display());
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process that sleeps in it must not keep it mounted for ever.
        if let Err(why) = system("umount", &["-l".as_ref(), &self.path()]) {
            eprintln!("STILL MOUNTED: {why}; umount {}", self.path().display());
        }
    }
}

/// Runs a program of the system's administrator, which only root's path knows.
fn system(program: &str, words: &[&Path]) -> Result<(), String> {
    let output = Command::new(program)
        .args(words)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{program}: {}", said.trim())) }
}
