//! Where cargo has put the C library.

use std::path::{Path, PathBuf};

/// The built `libeisbach_nvml_sim.so` nearest to the running program, if there is one.
///
/// Cargo leaves it beside programs (`target/debug`) or beside tests and dependencies (`target/debug/deps`);
/// an installation keeps it beside the program. So this looks in the program's folder, its `deps`, and the
/// same one level up.
#[must_use]
pub fn library_path() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    find_near(program.parent()?)
}

fn find_near(folder: &Path) -> Option<PathBuf> {
    let name = format!("{}eisbach_nvml_sim{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    [Some(folder), folder.parent()]
        .into_iter()
        .flatten()
        .flat_map(|near| [near.join(&name), near.join("deps").join(&name)])
        .find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_found_beside_a_program_in_deps_and_one_level_up() {
        let root = tempfile::tempdir().unwrap();
        let deps = root.path().join("deps");
        std::fs::create_dir(&deps).unwrap();
        assert_eq!(find_near(&deps), None);

        let library = deps.join("libeisbach_nvml_sim.so");
        std::fs::write(&library, b"").unwrap();
        assert_eq!(find_near(&deps).as_deref(), Some(&*library), "a test in deps");
        assert_eq!(find_near(root.path()).as_deref(), Some(&*library), "a program beside deps");
        assert_eq!(find_near(&root.path().join("examples")).as_deref(), Some(&*library), "an example");
    }
}
