//! Which of the two types that some routes answer with, JSON and HTML, a request asks for by its `Accept` (RFC 9110, 12.5.1).
//!
//! The type of greater weight wins. A type's weight is that of the most specific range that matches it: its name before
//! `type/*` before `*/*`; a name with parameters that our answers do not have comes behind the bare name. Where both weigh
//! the same the answer is JSON, as programs that name nothing expect, unless HTML is named. A range that cannot be read
//! counts as if it were not there. `*` alone and a weight of `.2` are read, because Java's own client sends them.

use super::{HandlerArgument, Needs};
use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::http::request::Parts;

const HTML: (&str, &str) = ("text", "html");
const JSON: (&str, &str) = ("application", "json");

/// Whether the caller wants a page rather than JSON, as browsers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantsHtml(pub bool);

/// Whether the caller names JSON and wants it more than anything else. What follows links without a person (previews in
/// chats, scanners of emails) sends `*/*` or nothing, so a GET that has an effect asks for this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefersJsonByName(pub bool);

/// Whether HTML weighs more than JSON, or as much and is named.
#[must_use]
pub fn wants_html(accept: &str) -> bool {
    let ranges = ranges(accept);
    let (html, json) = (best(&ranges, HTML), best(&ranges, JSON));
    html.weight > json.weight || (html.is_named() && html.weight > 0.0 && html.weight >= json.weight)
}

/// Whether `application/json` is named, no range weighs more, and HTML is not what the answer would be: `application/json, */*`,
/// which HTTP clients for JavaScript send, names what it came for.
#[must_use]
pub fn prefers_json_by_name(accept: &str) -> bool {
    let ranges = ranges(accept);
    let json = best(&ranges, JSON);
    let outweighed = ranges.iter().any(|range| range.weight > json.weight);
    json.is_named() && json.weight > 0.0 && !outweighed && !wants_html(accept)
}

/// How closely a range fits a type, the closest last.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
enum Fit {
    None,
    Anything,
    Kind,
    /// The name, with parameters that our answers do not have.
    Variant,
    Name,
}

/// What a header says of one type. The fit comes first, as it goes before the weight.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
struct Match {
    fit: Fit,
    weight: f32,
}

impl Match {
    fn is_named(self) -> bool {
        self.fit >= Fit::Variant
    }
}

struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// Whether it has parameters other than the charset of all responses.
    varies: bool,
    /// From 0, not acceptable, to 1.
    weight: f32,
}

impl<'a> Range<'a> {
    fn parse(element: &'a str) -> Option<Self> {
        let mut parts = split_unquoted(element, ';').map(str::trim);
        let (kind, subtype) = match parts.next()? {
            "*" => ("*", "*"),
            name => name.split_once('/')?,
        };
        let mut range = Self { kind, subtype, varies: false, weight: 1.0 };
        for parameter in parts.filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=')?;
            if name.eq_ignore_ascii_case("q") {
                range.weight = weight(value)?;
            } else if !(name.eq_ignore_ascii_case("charset") && value.trim_matches('"').eq_ignore_ascii_case("utf-8")) {
                range.varies = true;
            }
        }
        Some(range)
    }

    fn fit(&self, (kind, subtype): (&str, &str)) -> Fit {
        match (self.kind, self.subtype) {
            ("*", "*") => Fit::Anything,
            (own, "*") if own.eq_ignore_ascii_case(kind) => Fit::Kind,
            (own, sub) if own.eq_ignore_ascii_case(kind) && sub.eq_ignore_ascii_case(subtype) => {
                if self.varies {
                    Fit::Variant
                } else {
                    Fit::Name
                }
            }
            _ => Fit::None,
        }
    }
}

fn ranges(accept: &str) -> Vec<Range<'_>> {
    split_unquoted(accept, ',').filter_map(Range::parse).collect()
}

fn best(ranges: &[Range<'_>], wanted: (&str, &str)) -> Match {
    let nothing = Match { fit: Fit::None, weight: 0.0 };
    let matches = ranges.iter().map(|range| Match { fit: range.fit(wanted), weight: range.weight });
    matches
        .filter(|matched| matched.fit != Fit::None)
        .fold(nothing, |best, other| if other > best { other } else { best })
}

/// From 0 to 1. RFC 9110 ends it after three decimals and wants a digit before the point; clients send more and less.
fn weight(value: &str) -> Option<f32> {
    let decimal = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    value.parse().ok().filter(|weight| decimal && *weight <= 1.0)
}

/// Splits at a separator that is not within a quoted string, where it would be part of a parameter's value.
fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |character: char| {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return character == separator && !quoted,
        }
        false
    })
}

/// The field's values as one list (RFC 9110, 5.3). What is not UTF-8 spoils only the range that it is in.
fn accept(headers: &HeaderMap) -> String {
    let values: Vec<_> =
        headers.get_all(ACCEPT).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    values.join(",")
}

impl HandlerArgument for WantsHtml {
    const NEEDS: Needs = Needs::NOTHING;
}

impl<S: Send + Sync> FromRequestParts<S> for WantsHtml {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(wants_html(&accept(&parts.headers))))
    }
}

impl HandlerArgument for PrefersJsonByName {
    const NEEDS: Needs = Needs::NOTHING;
}

