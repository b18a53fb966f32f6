//! `docs/profile.schema.json` is what the code takes: it is written from the types, every shipped profile follows it,
//! and it refuses a typo as the agent does.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use boon::{Compiler, SchemaIndex, Schemas};
use eisbach_protocol::profiles::SHIPPED;
use eisbach_protocol::registers::Profile;
use serde_json::Value;

/// Set to anything, it makes the test write the file.
const RENEW: &str = "EISBACH_RENEW_SCHEMA";

fn checked_in() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/profile.schema.json"))
}

fn schema() -> Value {
    let mut schema = schemars::schema_for!(Profile);
    schema.insert("title".to_owned(), "Device profile of the eisbach agent".into());
    schema.to_value()
}

struct Judge {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Judge {
    fn new() -> Result<Self, Box<dyn Error>> {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("profile.json", schema())?;
        let index = compiler.compile("profile.json", &mut schemas)?;
        Ok(Self { schemas, index })
    }

    fn judge(&self, profile: &Value) -> Result<(), String> {
        self.schemas.validate(profile, self.index).map_err(|error| error.to_string())
    }
}

#[test]
fn the_schema_in_docs_is_that_of_the_code() {
    let wanted = schema();
    if std::env::var_os(RENEW).is_some() {
        let text = serde_json::to_string_pretty(&wanted).unwrap();
        fs::write(checked_in(), format!("{text}\n")).unwrap();
    }
    let found = fs::read_to_string(checked_in()).unwrap_or_default();
    assert!(
        serde_json::from_str(&found).is_ok_and(|found: Value| found == wanted),
        "docs/profile.schema.json is out of date; run: {RENEW}=1 cargo test -p eisbach-agent --test profile_schema"
    );
}

#[test]
fn every_shipped_profile_follows_the_schema_and_names_it() {
    let judge = Judge::new().unwrap();
    for (name, text) in SHIPPED {
        let verdict = judge.judge(&toml::from_str(text).unwrap());
        assert_eq!(verdict, Ok(()), "{name}");
        assert!(
            text.starts_with("#:schema ../../docs/profile.schema.json\n"),
            "{name}: editors look at line 1"
        );
    }
}

#[test]
fn the_guide_explains_every_key() {
    let guide =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/device-profiles.md")).unwrap();
    for key in keys(&schema()) {
        assert!(guide.contains(&format!("`{key}`")), "docs/device-profiles.md does not explain `{key}`");
    }
}

/// Every key that a profile can have, and every word that can stand for a value.
fn keys(schema: &Value) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                keys.extend(properties.keys().cloned());
            }
            keys.extend(object.get("const").and_then(Value::as_str).map(str::to_owned));
            keys.extend(object.values().flat_map(self::keys));
        }
        Value::Array(values) => keys.extend(values.iter().flat_map(self::keys)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    keys
}

#[test]
fn a_typo_is_refused_by_the_schema_too() {
    let judge = Judge::new().unwrap();
    let (_, sound) = SHIPPED.into_iter().find(|(name, _)| *name == "grundfos-cim").unwrap();
    for (right, wrong) in [
        ("timeout_ms", "timeout_sm"),
        ("device = ", "devise = "),
        ("[watchdog.local_mode]", "[watchdog.locale_mode]"),
        ("local = \"pump_local\"", "local = \"pump_lokal\""),
        ("signal = \"pump_head\"", "signal = \"pump_haed\""),
        ("table = \"holding\"", "table = \"holdings\""),
        ("encoding = \"u16\"", "encoding = \"u61\""),
        ("encoding = { bit = 8 }", "encoding = { bits = 8 }"),
        ("dead_band", "deadband"),
        ("grade = \"A\"", "grade = \"E\""),
        ("persistence = \"volatile\"", "persistence = \"ram\""),
        ("poll = \"slow\"", "poll = \"slowly\""),
        ("address = 103", "address = 65536"),
        ("safe = 100.0", "save = 100.0"),
        ("name = \"grundfos-cim\"", "name = \"a-name-longer-than-thirty-two-letters\""),
    ] {
        assert!(sound.contains(right), "{right}");
        let spoiled = sound.replacen(right, wrong, 1);
        assert!(toml::from_str::<Profile>(&spoiled).is_err(), "the agent takes {wrong}");
        assert!(judge.judge(&toml::from_str(&spoiled).unwrap()).is_err(), "the schema takes {wrong}");
    }
}
