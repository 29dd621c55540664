//! `bench/prices.toml`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceList {
    pub region: String,
    /// When AWS's pages said so.
    pub as_of: String,
    prices: BTreeMap<String, Price>,
    pub assumptions: Assumptions,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    pub usd: f64,
    /// For so many of `unit`.
    pub per: f64,
    pub unit: String,
    /// AWS's page.
    source: String,
}

/// What cannot be measured on one machine; `bench/prices.toml` says what each is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assumptions {
    pub dynamodb_ms: f64,
    pub firehose_ms: f64,
    pub core: f64,
    pub platform_log_bytes: f64,
    pub access_log_bytes: f64,
}

impl PriceList {
    pub fn read() -> Self {
        Self::parse(
            &std::fs::read_to_string("bench/prices.toml").expect("to be started in the folder of the workspace"),
        )
    }

    pub fn parse(text: &str) -> Self {
        toml::from_str(text).unwrap_or_else(|error| panic!("bench/prices.toml: {error}"))
    }

    /// The pages that the prices are from.
    pub fn sources(&self) -> String {
        let pages: BTreeSet<&str> = self.prices.values().map(|price| price.source.as_str()).collect();
        pages.into_iter().collect::<Vec<_>>().join(", ")
    }

    pub fn of(&self, name: &str) -> &Price {
        self.prices.get(name).unwrap_or_else(|| panic!("bench/prices.toml has no {name}"))
    }
}