impl<S: Send + Sync> FromRequestParts<S> for PrefersJsonByName {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(prefers_json_by_name(&accept(&parts.headers))))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";
    const JAVA: &str = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2";
    const AXIOS: &str = "application/json, text/plain, */*";

    /// Reported by users of kratos (issue 2063), whose programs got pages.
    #[test]
    fn the_type_of_greatest_weight_wins() {
        for (accept, html, json_by_name) in [
            // What clients send.
            ("", false, false),
            ("*/*", false, false),
            (BROWSER, true, false),
            (JAVA, true, false),
            ("text/html, */*", true, false),
            ("application/json", false, true),
            (AXIOS, false, true),
            ("application/json, text/javascript, */*; q=0.01", false, true),
            ("application/json, application/problem+json", false, true),
            // Weights.
            ("application/json, text/html;q=0.1", false, true),
            ("text/html;q=0.1, application/json", false, true),
            ("application/json;q=0.1, text/html", true, false),
            ("application/json;q=0.899, text/html;q=0.9", true, false),
            ("application/json;q=0.9, text/html;q=0.899", false, true),
            ("text/html;q=0", false, false),
            ("text/html;q=0.000, */*", false, false),
            ("application/json;q=0, */*", true, false),
            ("application/json;q=0", false, false),
            ("application/json;q=0.001", false, true),
            ("application/json;q=1.000, text/html;q=0.999", false, true),
            // As much as each other: HTML where it is named, and JSON is not preferred.
            ("text/html, application/json", true, false),
            ("application/json, text/html", true, false),
            ("application/json;q=0.5, text/html;q=0.5", true, false),
            // The most specific range counts, wherever it is.
            ("*/*, text/html;q=0.5", false, false),
            ("*/*;q=0.1, text/html;q=0.5", true, false),
            ("text/*, application/json;q=0.9", true, false),
            ("text/*, text/html;q=0.1, application/json;q=0.2", false, false),
            ("text/*;q=0.5, application/*;q=0.4", true, false),
            ("text/*, application/*", false, false),
            ("application/*, text/html;q=0.9", false, false),
            ("application/json, */*;q=0.9", false, true),
            ("application/json, application/*", false, true),
            ("application/json, text/*", false, true),
            ("application/json;q=0.9, application/xml", false, false),
            // Case, blanks, empty elements.
            ("TEXT/HTML", true, false),
            ("Application/JSON ; Q=0.5 , Text/Html ; Q=0.4", false, true),
            (" , ,application/json,, ", false, true),
            ("application/json\t;\tq=0.5,text/html;q=0.6", true, false),
            // Parameters.
            ("application/json;charset=utf-8, text/html;q=0.9", false, true),
            ("application/json; charset=\"UTF-8\"; q=0.3, text/html;q=0.4", true, false),
            ("text/html;level=1, text/html;q=0.4, application/json;q=0.5", false, false),
            ("text/html;level=1;q=0.9, application/json;q=0.5", true, false),
            ("application/json;version=1, */*;q=0.1", false, true),
            ("text/html;q=0.2;level=1, application/json;q=0.3", false, true),
            ("text/plain;a=\"x, text/html\", application/json", false, true),
            ("text/plain;a=\"\\\", text/html\", application/json", false, true),
            // What cannot be read is not there.
            ("text/html;q=abc", false, false),
            ("text/html;q=", false, false),
            ("text/html;q=-1, application/json;q=0.1", false, true),
            ("text/html;q=1.5, application/json;q=0.1", false, true),
            ("text/html;q=1e-1", false, false),
            ("text/html;q=NaN, application/json;q=0.1", false, true),
            ("text/html;q=inf", false, false),
            ("text/html;q=0.5.5", false, false),
            ("text/html;q, application/json;q=0.1", false, true),
            ("text/html;q=0.3333333, application/json;q=0.3333332", true, false),
            ("html, application/json", false, true),
            ("json", false, false),
            ("*/html", false, false),
            ("text/html2, xtext/html", false, false),
            ("application/json2, text/html;q=0.1", true, false),
            ("application/vnd.api+json, text/html;q=0.1", true, false),
            ("application/xhtml+xml", false, false),
            ("text/html\u{fffd}, application/json", false, true),
            ("application/json;a=\"", false, true),
        ] {
            assert_eq!(wants_html(accept), html, "HTML: {accept}");
            assert_eq!(prefers_json_by_name(accept), json_by_name, "JSON by name: {accept}");
        }
    }

    #[test]
    fn several_fields_are_one_list_and_bytes_spoil_only_their_range() {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT, HeaderValue::from_static("text/html;q=0.5"));
        headers.append(ACCEPT, HeaderValue::from_bytes(b"image/\xFF, application/json").unwrap());
        assert!(prefers_json_by_name(&accept(&headers)));
        headers.append(ACCEPT, HeaderValue::from_static("text/html"));
        assert!(wants_html(&accept(&headers)));
    }

    proptest! {
        #[test]
        fn no_header_is_read_both_ways(accept in "[a-z/*;=q0-9., \"\\\\]{0,60}|(text/html|application/json|\\*/\\*|;q=0.[0-9]|, )*") {
            prop_assert!(!(wants_html(&accept) && prefers_json_by_name(&accept)));
        }
    }
}
