//! Numbers of preferences, added exactly: the decimals that they are written as, not the binary fractions nearest to
//! them. 0.1 and 0.2 are 0.3 then, and packages that are equally good are found to be so.

/// The most digits of all numbers of one question on a common scale: their sums stay far below the largest integer.
const MOST_DIGITS: usize = 30;

/// A number as digits and the number of those after the point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    digits: i128,
    places: usize,
}

impl Decimal {
    /// The shortest decimal that is read as this number; `None` where it has too many digits.
    pub(super) fn shortest(number: f64) -> Option<Self> {
        // Never with an exponent, always the fewest digits that tell the number from its neighbours.
        let text = format!("{number}");
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let written = format!("{whole}{fraction}");
        let digits: i128 = (written.len() <= MOST_DIGITS).then(|| written.parse().ok()).flatten()?;
        Some(Self { digits, places: fraction.len() })
    }

    /// The number times ten to the power of `scale`; `None` where it has too many digits.
    pub(super) fn scaled(&self, scale: usize) -> Option<i128> {
        let factor = 10i128.checked_pow(u32::try_from(scale.checked_sub(self.places)?).ok()?)?;
        let scaled = self.digits.checked_mul(factor)?;
        (scaled.unsigned_abs() < 10u128.pow(MOST_DIGITS as u32)).then_some(scaled)
    }

    /// How many digits are after the point.
    pub(super) fn places(&self) -> usize {
        self.places
    }
}

/// A sum on a scale as the number nearest to it.
pub(super) fn to_f64(scaled: i128, scale: usize) -> f64 {
    let sign = if scaled < 0 { "-" } else { "" };
    format!("{sign}{}e-{scale}", scaled.unsigned_abs()).parse().unwrap_or(f64::NAN)
}
