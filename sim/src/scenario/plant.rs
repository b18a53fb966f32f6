//! The plant of a scenario: a GPU model, and whichever numbers differ from the usual ones.

use std::collections::BTreeMap;

use eisbach_nvml_sim::GpuModel;
use serde::Deserialize;

use crate::plant::{GPUS, PlantParams, StandbyParams};

/// The plant as a scenario's file tells it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct PlantChoice {
    /// Word of the GPU model: `h200`, `b200` and so on. H200 if it is not given.
    pub gpu: Option<String>,
    /// GPUs there are; as many as usual for the model if it is not given.
    pub sockets: Option<usize>,
    /// A second pump stands by, and starts by itself when the first one trips.
    pub standby: bool,
    /// Copper and liquid of the plates against the usual, 0.3 to 3.
    pub thermal_mass: Option<f64>,
    /// Numbers of the plant by their names, to be multiplied.
    pub times: BTreeMap<String, f64>,
    /// Numbers of the plant by their names, to be replaced.
    pub set: BTreeMap<String, f64>,
}

/// What is wrong with a choice: the key, and why.
pub(super) type Fault = (String, String);

/// A number of the plant that scenarios may change.
type Place = fn(&mut PlantParams) -> &mut f64;

/// The numbers of the plant that scenarios may change, by name.
const NUMBERS: [(&str, Place); 31] = [
    ("gpu.work-watts", |plant| &mut plant.gpu.work_watts),
    ("gpu.leakage-watts", |plant| &mut plant.gpu.leakage_watts),
    ("gpu.die-resistance", |plant| &mut plant.gpu.die_resistance),
    ("plate.resistance", |plant| &mut plant.plate.resistance),
    ("plate.metal-capacity", |plant| &mut plant.plate.metal_capacity),
    ("plate.liquid-capacity", |plant| &mut plant.plate.liquid_capacity),
    ("rest.base-watts", |plant| &mut plant.rest.base_watts),
    ("rest.per-gpu-watt", |plant| &mut plant.rest.per_gpu_watt),
    ("loop.supply-litres", |plant| &mut plant.node_loop.supply_litres),
    ("loop.return-litres", |plant| &mut plant.node_loop.return_litres),
    ("loop.cdu-litres", |plant| &mut plant.node_loop.cdu_litres),
    ("pump.wear", |plant| &mut plant.pump.wear),
    ("pump.shutoff-kpa", |plant| &mut plant.pump.shutoff_kpa),
    ("pump.ramp-per-s", |plant| &mut plant.pump.ramp_per_s),
    ("pump.coast-s", |plant| &mut plant.pump.coast_s),
    ("cdu.fouling", |plant| &mut plant.cdu.fouling),
    ("river.fouling", |plant| &mut plant.river.fouling),
    ("facility.flow-lpm", |plant| &mut plant.facility.flow_lpm),
    ("facility.buffer-litres", |plant| &mut plant.facility.buffer_litres),
    ("facility.pipe-litres", |plant| &mut plant.facility.pipe_litres),
    ("valve.stroke-s", |plant| &mut plant.valve.stroke_s),
    ("valve.dead-band", |plant| &mut plant.valve.dead_band),
    ("valve.play", |plant| &mut plant.valve.play),
    ("valve.stick", |plant| &mut plant.valve.stiction.stick),
    ("valve.jump", |plant| &mut plant.valve.stiction.jump),
    ("heat-pump.evaporator", |plant| &mut plant.heat_pump.evaporator),
    ("supply-sensor.lag-s", |plant| &mut plant.instruments.supply.lag_s),
    ("supply-sensor.bias", |plant| &mut plant.instruments.supply.bias),
    ("return-sensor.bias", |plant| &mut plant.instruments.return_.bias),
    ("flow-sensor.bias", |plant| &mut plant.instruments.flow.bias),
    ("gpu-sensor.bias", |plant| &mut plant.instruments.gpu_core.bias),
];

impl PlantChoice {
    /// The GPU model.
    pub(super) fn model(&self) -> Result<GpuModel, Fault> {
        match &self.gpu {
            None => Ok(GpuModel::default()),
            Some(word) => word.parse().map_err(|error| ("plant.gpu".to_owned(), format!("{error}"))),
        }
    }

    /// The numbers of the plant.
    pub(super) fn params(&self) -> Result<PlantParams, Fault> {
        let model = self.model()?;
        let sockets = self.sockets.unwrap_or_else(|| model.gpus_per_node());
        if !(1..=GPUS).contains(&sockets) {
            return Err(("plant.sockets".to_owned(), format!("{sockets} is not between 1 and {GPUS}")));
        }
        let mass = self.thermal_mass.unwrap_or(1.0);
        if !(0.3..=3.0).contains(&mass) {
            return Err(("plant.thermal-mass".to_owned(), format!("{mass} is not between 0.3 and 3")));
        }
        let mut params = PlantParams::sized(model, sockets).with_thermal_mass(mass);
        params.standby = self.standby.then_some(StandbyParams::N_PLUS_1);
        for (name, factor) in &self.times {
            *number(&mut params, "plant.times", name, *factor)? *= factor;
        }
        for (name, value) in &self.set {
            *number(&mut params, "plant.set", name, *value)? = *value;
        }
        Ok(params)
    }
}

/// The place of a number, given what shall be put there.
fn number<'a>(
    params: &'a mut PlantParams,
    table: &str,
    name: &str,
    value: f64,
) -> Result<&'a mut f64, Fault> {
    let fault = |why: String| Err((format!("{table}.\"{name}\""), why));
    if !value.is_finite() {
        return fault(format!("{value} is no number"));
    }
    let Some((_, place)) = NUMBERS.iter().find(|(known, _)| *known == name) else {
        let known: Vec<&str> = NUMBERS.iter().map(|(name, _)| *name).collect();
        return fault(format!("no number of the plant is called so; known are {}", known.join(", ")));
    };
    Ok(place(params))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_plant_is_an_h200_node() {
        assert_eq!(PlantChoice::default().params().unwrap(), PlantParams::default());
    }

    #[test]
    fn every_number_can_be_multiplied_and_replaced() {
        for (name, place) in NUMBERS {
            let set = BTreeMap::from([(name.to_owned(), 3.0)]);
            let times = BTreeMap::from([(name.to_owned(), 2.0)]);
            let mut params = PlantChoice { set, ..PlantChoice::default() }.params().unwrap();
            assert!((*place(&mut params) - 3.0).abs() < 1e-12, "{name}");
            let mut doubled = PlantChoice { times, ..PlantChoice::default() }.params().unwrap();
            let usual = *place(&mut PlantParams::default());
            assert!((*place(&mut doubled) - 2.0 * usual).abs() < 1e-12, "{name}");
        }
    }

    #[test]
    fn a_number_that_is_not_known_is_told_by_its_key() {
        let set = BTreeMap::from([("pump.colour".to_owned(), 3.0)]);
        let (key, why) = PlantChoice { set, ..PlantChoice::default() }.params().unwrap_err();
        assert!(
            key.contains("plant.set") && key.contains("pump.colour") && why.contains("pump.wear"),
            "{why}"
        );
        let choice = PlantChoice { gpu: Some("h300".to_owned()), ..PlantChoice::default() };
        assert_eq!(choice.params().unwrap_err().0, "plant.gpu");
    }
}
