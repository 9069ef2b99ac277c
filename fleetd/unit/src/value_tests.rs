use super::*;
use proptest::prelude::*;

#[test]
fn booleans_are_systemds() {
    for yes in ["1", "yes", "Y", "true", "T", "ON"] {
        assert_eq!(boolean(yes), Ok(true));
    }
    for no in ["0", "No", "n", "false", "f", "off"] {
        assert_eq!(boolean(no), Ok(false));
    }
    for bad in ["", "2", "ja", "yes "] {
        assert_eq!(boolean(bad), Err("it takes yes or no".to_owned()));
    }
}

#[test]
fn time_spans_are_systemds() {
    let micros = |text: &str| time_span(text).map(|span| span.map(|s| s.as_micros()));
    for (text, expected) in [
        ("0", 0),
        ("30", 30_000_000),
        ("1min 30s", 90_000_000),
        ("1min30s", 90_000_000),
        ("2 h", 7_200_000_000),
        ("1.5s", 1_500_000),
        ("0.25min", 15_000_000),
        ("100ms", 100_000),
        ("5us 5µs", 10),
        ("1y 1M 1w 1d", 31_557_600_000_000 + 2_629_800_000_000 + 604_800_000_000 + 86_400_000_000),
        ("3 30s", 33_000_000),
    ] {
        assert_eq!(micros(text), Ok(Some(expected)), "{text}");
    }
    assert_eq!(time_span("infinity"), Ok(None));
    for bad in ["", " ", "-1", "1 parsec", "s", "1.", ".5", "1..5", "99999999999999y", "infinity 1"]
    {
        assert!(time_span(bad).is_err(), "{bad:?} was taken");
    }
}

#[test]
fn sizes_have_base_1024() {
    for (text, expected) in [
        ("0", 0),
        ("1024", 1024),
        ("1K", 1024),
        ("512M", 512 << 20),
        ("1.5G", 3 << 29),
        ("2T", 2 << 40),
        ("64mb", 64 << 20),
        ("100b", 100),
        ("1 G", 1 << 30),
    ] {
        assert_eq!(size(text), Ok(expected), "{text}");
    }
    for bad in ["", "K", "-1", "1X", "1KiB", "1.K", "99999999999E", "0x10", "+1"] {
        assert!(size(bad).is_err(), "{bad:?} was taken");
    }
}

#[test]
fn percentages_have_two_places() {
    assert_eq!(percent("150%"), Ok(15_000));
    assert_eq!(percent("12.5%"), Ok(1_250));
    assert_eq!(percent("0.01 %"), Ok(1));
    for bad in ["", "50", "%", "-5%", "1.234%", "5%%"] {
        assert!(percent(bad).is_err(), "{bad:?} was taken");
    }
}

#[test]
fn signals_have_names_and_numbers() {
    for (text, expected) in [
        ("SIGTERM", 15),
        ("TERM", 15),
        ("9", 9),
        ("SIGSYS", 31),
        ("SIGHUP", 1),
        ("SIGRTMIN", 34),
        ("RTMIN+3", 37),
        ("SIGRTMAX-1", 63),
        ("64", 64),
    ] {
        assert_eq!(signal(text), Ok(expected), "{text}");
    }
    for bad in ["", "0", "65", "SIG", "SIGFOO", "term", "RTMIN-1", "RTMIN+31", "RTMAX+1", "-9"] {
        assert!(signal(bad).is_err(), "{bad:?} was taken");
    }
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in ".{0,30}|[0-9.%a-zA-Zµ +-]{0,20}") {
        let _ = (boolean(&text), number(&text), time_span(&text), size(&text), percent(&text), signal(&text));
    }

    #[test]
    fn a_time_of_parts_is_their_sum(min in 0u64..100_000, s in 0u64..100_000, ms in 0u64..100_000) {
        let text = format!("{min}min {s}s{ms}ms");
        let expected = Duration::from_millis(min * 60_000 + s * 1000 + ms);
        prop_assert_eq!(time_span(&text), Ok(Some(expected)));
    }
}
