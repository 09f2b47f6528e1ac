//! Lengths of time as people write them: `3600s`, `30m`, `12h`, `30d`, `1h30m`, `250ms`, or a bare number of seconds.
//!
//! Months and years are left out on purpose: they have no fixed length.

use std::time::Duration;

/// Why a text is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a length of time. Write a number with ms, s, m, h or d, for example 30s, 12h or 30d")]
pub struct NotADuration(pub String);

/// Parses `text`. A bare number means seconds. Parts may follow each other (`1h30m`); fractions are accepted (`1.5h`).
pub fn parse(text: &str) -> Result<Duration, NotADuration> {
    let wrong = || NotADuration(text.to_owned());
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "" | "s" => 1.0,
            "ms" => 0.001,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return Err(wrong()),
        };
        rest = &rest[letters..];
        let part = Duration::try_from_secs_f64(number * unit).map_err(|_| wrong())?;
        total = total.checked_add(part).ok_or_else(wrong)?;
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, seconds) in [
            ("3600s", 3600.0),
            ("30", 30.0),
            ("30m", 1800.0),
            ("12h", 43_200.0),
            ("30d", 2_592_000.0),
            ("1h30m", 5400.0),
            ("250ms", 0.25),
            ("1.5h", 5400.0),
            (" 2s ", 2.0),
            ("0", 0.0),
        ] {
            assert_eq!(parse(text).map(|d| d.as_secs_f64()), Ok(seconds), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "",
            " ",
            "s",
            "abc",
            "10 parsecs",
            "-5s",
            "1e5s",
            "1h 30m",
            "1..5s",
            "1y",
            "99999999999999999999d",
        ] {
            assert_eq!(parse(text), Err(NotADuration(text.to_owned())), "{text}");
        }
    }
}
