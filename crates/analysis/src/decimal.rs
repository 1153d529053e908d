//! The numbers of preferences as decimals, which are added exactly.
//!
//! Owns the conversion of an `f64` to the decimal in which a person wrote it, and back. With exact sums, 0.1 and 0.2
//! make 0.3, so packages that are equally good compare as equal. Must not know of preferences or packages.

/// The maximum number of digits of a number after it has been multiplied by a power of ten.
///
/// All numbers of a question are multiplied by the same power, so that they become integers. The limit keeps the sums
/// of these integers far below `i128::MAX`.
const MAX_DIGITS: usize = 30;

/// A decimal number: its digits, and how many of them are after the decimal point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    digits: i128,
    places: usize,
}

impl Decimal {
    /// Returns the shortest decimal that parses to this number; `None` if it has too many digits.
    pub(super) fn shortest(number: f64) -> Option<Self> {
        // `Display` of `f64` never writes an exponent, and writes only as many digits as distinguish the number from
        // its neighbours.
        let text = format!("{number}");
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let written = format!("{whole}{fraction}");
        let digits: i128 = (written.len() <= MAX_DIGITS).then(|| written.parse().ok()).flatten()?;
        Some(Self { digits, places: fraction.len() })
    }

    /// Returns the number times ten to the power of `scale`; `None` if the result has too many digits.
    pub(super) fn scaled(&self, scale: usize) -> Option<i128> {
        let factor = 10i128.checked_pow(u32::try_from(scale.checked_sub(self.places)?).ok()?)?;
        let scaled = self.digits.checked_mul(factor)?;
        (scaled.unsigned_abs() < 10u128.pow(MAX_DIGITS as u32)).then_some(scaled)
    }

    /// Returns the number of digits after the decimal point.
    pub(super) fn places(&self) -> usize {
        self.places
    }
}

/// Divides a sum by ten to the power of `scale`, and returns the nearest `f64`.
pub(super) fn to_f64(scaled: i128, scale: usize) -> f64 {
    let sign = if scaled < 0 { "-" } else { "" };
    format!("{sign}{}e-{scale}", scaled.unsigned_abs()).parse().unwrap_or(f64::NAN)
}
