//! Tests of the parsing, the arithmetic and the text of decimals.

use super::Decimal;
use crate::genius::{GeniusError, MAX_DIGITS};
use proptest::prelude::*;

fn number(text: &str) -> Decimal {
    Decimal::read(text).unwrap_or_else(|cause| panic!("{text}: {cause}"))
}

#[test]
fn numbers_in_java_notation_are_parsed() {
    for (text, plain) in [
        ("0", "0"),
        ("-0.0", "0"),
        ("12", "12"),
        ("+12.50", "12.5"),
        ("007", "7"),
        (" 0.049028952379678074 ", "0.049028952379678074"),
        ("-.5", "-0.5"),
        ("5.", "5"),
        ("1.0E-4", "0.0001"),
        ("-2.5e+3", "-2500"),
        ("3E2", "300"),
        ("120e-1", "12"),
        ("0e999", "0"),
        ("0.1e40", "1000000000000000000000000000000000000000"),
    ] {
        assert_eq!(number(text).to_string(), plain, "{text}");
    }
}

#[test]
fn malformed_and_too_long_numbers_are_rejected() {
    for text in ["", " ", ".", "-", "e5", "1e", "1e+", "1,5", "0x10", "NaN", "Infinity", "1.2.3", "--1", "1 2", "١"] {
        let error = Decimal::read(text).unwrap_err();
        assert_eq!(error, GeniusError::NotANumber { found: text.to_owned() }, "{text}");
    }
    let (longest, longer) = ("9".repeat(MAX_DIGITS), "9".repeat(MAX_DIGITS + 1));
    for text in [&longest, &format!("0.{longest}"), &format!("{longest}.{longest}"), "1e39", "1e-40"] {
        assert!(Decimal::read(text).is_ok(), "{text}");
    }
    let endless = "1".repeat(1_000_000);
    for text in [&longer, &format!("0.{longer}"), "1e41", "1e-41", "1e9999", "1e-99999999999999999999", &endless] {
        assert_eq!(Decimal::read(text).unwrap_err(), GeniusError::NumberTooLong, "{text:.50}");
    }
}

#[test]
fn sums_and_products_are_exact() {
    assert_eq!(number("0.1").plus(&number("0.2")), number("0.3"));
    assert_eq!(number("0.1").times(&number("3")).to_string(), "0.3");
    assert_eq!(number("0.3704517173416688").times(&number("370")).to_string(), "137.067135416417456");
    assert_eq!(number("-0.5").times(&number("0.02")).to_string(), "-0.01");
    assert!(number("-3") < number("-2.5") && number("0.10") == number("0.1") && number("10") > number("9.99"));
}

#[test]
fn quotients_are_exact_or_rounded_half_to_even() {
    for (dividend, divisor, quotient) in [
        ("1", "8", "0.125"),
        ("-1", "3", "-0.3333333333333333333333333"),
        ("2", "3", "0.6666666666666666666666667"),
        ("2", "-0.003", "-666.6666666666666666666667"),
        ("0", "7", "0"),
        ("1e-30", "3", "0.0000000000000000000000000000003333333333333333333333333"),
        ("1e39", "1", "1000000000000000000000000000000000000000"),
        // These quotients are halfway between two results, the first after an even digit, the second after an odd one.
        ("1.0000000000000000000000005", "1", "1"),
        ("1.0000000000000000000000015", "1", "1.000000000000000000000002"),
    ] {
        let found = number(dividend).over(&number(divisor)).unwrap();
        assert_eq!(found.to_string(), quotient, "{dividend} / {divisor}");
    }
    assert!(number("1").over(&number("0.0")).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parsing_never_panics(text in "[-+.eE0-9]{0,50}") {
        let _ = Decimal::read(&text);
    }

    #[test]
    fn written_decimals_parse_to_the_same_number(digits in any::<i64>(), exponent in -20i32..20) {
        let first = number(&format!("{digits}e{exponent}"));
        prop_assert_eq!(&number(&first.to_string()), &first);
        let double: f64 = format!("{digits}e{exponent}").parse().unwrap();
        prop_assert_eq!(first.to_string().parse::<f64>().unwrap(), double);
    }

    #[test]
    fn a_quotient_times_its_divisor_is_the_dividend(dividend in any::<i32>(), divisor in 1i64.., places in 0u32..9) {
        let divisor = number(&format!("{divisor}e-{places}"));
        let quotient = Decimal::whole(dividend.into()).over(&divisor).unwrap();
        let back: f64 = quotient.times(&divisor).to_string().parse().unwrap();
        prop_assert_eq!(back, f64::from(dividend));
        prop_assert!(quotient.to_string().trim_start_matches(['-', '0', '.']).replace('.', "").len() <= 25);
    }
}
