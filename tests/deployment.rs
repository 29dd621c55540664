//! What is deployed is what there is. That generated files are up to date is checked by `cargo run --bin generate -- --check`, and
//! the expanded stacks by `tests/deploy/check`.

use std::path::Path;

use functions::routes;
use shared::domain::limit::Limit;
use shared::http::Route;

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_limit_is_documented_and_limits_a_route() {
    let page = file("docs/configuration.md");
    for limit in Limit::ALL {
        let (variable, rate) = (limit.variable(), limit.default_rate());
        assert!(
            page.contains(&format!("| `{variable}` | `{rate}` |")),
            "docs/configuration.md lacks {variable}, or has not {rate}"
        );
        assert!(routes().any(|route| route.limit == Some(*limit)), "{limit} limits no route");
    }
}

/// A limit counts a client's requests on one partition of the table, which takes 1,000 writes a second; a full bucket lets its
/// rate and its burst through in one.
#[test]
fn no_limit_counts_more_than_a_partition_takes() {
    let template = file("template.yaml");
    for limit in Limit::ALL {
        let limited = routes().filter(|route| route.limit == Some(*limit));
        let passed: u32 = limited
            .flat_map(Route::endpoints)
            .map(|(method, path)| throttle(&template, &format!("{method} {path}")))
            .sum();
        assert!((1..=1000).contains(&passed), "{limit}: {passed} requests in a second");
    }
}

/// What the gateway lets through to a route in one second at most. Without settings of its own that is far too much.
fn throttle(template: &str, key: &str) -> u32 {
    let settings = template.lines().find_map(|line| line.trim_start().strip_prefix(key)?.strip_prefix(": "));
    let settings = settings.and_then(|text| text.strip_prefix('{')?.strip_suffix('}'));
    let settings = settings.unwrap_or_else(|| panic!("{key} has no throttle of its own in template.yaml"));
    settings.split(", ").map(|setting| setting.split_once(": ").unwrap().1.parse::<u32>().unwrap()).sum()
}
