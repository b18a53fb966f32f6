//! What has been added up since the beginning.

/// Energies and marks of a factory, or of one of its rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Totals {
    /// The GPUs, J.
    pub gpus_j: f64,
    /// The rest of the nodes, J.
    pub rest_j: f64,
    /// Electric energy of the node loops' pumps, J.
    pub pump_j: f64,
    /// The part of it that ended in the coolant, J.
    pub pump_heat_j: f64,
    /// Heat from the node loops into the rooms, J.
    pub room_j: f64,
    /// GPU-seconds in which a GPU did less than it was asked, by whatever hand.
    pub throttled_gpu_s: f64,
    /// The hottest that any GPU's core has been, °C.
    pub peak_celsius: f64,
}

impl Default for Totals {
    fn default() -> Self {
        Self {
            gpus_j: 0.0,
            rest_j: 0.0,
            pump_j: 0.0,
            pump_heat_j: 0.0,
            room_j: 0.0,
            throttled_gpu_s: 0.0,
            peak_celsius: f64::NEG_INFINITY,
        }
    }
}

impl Totals {
    pub(super) fn add(&mut self, gpus: f64, rest: f64, (pump, pump_heat): (f64, f64), room: f64, dt: f64) {
        self.gpus_j += gpus * dt;
        self.rest_j += rest * dt;
        self.pump_j += pump * dt;
        self.pump_heat_j += pump_heat * dt;
        self.room_j += room * dt;
    }

    /// Both together.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        Self {
            gpus_j: self.gpus_j + other.gpus_j,
            rest_j: self.rest_j + other.rest_j,
            pump_j: self.pump_j + other.pump_j,
            pump_heat_j: self.pump_heat_j + other.pump_heat_j,
            room_j: self.room_j + other.room_j,
            throttled_gpu_s: self.throttled_gpu_s + other.throttled_gpu_s,
            peak_celsius: self.peak_celsius.max(other.peak_celsius),
        }
    }

    /// Energy of the nodes' electronics, J.
    #[must_use]
    pub fn it_j(&self) -> f64 {
        self.gpus_j + self.rest_j
    }
}
