//! NVIDIA's published contracts, where a folder with them is at hand, and what they say about a message.
//!
//! ```text
//!   EISBACH_DSX_SCHEMAS=folder ─► bms.yaml, dsx-flex.yaml ─► channel of a topic ─► schema of its payload ─► verdict
//! ```
//!
//! The contracts are NVIDIA's and not part of this project; without the folder only our own rules are checked.

use std::path::PathBuf;
use std::process::Command;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

/// Name of the variable that names the folder.
const FOLDER: &str = "EISBACH_DSX_SCHEMAS";

/// One contract.
pub(crate) struct Contract {
    document: Value,
    url: String,
    compiler: Compiler,
    schemas: Schemas,
}

impl std::fmt::Debug for Contract {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contract").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Contract {
    /// The contract of this file name, if the folder is given; says so loudly if it is not.
    ///
    /// # Panics
    /// If the folder is given and the file cannot be read.
    pub(crate) fn load(name: &str) -> Option<Self> {
        let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
            eprintln!("NOT CHECKED against NVIDIA's {name}: set {FOLDER} to the folder that holds it");
            return None;
        };
        let read =
            "import json,sys,yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout, default=str)";
        let output = Command::new("/usr/bin/python3").args(["-c", read]).arg(folder.join(name)).output();
        let output = output.expect("python3 is installed");
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let document: Value = serde_json::from_slice(&output.stdout).expect("JSON of our own making");
        let url = format!("mem:///{name}");
        let mut compiler = Compiler::new();
        compiler.enable_format_assertions();
        compiler.add_resource(&url, document.clone()).expect("the contract is a document");
        Some(Self { document, url, compiler, schemas: Schemas::new() })
    }

    /// What is wrong with a message to a topic of the BMS event bus.
    ///
    /// # Errors
    /// One line.
    pub(crate) fn judge(&mut self, topic: &str, payload: &Value) -> Result<(), String> {
        let (address, point) = address(topic).ok_or_else(|| format!("{topic}: no topic of the bus"))?;
        let channels = self.document["channels"].as_object().ok_or("the contract has no channels")?;
        let of = |(_, channel): &(&String, &Value)| channel["address"] == address;
        let (name, channel) =
            channels.iter().find(of).ok_or_else(|| format!("{address}: no such channel"))?;
        let known = channel["parameters"]["pointType"]["enum"].as_array().into_iter().flatten();
        if !known.into_iter().any(|known| *known == point) {
            return Err(format!("{topic}: {point} is no point of {name}"));
        }
        let key = match channel["messages"].get("valueMessage") {
            Some(_) => "valueMessage".to_owned(),
            None => lower_first(&point),
        };
        let message = channel["messages"][&key]["$ref"].as_str().map(str::to_owned);
        let message = message.ok_or_else(|| format!("{name} has no message {key}"))?;
        self.validate(&format!("{message}/payload"), payload)
            .map_err(|why| format!("{topic}: {why}\n{payload}"))
    }

    /// What is wrong with a value, by the schema at this place of the contract (`#/…`).
    ///
    /// # Errors
    /// What the schema says.
    pub(crate) fn validate(&mut self, place: &str, value: &Value) -> Result<(), String> {
        let schema: SchemaIndex = self
            .compiler
            .compile(&format!("{}{place}", self.url), &mut self.schemas)
            .map_err(|error| format!("{place} is no schema: {error:#}"))?;
        self.schemas.validate(value, schema).map_err(|error| format!("{error:#}"))
    }
}

/// The address of a topic's channel, and its point type.
fn address(topic: &str) -> Option<(String, String)> {
    let levels: Vec<&str> = topic.splitn(7, '/').collect();
    match levels[..] {
        ["BMS", "v1", "PUB", what, object, point, _tag] => {
            Some((format!("BMS/v1/PUB/{what}/{object}/{{pointType}}/{{tagPath}}"), point.to_owned()))
        }
        _ => None,
    }
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}
