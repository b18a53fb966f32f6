//! Dew point of the room air.

/// Dew point in °C of air at `celsius` with relative humidity `humidity`, a share of 1.
///
/// Magnus formula with the coefficients of Alduchov and Eskridge (1996). Humidity below 1 % counts as 1 %.
#[must_use]
pub fn dew_point(celsius: f64, humidity: f64) -> f64 {
    const A: f64 = 17.625;
    const B: f64 = 243.04;
    let gamma = humidity.clamp(0.01, 1.0).ln() + A * celsius / (B + celsius);
    B * gamma / (A - gamma)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dew_points_agree_with_the_psychrometric_chart() {
        for (celsius, humidity, expected) in
            [(24.0, 0.5, 12.9), (24.0, 0.6, 15.8), (27.0, 0.6, 18.6), (27.0, 0.7, 21.1)]
        {
            let dew = dew_point(celsius, humidity);
            assert!((dew - expected).abs() < 0.06, "{celsius} °C, {humidity}: {dew}");
        }
    }

    #[test]
    fn saturated_air_is_at_its_dew_point() {
        assert!((dew_point(20.0, 1.0) - 20.0).abs() < 1e-9);
    }
}
