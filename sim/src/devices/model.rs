//! Which product stands in each place of the plant room.
//!
//! ```text
//!   "pump=orv3-rpu" ──► Choice ──► Models ──► DeviceHub
//! ```
//!
//! Names are those of the agent's profiles. A rack CDU is pump, heat meter and leak detector in one: chosen as the
//! pump it takes all three places, with one device on one port.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::abb::Drive;
use super::address_echo::AddressEcho;
use super::belimo::Valve;
use super::calec::HeatMeter;
use super::danfoss::NovoCon;
use super::device::Device;
use super::generic;
use super::grundfos::Pump;
use super::hub::{DeviceKind, DeviceOptions};
use super::kamstrup::Multical;
use super::leak::LeakRelay;
use super::rpu::{self, Make, Rpu};
use super::slot_plc::SlotPlc;
use super::vaisala::AirSensor;

/// A product, or a kind of product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Model {
    /// Grundfos E-pump with CIM 500.
    GrundfosCim,
    /// ABB `ACx580` drive on a pump.
    AbbAcx580,
    /// Pump with the simplest map.
    GenericPump,
    /// Rack CDU by the OCP's `ORv3` map.
    Orv3Rpu,
    /// Rack CDU Delta RDF040.
    DeltaRdf040,
    /// PLC that shares its pump among nodes.
    SlotPlc,
    /// Belimo Energy Valve 4.
    BelimoEnergyValve,
    /// Danfoss `NovoCon` M, which can only be read.
    Danfoss003z8540,
    /// Valve with the simplest map.
    GenericValve,
    /// Aqua Metro CALEC ST.
    CalecSt,
    /// Kamstrup MULTICAL 403/603/803.
    KamstrupMultical,
    /// Vaisala HMD110.
    VaisalaHmd110,
    /// Leak relay on generic remote I/O.
    LeakRelay,
    /// No product: every register holds its own address, for tests.
    AddressEcho,
}

impl Model {
    /// All models.
    pub const ALL: [Self; 14] = [
        Self::GrundfosCim,
        Self::AbbAcx580,
        Self::GenericPump,
        Self::Orv3Rpu,
        Self::DeltaRdf040,
        Self::SlotPlc,
        Self::BelimoEnergyValve,
        Self::Danfoss003z8540,
        Self::GenericValve,
        Self::CalecSt,
        Self::KamstrupMultical,
        Self::VaisalaHmd110,
        Self::LeakRelay,
        Self::AddressEcho,
    ];

