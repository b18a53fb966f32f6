//! What the three commands say.

use std::fs;

use eisbach_protocol::profiles::SHIPPED;

use super::*;

fn said(write: impl FnOnce(&mut Vec<u8>) -> Result<(), ProfilesError>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_good_file_is_told_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("calec-st.toml");
    let (_, text) = SHIPPED.into_iter().find(|(name, _)| *name == "calec-st").unwrap();
    fs::write(&file, text).unwrap();
    let line = said(|out| check(&file, out));
    assert!(
        line.ends_with("CALEC ST, 4 points, 0 commands; 4 lines of grade D: check them on the device\n"),
        "{line}"
    );
    assert_eq!(line.lines().count(), 1);
}

/// The worked example of the guide.
fn example() -> (&'static str, &'static str) {
    const GUIDE: &str = include_str!("../../../docs/device-profiles.md");
    let start = GUIDE.find("```toml\n").unwrap() + 8;
    let length = GUIDE[start..].find("```").unwrap();
    (GUIDE, &GUIDE[start..start + length])
}

#[test]
fn the_guides_example_says_what_the_guide_says() {
    let (guide, text) = example();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("acme-p7.toml");
    let place = format!("{}/", directory.path().display());
    let told = |text: String| {
        fs::write(&file, text).unwrap();
        let mut out = Vec::new();
        let line = match check(&file, &mut out) {
            Ok(()) => String::from_utf8(out).unwrap().trim_end().to_owned(),
            Err(error) => error.to_string(),
        };
        line.replace(&place, "")
    };
    for (right, wrong) in
        [("", ""), ("timeout_ms = 500", "timeout_ms = 20"), ("refresh_ms = 2000", "refresh_ms = 2500")]
    {
        let line = told(text.replacen(right, wrong, 1));
        assert!(guide.lines().any(|said| said == line), "the guide does not say: {line}");
    }
}

#[test]
fn a_bad_or_missing_file_is_an_error_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("acme.toml");
    let missing = check(&file, &mut Vec::new()).unwrap_err().to_string();
    fs::write(&file, "name = 1").unwrap();
    let broken = check(&file, &mut Vec::new()).unwrap_err().to_string();
    for line in [missing, broken] {
        assert!(line.contains("acme.toml") && !line.contains('\n'), "{line}");
    }
}

#[test]
fn the_list_names_every_profile_and_what_is_in_force() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("calec-st.toml"), "nonsense").unwrap();
    let (_, text) = SHIPPED.into_iter().find(|(name, _)| *name == "leak-relay").unwrap();
    fs::write(directory.path().join("my-relay.toml"), text.replace("\"leak-relay\"", "\"my-relay\""))
        .unwrap();
    let table = said(|out| list(Some(directory.path()), false, out));
    assert!(SHIPPED.iter().all(|(name, _)| table.contains(name)), "{table}");
    assert!(table.contains("BROKEN") && table.contains("calec-st.toml, line 1"), "{table}");
    let json = said(|out| list(Some(directory.path()), true, out));
    let entries: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    assert_eq!(entries.len(), SHIPPED.len() + 1);
    let find = |name: &str| entries.iter().find(|entry| entry["name"] == name).unwrap();
    assert!(find("calec-st")["error"].is_string());
    assert_eq!(find("grundfos-cim")["watchdog"], "local_mode");
    assert_eq!(find("my-relay")["grades"]["d"], 2);
}

#[test]
fn a_missing_directory_is_an_error() {
    let error = list(Some(Path::new("/nowhere")), false, &mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("/nowhere") && !error.contains('\n'), "{error}");
}

#[test]
fn the_sheet_gives_the_manuals_numbers_and_the_watchdog_in_words() {
    let sheet = said(|out| show("grundfos-cim", None, false, out));
    assert!(sheet.contains("holding 29 (manual 30) holds one of [1, 2, 38]"), "{sheet}");
    assert!(sheet.contains("without the bus it follows its panel; commission the local mode"), "{sheet}");
    assert!(sheet.contains("this agent, unless pump_local is 1"), "{sheet}");
    let speed = sheet.lines().find(|line| line.trim_start().starts_with("pump_speed ")).unwrap();
    let cells: Vec<_> = speed.split_whitespace().collect();
    assert_eq!(
        cells,
        [
            "pump_speed",
            "holding",
            "302",
            "303",
            "u16",
            "×",
            "0.01",
            "%",
            "0",
            "to",
            "120",
            "fast",
            "A",
            "manual"
        ]
    );
}

#[test]
fn every_shipped_profile_has_a_sheet_and_reads_back_from_its_json() {
    for (name, _) in SHIPPED {
        let sheet = said(|out| show(name, None, false, out));
        assert!(
            sheet.starts_with(&format!("{name}: ")) && sheet.lines().all(|line| line.chars().count() < 180),
            "{sheet}"
        );
        let json = said(|out| show(name, None, true, out));
        let again: Profile = serde_json::from_str(&json).unwrap();
        assert_eq!(again, profile::load(name, None).unwrap());
    }
}
