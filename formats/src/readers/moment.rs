//! Dates and times as databases and products write them.

use serde_json::Value;
use time::{Duration, OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// From here on a number counts milliseconds, below it seconds: the year 5138 in the one, March 1973 in the other.
const MILLISECONDS_FROM: f64 = 1e11;

/// A moment in RFC 3339, in UTC.
///
/// Numbers are seconds or milliseconds since 1970. Texts are such a number, RFC 3339, or what databases and Python write
/// (`2024-01-02 03:04:05.678+00`); without an offset they are UTC. The `{"$date": ...}` of `MongoDB` is either.
pub(crate) fn rfc3339(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => since_1970(number.as_f64()?),
        Value::String(text) => match text.trim().parse() {
            Ok(number) => since_1970(number),
            Err(_) => format(OffsetDateTime::parse(&complete(text.trim())?, &Rfc3339).ok()?),
        },
        Value::Object(members) => members.get("$date").filter(|date| !date.is_object()).and_then(rfc3339),
        _ => None,
    }
}

fn since_1970(number: f64) -> Option<String> {
    let seconds = if number.abs() < MILLISECONDS_FROM { number } else { number / 1000.0 };
    let moment = OffsetDateTime::UNIX_EPOCH.checked_add(Duration::checked_seconds_f64(seconds)?)?;
    // A binary fraction of a second is exact to the millisecond.
    let rounded = moment.checked_add(Duration::microseconds(500))?;
    format(rounded.replace_millisecond(rounded.millisecond()).ok()?)
}

fn format(moment: OffsetDateTime) -> Option<String> {
    moment.checked_to_offset(UtcOffset::UTC)?.format(&Rfc3339).ok()
}

/// Adds what RFC 3339 asks for: the `T` and a whole offset.
fn complete(text: &str) -> Option<String> {
    let (date, rest) = text.split_at_checked(10)?;
    let time = rest.strip_prefix(['T', 't', ' ']).unwrap_or("00:00:00");
    let at = time.find(['+', '-', 'Z', 'z', ' ']).unwrap_or(time.len());
    let (clock, offset) = time.split_at_checked(at)?;
    let offset = offset.trim();
    let offset = match offset.len() {
        _ if matches!(offset, "" | "Z" | "z" | "UTC") => "Z".to_owned(),
        3 => format!("{offset}:00"),
        5 => format!("{}:{}", offset.get(..3)?, offset.get(3..)?),
        _ => offset.to_owned(),
    };
    Some(format!("{date}T{clock}{offset}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_way_to_write_a_moment_is_read() {
        for (source, expected) in [
            (json!("2024-01-02 03:04:05.678+00"), Some("2024-01-02T03:04:05.678Z")),
            (json!("2024-01-02 03:04:05.678901+00:00"), Some("2024-01-02T03:04:05.678901Z")),
            (json!("2024-01-02 03:04:05 UTC"), Some("2024-01-02T03:04:05Z")),
            (json!("2024-01-02T03:04:05+0530"), Some("2024-01-01T21:34:05Z")),
            (json!("2024-01-02 03:04:05"), Some("2024-01-02T03:04:05Z")),
            (json!("2024-01-02"), Some("2024-01-02T00:00:00Z")),
            (json!("1704164645678"), Some("2024-01-02T03:04:05.678Z")),
            (json!(1_704_164_645_678_u64), Some("2024-01-02T03:04:05.678Z")),
            (json!(1_704_164_645.678), Some("2024-01-02T03:04:05.678Z")),
            (json!({"$date": "2019-12-06T18:36:12.412Z"}), Some("2019-12-06T18:36:12.412Z")),
            (json!({"$date": {"$date": 1}}), None),
            (json!("soon"), None),
            (json!("2024-13-02 03:04:05"), None),
            (json!("ääääääää 03"), None),
            (json!("NaN"), None),
            (json!("1e300"), None),
            (json!(true), None),
        ] {
            assert_eq!(rfc3339(&source).as_deref(), expected, "{source}");
        }
    }
}
