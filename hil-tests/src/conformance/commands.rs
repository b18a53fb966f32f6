//! Commands: what the node listens to, and what it does when a host asks for its births.

use rumqttc::QoS;

use super::rule::{Outcome, Rule, each, lets_through, must};
use super::story::{Kind, Message, Said, Session, Step, Story};

/// What tells whether a device is there.
const LIVES: [Kind; 2] = [Kind::DeviceBirth, Kind::DeviceDeath];
/// What was on its way when the request came may still arrive.
const ON_ITS_WAY_MS: u64 = 500;

pub(super) const RULES: &[Rule] = &[
    Rule {
        ids: &["message-flow-edge-node-ncmd-subscribe"],
        says: "before its NBIRTH the node subscribes to its NCMD with QoS 1",
        holds: |story| listens(story, Kind::NodeBirth, &story.topic("NCMD", None)),
    },
    Rule {
        ids: &["message-flow-device-dcmd-subscribe"],
        says: "before a DBIRTH the node subscribes to the device's DCMD with QoS 1",
        holds: |story| {
            each(story.said(&[Kind::DeviceBirth]), |Said { session, step, message }| {
                subscribed(session, step, &story.topic("DCMD", message.device()))
            })
        },
    },
    Rule {
        ids: &["operational-behavior-data-commands-rebirth-action-1"],
        says: "asked for its births, the node stops its data at once",
        holds: |story| {
            each(requests(story), |request| {
                let data = request.until_birth().find(|said| {
                    Kind::DATA.contains(&said.message.kind)
                        && said.step.at_ms > request.step.at_ms + ON_ITS_WAY_MS
                });
                must(data.is_none(), || {
                    format!("data after the request: {:?}", data.map(|said| said.step.at_ms))
                })
            })
        },
    },
    Rule {
        ids: &["operational-behavior-data-commands-rebirth-action-2"],
        says: "asked for its births, the node publishes NBIRTH and every DBIRTH",
        holds: |story| {
            each(requests(story), |request| {
                must(request.is_cut_short() || request.answer().is_some(), || {
                    "no NBIRTH follows".to_owned()
                })?;
                let missing = request.missing_devices();
                must(missing.is_empty(), || format!("no DBIRTH of {missing:?}"))
            })
        },
    },
    Rule {
        ids: &["operational-behavior-data-commands-rebirth-action-3"],
        says: "the NBIRTH on request has the bdSeq of the session's will",
        holds: |story| {
            let answers = requests(story).filter_map(|request| Some((request.session, request.answer()?)));
            each(answers, |(session, birth)| {
                let will = session.will.as_ref().and_then(Message::bd_seq);
                must(birth.message.bd_seq() == will, || {
                    format!("bdSeq {:?}, the will has {will:?}", birth.message.bd_seq())
                })
            })
        },
    },
];

/// A request for births that reached the node while it was born.
struct Request<'a> {
    session: &'a Session,
    step: &'a Step,
}

fn requests(story: &Story) -> impl Iterator<Item = Request<'_>> {
    story.node().flat_map(|session| {
        let heard = session.heard().filter(|(_, message)| message.asks_for_births());
        let born = move |step: &Step| {
            let mut before = session.said().take_while(|said| said.step.place < step.place);
            before.any(|said| said.message.kind == Kind::NodeBirth)
        };
        heard.filter(move |(step, _)| born(step)).map(move |(step, _)| Request { session, step })
    })
}

impl<'a> Request<'a> {
    fn after(&self) -> impl Iterator<Item = Said<'a>> {
        let place = self.step.place;
        self.session.said().skip_while(move |said| said.step.place < place)
    }

    fn answer(&self) -> Option<Said<'a>> {
        self.after().find(|said| said.message.kind == Kind::NodeBirth)
    }

    fn until_birth(&self) -> impl Iterator<Item = Said<'a>> {
        self.after().take_while(|said| said.message.kind != Kind::NodeBirth)
    }

    /// The session ended before the births were due.
    fn is_cut_short(&self) -> bool {
        self.session.ended().is_some() && self.answer().is_none()
    }

    /// Devices that were there, and are neither born nor dead by the first data after the answer.
    fn missing_devices(&self) -> Vec<String> {
        let Some(answer) = self.answer() else { return Vec::new() };
        let mut there: Vec<String> = Vec::new();
        let before = self.session.said().take_while(|said| said.step.place < answer.step.place);
        for said in before.filter(|said| LIVES.contains(&said.message.kind)) {
            let device = said.message.device().unwrap_or_default();
            there.retain(|known| known != device);
            if said.message.kind == Kind::DeviceBirth {
                there.push(device.to_owned());
            }
        }
        let after = self.session.said().skip_while(|said| said.step.place <= answer.step.place);
        for said in after.take_while(|said| !Kind::DATA.contains(&said.message.kind)) {
            there.retain(|device| said.message.device() != Some(device.as_str()));
        }
        there
    }
}

fn listens(story: &Story, kind: Kind, topic: &str) -> Outcome {
    each(story.said(&[kind]), |Said { session, step, .. }| subscribed(session, step, topic))
}

fn subscribed(session: &Session, step: &Step, topic: &str) -> Result<(), String> {
    let mut filters = session.filters_before(step.place);
    let wanted = filters.any(|filter| filter.qos == QoS::AtLeastOnce && lets_through(&filter.path, topic));
    must(wanted, || format!("{topic} is not subscribed to with QoS 1"))
}