    /// Its name, which is also that of the agent's profile.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GrundfosCim => "grundfos-cim",
            Self::AbbAcx580 => "abb-acx580",
            Self::GenericPump => "generic-pump",
            Self::Orv3Rpu => "orv3-rpu",
            Self::DeltaRdf040 => "delta-rdf040",
            Self::SlotPlc => "slot-plc",
            Self::BelimoEnergyValve => "belimo-energy-valve",
            Self::Danfoss003z8540 => "danfoss-003z8540",
            Self::GenericValve => "generic-valve",
            Self::CalecSt => "calec-st",
            Self::KamstrupMultical => "kamstrup-multical",
            Self::VaisalaHmd110 => "vaisala-hmd110",
            Self::LeakRelay => "leak-relay",
            Self::AddressEcho => "address-echo",
        }
    }

    /// The places that it can take. The first is the one that it drives from.
    #[must_use]
    pub const fn places(self) -> &'static [DeviceKind] {
        match self {
            Self::GrundfosCim | Self::AbbAcx580 | Self::GenericPump | Self::SlotPlc => &[DeviceKind::Pump],
            Self::Orv3Rpu | Self::DeltaRdf040 => {
                &[DeviceKind::Pump, DeviceKind::HeatMeter, DeviceKind::LeakRelay]
            }
            Self::BelimoEnergyValve | Self::Danfoss003z8540 | Self::GenericValve => &[DeviceKind::Valve],
            Self::CalecSt | Self::KamstrupMultical => &[DeviceKind::HeatMeter],
            Self::VaisalaHmd110 => &[DeviceKind::AirSensor],
            Self::LeakRelay => &[DeviceKind::LeakRelay],
            Self::AddressEcho => &DeviceKind::ALL,
        }
    }

    /// Whether one device of this model takes several places.
    const fn is_rack_cdu(self) -> bool {
        matches!(self, Self::Orv3Rpu | Self::DeltaRdf040)
    }

    /// Its Modbus unit in `place`.
    pub(super) const fn unit(self, place: DeviceKind) -> u8 {
        if self.is_rack_cdu() { rpu::UNIT } else { place.unit() }
    }

    /// A device of this model, commissioned as `options` say.
    pub(super) fn device(self, options: &DeviceOptions) -> Box<dyn Device> {
        let (local, lowest) = (options.pump.local_speed, options.pump.min_speed);
        match self {
            Self::GrundfosCim => Box::new(Pump::new(options.pump)),
            Self::AbbAcx580 => Box::new(Drive::new(options.drive, local, lowest)),
            Self::GenericPump => Box::new(generic::Pump::new(local, lowest)),
            Self::Orv3Rpu => Box::new(Rpu::new(Make::Orv3, local)),
            Self::DeltaRdf040 => Box::new(Rpu::new(Make::DeltaRdf040, local)),
            Self::SlotPlc => Box::new(SlotPlc::new(local, lowest)),
            Self::BelimoEnergyValve => {
                Box::new(Valve::new(options.valve_setpoint).watching(options.valve_watchdog_s))
            }
            Self::Danfoss003z8540 => Box::new(NovoCon::default()),
            Self::GenericValve => Box::new(generic::Valve::new(options.valve_setpoint)),
            Self::CalecSt => Box::new(HeatMeter::default()),
            Self::KamstrupMultical => Box::new(Multical::default()),
            Self::VaisalaHmd110 => Box::new(AirSensor::default()),
            Self::LeakRelay => Box::new(LeakRelay::new()),
            Self::AddressEcho => Box::new(AddressEcho::default()),
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A choice that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ModelError {
    /// No "PLACE=MODEL".
    #[error("\"{text}\" is not \"PLACE=MODEL\"; for example \"pump=abb-acx580\"")]
    Form {
        /// What was given.
        text: String,
    },
    /// No such place.
    #[error("\"{name}\" is no place; known are {}", list(DeviceKind::ALL.map(DeviceKind::name)))]
    Place {
        /// What was given.
        name: String,
    },
    /// No such model.
    #[error("\"{name}\" is no model; known are {}", list(Model::ALL.map(Model::name)))]
    Unknown {
        /// What was given.
        name: String,
    },
    /// The model does something else.
    #[error("{model} cannot be the {}; it can be: {}", place.name(), list(model.places().iter().map(|place| place.name())))]
    Misfit {
        /// Where it was to stand.
        place: DeviceKind,
        /// The model.
        model: Model,
    },
    /// A rack CDU that is not the pump.
    #[error("{model} is the {} only where it is the pump too: choose pump={model}", place.name())]
    NoPump {
        /// Where it was to stand.
        place: DeviceKind,
        /// The model.
        model: Model,
    },
}

fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// A model for a place, which it fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    place: DeviceKind,
    model: Model,
}

impl Choice {
    /// Put `model` in `place`.
    ///
    /// # Errors
    /// [`ModelError::Misfit`] where the model cannot take the place.
    pub fn new(place: DeviceKind, model: Model) -> Result<Self, ModelError> {
        if !model.places().contains(&place) {
            return Err(ModelError::Misfit { place, model });
        }
        Ok(Self { place, model })
    }
}

impl FromStr for Choice {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        let (place, model) =
            text.split_once('=').ok_or_else(|| ModelError::Form { text: text.to_owned() })?;
        let place = (DeviceKind::ALL.into_iter().find(|known| known.name() == place))
            .ok_or_else(|| ModelError::Place { name: place.to_owned() })?;
        let model = (Model::ALL.into_iter().find(|known| known.name() == model))
            .ok_or_else(|| ModelError::Unknown { name: model.to_owned() })?;
        Self::new(place, model)
    }
}

/// The model in every place. By default those of `devices/mod.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Models([Model; 5]);

impl Default for Models {
    fn default() -> Self {
        Self([
            Model::GrundfosCim,
            Model::BelimoEnergyValve,
            Model::CalecSt,
            Model::VaisalaHmd110,
            Model::LeakRelay,
        ])
    }
}

