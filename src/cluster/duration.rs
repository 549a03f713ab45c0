//! Durations as kubectl's flags write them.

use std::time::Duration;

/// Reads a duration in Go's notation (`1m30s`, `500ms`, `1.5h`), or whole seconds (`30`), as kubectl's
/// `--request-timeout` does (cli-runtime, `ParseTimeout`). `0` is zero.
///
/// # Errors
/// One sentence that says what was expected.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!("\"{text}\" is not a duration: write whole seconds (30) or a number with a unit (500ms, 10s, 2m, 1h)")
    };
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let number_ends = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(number_ends);
        let unit_ends = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_ends);
        let part = seconds_in(unit)
            .zip(number.parse::<f64>().ok())
            .and_then(|(unit, number)| Duration::try_from_secs_f64(unit * number).ok())
            .ok_or_else(wrong)?;
        total = total.checked_add(part).ok_or_else(wrong)?;
        rest = tail;
    }
    Ok(total)
}

fn seconds_in(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    })
}

/// A duration for people: `10s`, `1.5s`, `250ms`.
pub(crate) fn show_duration(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        return format!("{}ms", duration.as_millis());
    }
    let seconds = (duration.as_secs_f64() * 10.0).round() / 10.0;
    format!("{seconds}s")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_kubectl_reads() {
        for (text, milliseconds) in [
            ("0", 0),
            ("30", 30_000),
            ("0s", 0),
            ("10s", 10_000),
            ("1m30s", 90_000),
            ("1.5h", 5_400_000),
            ("500ms", 500),
            ("+2s", 2_000),
            (".5s", 500),
            ("1500us", 1),
        ] {
            assert_eq!(parse_duration(text).unwrap().as_millis(), milliseconds, "{text}");
        }
    }

    #[test]
    fn refuses_the_rest_without_panic() {
        for text in ["", "-1s", "s", "10x", "1m30", "1..5s", "1e400s", "999999999999999999999h", "+", "1 s", "ten"] {
            let sentence = parse_duration(text).unwrap_err();
            assert!(sentence.contains(text) && sentence.contains("10s"), "{sentence}");
        }
    }

    #[test]
    fn shows_short_ones_short() {
        assert_eq!(show_duration(Duration::from_millis(250)), "250ms");
        assert_eq!(show_duration(Duration::from_secs(10)), "10s");
        assert_eq!(show_duration(Duration::from_millis(1540)), "1.5s");
    }
}
