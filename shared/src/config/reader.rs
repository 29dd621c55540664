//! Reads variables one by one and collects all problems.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

use crate::clock::Timestamp;

/// Maximum size of a configured URL in bytes of HTML: with the rest of a link it fits into one line of an email, of which RFC 5322,
/// 2.1.1, allows 998.
const LONGEST_URL: usize = 800;

/// Where variables are looked up, and every problem found so far.
pub(super) struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    pub problems: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup, problems: Vec::new() }
    }

    pub(super) fn optional(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.trim().is_empty())
    }

    pub(super) fn required(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.problems.push(format!("{name} is not set"));
            String::new()
        })
    }

    pub(super) fn url(&mut self, name: &str) -> String {
        let url = self.required(name);
        let of_web = Url::parse(&url).is_ok_and(|url| ["http", "https"].contains(&url.scheme()));
        if !url.is_empty() && (!of_web || url.contains(|c: char| c.is_whitespace() || c.is_control())) {
            self.problems.push(format!("{name} must be an http or https URL"));
        }
        // In the HTML of an email these two are escaped.
        if url.len() + url.matches('&').count() * 4 + url.matches('\'').count() * 5 > LONGEST_URL {
            self.problems.push(format!("{name} is too long for a line of an email"));
        }
        url.trim_end_matches('/').to_owned()
    }

    pub(super) fn optional_url(&mut self, name: &str) -> Option<String> {
        self.optional(name).map(|_| self.url(name))
    }

    pub(super) fn parsed<T: FromStr<Err: fmt::Display>>(&mut self, name: &str) -> Option<T> {
        self.optional(name)?.parse().map_err(|problem| self.problems.push(format!("{name}: {problem}"))).ok()
    }

    /// `on` or `off`; on unless set.
    pub(super) fn switch(&mut self, name: &str) -> bool {
        match self.optional(name).as_deref() {
            None | Some("on") => true,
            Some("off") => false,
            Some(_) => {
                self.problems.push(format!("{name} must be `on` or `off`"));
                true
            }
        }
    }

    /// A whole number within a range.
    pub(super) fn number<T: FromStr + PartialOrd + fmt::Display>(
        &mut self,
        name: &str,
        range: RangeInclusive<T>,
    ) -> Option<T> {
        let number = self.optional(name)?.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            self.problems.push(format!("{name} must be a number from {} to {}", range.start(), range.end()));
        }
        number
    }

    /// An RFC 3339 time.
    pub(super) fn time(&mut self, name: &str) -> Option<Timestamp> {
        let time = Timestamp::parse(self.optional(name)?.trim());
        if time.is_none() {
            self.problems.push(format!("{name} must be an RFC 3339 time, such as 2027-06-30T00:00:00Z"));
        }
        time
    }

    pub(super) fn days(&mut self, name: &str, range: RangeInclusive<u64>) -> Option<Duration> {
        self.number(name, range).map(|days| Duration::from_hours(days * 24))
    }
}
