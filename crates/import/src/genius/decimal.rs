//! Decimal numbers with exact sums and products, and with exact text.
//!
//! Owns the parsing and the arithmetic of the numbers in GENIUS files, which rate the options of a negotiation. Doubles
//! are not exact: 0.1 times 3 is not 0.3, so deals that are equally good would compare as different. Must not know of
//! issues or of the files that contain the numbers.

use super::fault::GeniusError;
use super::limits::MAX_DIGITS;
use num_bigint::{BigInt, Sign};
use std::cmp::Ordering;
use std::fmt;

/// The number of significant digits to which a longer quotient is rounded.
///
/// 17 digits distinguish doubles, but a quotient rounded to 17 digits does not always parse to the double nearest to
/// the exact quotient. With 25 digits, this goes wrong for only one quotient in millions.
const QUOTIENT_DIGITS: usize = 25;

/// A decimal number: its digits, and how many of them are after the decimal point.
#[derive(Clone, Debug)]
pub(super) struct Decimal {
    digits: BigInt,
    places: usize,
}

fn power_of_ten(exponent: usize) -> BigInt {
    BigInt::from(10).pow(u32::try_from(exponent).unwrap_or(u32::MAX))
}

fn count_digits(number: &BigInt) -> usize {
    number.magnitude().to_string().len()
}

impl Decimal {
    pub(super) fn whole(number: i64) -> Self {
        Self { digits: number.into(), places: 0 }
    }

    /// Parses a number as Java writes it: `0.25`, `12`, `1.0E-4`.
    ///
    /// # Errors
    /// Returns an error if the text is not a decimal number, or has more than [`MAX_DIGITS`] digits before or after its
    /// point.
    pub(super) fn read(text: &str) -> Result<Self, GeniusError> {
        let not_a_number = || GeniusError::NotANumber { found: text.chars().take(MAX_DIGITS).collect() };
        let (mantissa, exponent) = match text.trim().split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent),
            None => (text.trim(), "0"),
        };
        let (negative, unsigned) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits = format!("{whole}{fraction}");
        let exponent_digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(&digits) || !all_digits(exponent_digits) {
            return Err(not_a_number());
        }
        // Limit both lengths before a power of ten is computed, so that the size of the result is bounded.
        if digits.len() > 4 * MAX_DIGITS || exponent_digits.len() > 4 {
            return Err(GeniusError::NumberTooLong);
        }
        let exponent: i64 = exponent.parse().map_err(|_| not_a_number())?;
        let magnitude = digits.bytes().fold(BigInt::ZERO, |number, digit| number * 10 + (digit - b'0'));
        let behind = i64::try_from(fraction.len()).map_err(|_| GeniusError::NumberTooLong)? - exponent;
        let number = if negative { -magnitude } else { magnitude };
        let number = match usize::try_from(behind) {
            Ok(places) => Self { digits: number, places }.reduced(),
            Err(_) if number == BigInt::ZERO => Self::whole(0),
            Err(_) => {
                let zeros = usize::try_from(behind.unsigned_abs()).map_err(|_| GeniusError::NumberTooLong)?;
                if zeros > MAX_DIGITS {
                    return Err(GeniusError::NumberTooLong);
                }
                Self { digits: number * power_of_ten(zeros), places: 0 }
            }
        };
        let fits = number.places <= MAX_DIGITS && count_digits(&number.digits) <= MAX_DIGITS + number.places;
        fits.then_some(number).ok_or(GeniusError::NumberTooLong)
    }

    /// Removes trailing zeros after the decimal point.
    fn reduced(mut self) -> Self {
        while self.places > 0 && &self.digits % 10 == BigInt::ZERO {
            self.digits /= 10;
            self.places -= 1;
        }
        self
    }

    /// Returns the digits of both numbers, written with equally many decimal places, and the number of these places.
    fn aligned(&self, other: &Self) -> (BigInt, BigInt, usize) {
        let places = self.places.max(other.places);
        let scaled = |number: &Self| &number.digits * power_of_ten(places - number.places);
        (scaled(self), scaled(other), places)
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        let (one, two, places) = self.aligned(other);
        Self { digits: one + two, places }.reduced()
    }

    pub(super) fn times(&self, other: &Self) -> Self {
        Self { digits: &self.digits * &other.digits, places: self.places + other.places }.reduced()
    }

    /// Divides two numbers; returns `None` for a division by zero.
    ///
    /// A quotient with more digits than [`QUOTIENT_DIGITS`] is rounded half to even.
    pub(super) fn over(&self, divisor: &Self) -> Option<Self> {
        let (dividend, divisor, _) = self.aligned(divisor);
        if divisor == BigInt::ZERO {
            return None;
        }
        let negative = (dividend.sign() == Sign::Minus) != (divisor.sign() == Sign::Minus);
        let dividend = BigInt::from(dividend.magnitude().clone());
        let divisor = BigInt::from(divisor.magnitude().clone());
        // The quotient of numbers with m and n digits has m - n or m - n + 1 digits before its point.
        let digits_before = (count_digits(&dividend) + 1).saturating_sub(count_digits(&divisor));
        let leading_zeros = count_digits(&divisor).saturating_sub(count_digits(&dividend) + 1);
        let mut places = (QUOTIENT_DIGITS + leading_zeros + 2).saturating_sub(digits_before);
        let mut quotient = rounded(&(&dividend * power_of_ten(places)), &divisor);
        while count_digits(&quotient) > QUOTIENT_DIGITS && places > 0 {
            places -= 1;
            quotient = rounded(&(&dividend * power_of_ten(places)), &divisor);
        }
        Some(Self { digits: if negative { -quotient } else { quotient }, places }.reduced())
    }
}

/// Divides two positive numbers and rounds to the nearest integer, half to even.
fn rounded(dividend: &BigInt, divisor: &BigInt) -> BigInt {
    let (quotient, rest): (BigInt, BigInt) = (dividend / divisor, dividend % divisor);
    let is_odd = &quotient % 2 != BigInt::ZERO;
    let twice: BigInt = rest * 2;
    match twice.cmp(divisor) {
        Ordering::Greater => quotient + 1,
        Ordering::Equal if is_odd => quotient + 1,
        Ordering::Equal | Ordering::Less => quotient,
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let (one, two, _) = self.aligned(other);
        one.cmp(&two)
    }
}

/// Writes all digits and never an exponent, as in `-0.0005`.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.digits.sign() == Sign::Minus { "-" } else { "" };
        let digits = format!("{:0>width$}", self.digits.magnitude().to_string(), width = self.places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - self.places);
        if fraction.is_empty() { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{fraction}") }
    }
}

#[cfg(test)]
mod tests;