impl Models {
    /// The default models but for `choices`; the last choice for a place counts. A rack CDU that is chosen as the pump
    /// takes its other places too, unless a later choice takes them back.
    ///
    /// # Errors
    /// [`ModelError::NoPump`] where a rack CDU is to measure without pumping.
    pub fn of(choices: impl IntoIterator<Item = Choice>) -> Result<Self, ModelError> {
        let mut models = Self::default();
        for Choice { place, model } in choices {
            *models.slot(place) = model;
            if place == DeviceKind::Pump && model.is_rack_cdu() {
                model.places().iter().for_each(|place| *models.slot(*place) = model);
            }
        }
        let pump = models.at(DeviceKind::Pump);
        match DeviceKind::ALL
            .map(|place| (place, models.at(place)))
            .into_iter()
            .find(|(_, model)| model.is_rack_cdu() && *model != pump)
        {
            Some((place, model)) => Err(ModelError::NoPump { place, model }),
            None => Ok(models),
        }
    }

    /// The model in `place`.
    #[must_use]
    pub const fn at(&self, place: DeviceKind) -> Model {
        let Self([pump, valve, meter, air, leak]) = *self;
        match place {
            DeviceKind::Pump => pump,
            DeviceKind::Valve => valve,
            DeviceKind::HeatMeter => meter,
            DeviceKind::AirSensor => air,
            DeviceKind::LeakRelay => leak,
        }
    }

    /// The place whose device serves `place` too; `None` where `place` has its own.
    pub(super) fn served_by(&self, place: DeviceKind) -> Option<DeviceKind> {
        (self.at(place).is_rack_cdu() && place != DeviceKind::Pump).then_some(DeviceKind::Pump)
    }

    fn slot(&mut self, place: DeviceKind) -> &mut Model {
        let Self([pump, valve, meter, air, leak]) = self;
        match place {
            DeviceKind::Pump => pump,
            DeviceKind::Valve => valve,
            DeviceKind::HeatMeter => meter,
            DeviceKind::AirSensor => air,
            DeviceKind::LeakRelay => leak,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn models(choices: &[&str]) -> Result<Models, ModelError> {
        Models::of(choices.iter().map(|choice| choice.parse().unwrap()))
    }

    fn error(choice: &str) -> String {
        choice.parse::<Choice>().unwrap_err().to_string()
    }

    #[test]
    fn every_model_is_chosen_by_its_name_for_its_places_and_no_others() {
        for model in Model::ALL {
            for place in DeviceKind::ALL {
                let choice = format!("{}={model}", place.name()).parse::<Choice>();
                assert_eq!(choice.is_ok(), model.places().contains(&place), "{} {model}", place.name());
            }
        }
    }

    #[test]
    fn a_rack_cdu_takes_three_places_with_one_device() {
        let models = models(&["pump=orv3-rpu"]).unwrap();
        for place in [DeviceKind::HeatMeter, DeviceKind::LeakRelay] {
            assert_eq!((models.at(place), models.served_by(place)), (Model::Orv3Rpu, Some(DeviceKind::Pump)));
        }
        assert_eq!(models.at(DeviceKind::Valve), Model::BelimoEnergyValve);
        assert_eq!(models.served_by(DeviceKind::Pump), None);
        assert_eq!(
            (
                models.at(DeviceKind::Pump).unit(DeviceKind::Pump),
                models.at(DeviceKind::Valve).unit(DeviceKind::Valve)
            ),
            (12, 2)
        );
    }

    #[test]
    fn a_meter_beside_a_rack_cdu_keeps_its_place() {
        let models = models(&["pump=delta-rdf040", "meter=kamstrup-multical"]).unwrap();
        assert_eq!(models.at(DeviceKind::HeatMeter), Model::KamstrupMultical);
        assert_eq!(models.served_by(DeviceKind::HeatMeter), None);
        assert_eq!(models.at(DeviceKind::LeakRelay), Model::DeltaRdf040);
    }

    #[test]
    fn a_rack_cdu_does_not_measure_without_pumping() {
        let error = models(&["pump=orv3-rpu", "pump=generic-pump"]).unwrap_err().to_string();
        assert_eq!(error, "orv3-rpu is the meter only where it is the pump too: choose pump=orv3-rpu");
    }

    #[test]
    fn a_bad_choice_is_answered_with_what_is_known() {
        assert!(error("abb-acx580").contains("pump=abb-acx580"));
        assert!(error("pumps=abb-acx580").contains("pump, valve, meter, room, leak"));
        assert!(error("pump=wilo").contains("grundfos-cim"));
        assert_eq!(error("meter=slot-plc"), "slot-plc cannot be the meter; it can be: pump");
    }
}
