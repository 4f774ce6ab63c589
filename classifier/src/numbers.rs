//! Arithmetic that gives the same bits on every platform.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// Terms of the series in [`ln`]: the first one left out is below 2^-56 of the result.
const SERIES_TERMS: u32 = 12;
const SUBNORMAL_SCALE: f64 = 18_014_398_509_481_984.0; // 2^54

/// The natural logarithm of a positive finite number, from `+ - * /` only, so that it is the same on every platform
/// (the platform's own may differ in its last bit). Within a few units in the last place of the true value.
///
/// Zero, negative and non-finite numbers give NaN: callers check their input.
///
/// ```
/// assert!((classifier::numbers::ln(10.0) - 10f64.ln()).abs() < 1e-14);
/// ```
#[must_use]
pub fn ln(x: f64) -> f64 {
    if !x.is_finite() || x <= 0.0 {
        return f64::NAN;
    }
    if x < f64::MIN_POSITIVE {
        return ln(x * SUBNORMAL_SCALE) - 54.0 * std::f64::consts::LN_2;
    }
    let (mantissa, exponent) = split(x);
    // ln m = 2 atanh((m - 1) / (m + 1)), |s| <= 0.172
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let mut sum = 0.0;
    for term in (0..SERIES_TERMS).rev() {
        sum = sum * square + 1.0 / f64::from(2 * term + 1);
    }
    f64::from(exponent) * std::f64::consts::LN_2 + 2.0 * s * sum
}

/// `x = mantissa * 2^exponent` with the mantissa in `[sqrt(1/2), sqrt(2))`.
fn split(x: f64) -> (f64, i32) {
    let bits = x.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32 - 1023;
    let mantissa = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | (1023 << 52));
    if mantissa > std::f64::consts::SQRT_2 {
        (mantissa / 2.0, exponent + 1)
    } else {
        (mantissa, exponent)
    }
}

/// Beyond these the exponential function is 0 or the largest number: results stay finite.
const EXP_MAX: f64 = 709.0;
/// Terms of the series in [`exp`]: the first one left out is below 2^-60 of the result.
const EXP_TERMS: u32 = 14;

/// The exponential function, from `+ - * /` only, so that it is the same on every platform. Within a few units in the last
/// place for `x` within plus and minus 709, 0 below, `exp(709)` above; NaN of NaN.
///
/// ```
/// assert!((classifier::numbers::exp(1.0) - std::f64::consts::E).abs() < 1e-15);
/// ```
#[must_use]
pub fn exp(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x < -EXP_MAX {
        return 0.0;
    }
    let x = x.min(EXP_MAX);
    let halvings = x * std::f64::consts::LOG2_E;
    let power = (halvings + if halvings < 0.0 { -0.5 } else { 0.5 }) as i64;
    // x = power ln 2 + rest, |rest| <= 0.35; ln 2 in two parts, so that nothing is lost in the product.
    let rest = (x - power as f64 * LN_2_HIGH) - power as f64 * LN_2_LOW;
    let mut sum = 1.0;
    for term in (1..=EXP_TERMS).rev() {
        sum = sum * rest / f64::from(term) + 1.0;
    }
    sum * f64::from_bits(((power + 1023) as u64) << 52)
}

/// The probability whose log-odds are `x`.
#[must_use]
pub fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

/// The upper 32 bits of ln 2's mantissa, and the rest.
const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// A number in `[0, 1)` with 53 random bits.
pub(crate) fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / 9_007_199_254_740_992.0
}

/// A standard normal number (Marsaglia's polar method: needs only a logarithm and a square root).
pub(crate) fn normal(rng: &mut ChaCha8Rng) -> f64 {
    loop {
        let u = 2.0 * uniform(rng) - 1.0;
        let v = 2.0 * uniform(rng) - 1.0;
        let s = u * u + v * v;
        if s > 0.0 && s < 1.0 {
            return u * (-2.0 * ln(s) / s).sqrt();
        }
    }
}

/// A whole number below `bound` (which must not be 0). The bias is below 2^-32 for the small bounds used here.
pub(crate) fn below(rng: &mut ChaCha8Rng, bound: u64) -> u64 {
    let wide = u128::from(rng.next_u64()) * u128::from(bound);
    (wide >> 64) as u64
}

/// Brings `items` into one of all orders (Fisher and Yates).
pub(crate) fn shuffle<T>(rng: &mut ChaCha8Rng, items: &mut [T]) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(rng, last as u64 + 1) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_agrees_with_the_platforms() {
        for power in -300..300 {
            for mantissa in [1.0, 1.3, 1.41, 1.42, 1.9, 2.0, 7.7] {
                let x = mantissa * 10f64.powi(power);
                assert!((ln(x) - x.ln()).abs() <= 4e-16 * x.ln().abs() + 1e-16, "{x}");
            }
        }
        assert!((ln(5e-324) - 5e-324_f64.ln()).abs() < 1e-12);
        assert!(ln(0.0).is_nan() && ln(-1.0).is_nan() && ln(f64::INFINITY).is_nan());
    }

    #[test]
    fn the_exponential_agrees_with_the_platforms() {
        for step in -70_800..=70_800 {
            let x = f64::from(step) / 100.0;
            assert!((exp(x) / x.exp() - 1.0).abs() <= 1e-15, "{x}");
        }
        assert_eq!((exp(-1e9), exp(f64::NEG_INFINITY), exp(0.0)), (0.0, 0.0, 1.0));
        assert!(exp(f64::INFINITY).is_finite() && exp(f64::NAN).is_nan());
        assert!((logistic(ln(3.0)) - 0.75).abs() < 1e-15);
    }
}
