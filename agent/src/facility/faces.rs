//! The faces of one connection, made from its settings, with what they share with the rest of the agent.

use std::sync::Arc;

use eisbach_protocol::units::Millis;
use tokio::sync::mpsc;

use super::counters::Counters;
use super::dsx::DsxFace;
use super::face::Face;
use super::flex::{FlexFace, FlexKeeper};
use super::json::JsonFace;
use super::link::Will;
use super::settings::{FacilityError, FacilitySettings};
use super::sparkplug::{BdSeq, SparkplugFace};
use super::standing::{Cell, post};
use crate::report::events::PowerOutcome;

/// Outcomes about power that wait for the cycle: a breach for every GPU of a node, and more.
const OUTCOMES: usize = 64;

/// The faces of a connection.
#[derive(Debug)]
pub(super) struct Faces {
    /// In the order in which they are served.
    pub(super) faces: Vec<Box<dyn Face>>,
    /// The one will that the connection can have.
    pub(super) will: Will,
    /// What they ask of the controller.
    pub(super) standing: Vec<Cell>,
    /// What became of words about power.
    pub(super) outcomes: mpsc::Receiver<PowerOutcome>,
    /// Keeps power targets over a restart, if there can be any.
    pub(super) keeper: Option<FlexKeeper>,
}

impl Faces {
    /// Those that the settings name.
    ///
    /// # Errors
    /// If an id would make a topic that brokers or hosts stumble over.
    pub(super) fn new(settings: &FacilitySettings, counters: &Arc<Counters>) -> Result<Self, FacilityError> {
        let (news, outcomes) = mpsc::channel(OUTCOMES);
        let mut all =
            Self { faces: Vec::new(), will: Will::None, standing: Vec::new(), outcomes, keeper: None };
        if let Some(sparkplug) = &settings.sparkplug {
            let face = SparkplugFace::new(
                sparkplug,
                &settings.node,
                (settings.brokers.len() > 1, Millis::from_secs(settings.keep_alive_s.into())),
                Arc::clone(counters),
            )
            .map_err(|(what, reason)| FacilityError::Id { what, reason })?
            .with_desk(settings.desk.clone());
            let bd_seq = BdSeq::load(&settings.state_dir, Arc::clone(counters));
            all.will = Will::Death { bd_seq, topic: face.death_topic() };
            all.faces.push(Box::new(face));
        }
        if let Some(json) = settings.json.clone() {
            let face = JsonFace::new(json, &settings.node).with_desk(settings.desk.clone());
            // There is one will a connection, and a Sparkplug host depends on its own.
            if let Will::None = all.will {
                let (topic, payload) = face.will();
                all.will = Will::Status { topic, payload };
            }
            all.faces.push(Box::new(face));
        }
        if let Some(flex) = &settings.flex {
            let (post, cell) = post();
            let (face, keeper) = FlexFace::new(flex, &settings.state_dir, post, news);
            all.standing.push(cell);
            all.keeper = Some(keeper);
            all.faces.push(Box::new(face));
        }
        if let Some(dsx) = &settings.dsx {
            let (post, cell) = post();
            all.standing.push(cell);
            all.faces.push(Box::new(DsxFace::new(dsx, &settings.node, post)));
        }
        Ok(all)
    }
}
