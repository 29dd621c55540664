//! What is deployed is what there is: the template and the router table of `cargo lambda watch` name the routes and
//! functions of the source. That the API's documentation does, too, stands in `architecture.rs`.

use std::collections::BTreeSet;
use std::path::Path;

use functions::ROUTES;
use shared::domain::limit::Limit;

/// Functions that are no routes of the contract.
const OTHERS: [&str; 4] = ["not_found", "emailer", "image", "sweeper"];

/// A method, a path, and the function that answers.
type Served = BTreeSet<(String, String, String)>;

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn manifest(path: &str) -> toml::Table {
    file(path).parse().unwrap()
}

fn served_by_the_source() -> Served {
    let mut served = Served::new();
    for route in ROUTES {
        for path in route.full_paths() {
            served.extend(route.methods.iter().map(|method| ((*method).into(), path.clone(), route.name.into())));
        }
    }
    served
}

fn functions_of_the_source() -> BTreeSet<String> {
    ROUTES.iter().map(|route| route.name).chain(OTHERS).map(Into::into).collect()
}

fn assert_same<T: Ord + std::fmt::Debug>(source: &BTreeSet<T>, other: &BTreeSet<T>, what: &str) {
    let missing: Vec<_> = source.difference(other).collect();
    let unknown: Vec<_> = other.difference(source).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "{what} lacks {missing:?}, and has what is not there: {unknown:?}"
    );
}

/// `GetUser` as `get_user`: the one name of a function, as the template and as the source spell it.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (at, letter) in name.char_indices() {
        if letter.is_uppercase() && at > 0 {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// The values of a property, wherever in the template it stands on a line of its own.
fn properties<'a>(template: &'a str, name: &str) -> Vec<&'a str> {
    template.lines().filter_map(|line| line.trim_start().strip_prefix(name)?.strip_prefix(": ")).collect()
}

#[test]
fn the_template_has_every_route_and_no_other() {
    let template = file("template.yaml");
    let keys = properties(&template, "RouteKey");
    let targets = properties(&template, "Target");
    assert_eq!(keys.len(), targets.len(), "a route has no target, or a target no route");
    let routes = keys.into_iter().zip(targets).filter(|(key, _)| *key != "$default").map(|(key, target)| {
        let (method, path) = key.split_once(' ').unwrap();
        let function = target.trim_start_matches("!Sub integrations/${").trim_end_matches("Integration}");
        // API Gateway writes what takes the rest of a path as `{asset+}`, axum as `{*asset}`.
        let path = path.replace("{asset+}", "{*asset}");
        (method.to_owned(), path, snake_case(function))
    });
    assert_same(&served_by_the_source(), &routes.collect(), "template.yaml");
}

#[test]
fn what_no_route_takes_goes_to_not_found_in_the_template() {
    let template = file("template.yaml");
    assert!(template.contains("RouteKey: $default\n      Target: !Sub integrations/${NotFoundIntegration}"));
}

#[test]
fn the_template_builds_every_function_from_the_binary_of_its_name() {
    let template = file("template.yaml");
    let mut built = BTreeSet::new();
    let mut resource = "";
    for line in template.lines() {
        if let Some(name) = line.strip_prefix("  ").and_then(|line| line.strip_suffix(':'))
            && name.chars().all(char::is_alphanumeric)
        {
            resource = name;
        }
        if let Some(binary) = line.trim().strip_prefix("BuildProperties: {Binary: ") {
            let binary = binary.trim_end_matches('}');
            assert_eq!(snake_case(resource), binary, "{resource} is built from another function's binary");
            built.insert(binary.to_owned());
        }
    }
    assert_same(&functions_of_the_source(), &built, "template.yaml");
}

#[test]
fn every_function_is_a_binary_and_every_binary_a_function() {
    let manifest = manifest("functions/Cargo.toml");
    let binaries = manifest["bin"].as_array().unwrap().iter().map(|bin| bin["name"].as_str().unwrap().to_owned());
    assert_same(&functions_of_the_source(), &binaries.collect(), "functions/Cargo.toml");
}

#[test]
fn cargo_lambda_watch_serves_every_route_and_no_other() {
    let manifest = manifest("Cargo.toml");
    let table = manifest["workspace"]["metadata"]["lambda"]["watch"]["router"].as_table().unwrap();
    let mut routes = Served::new();
    for (path, served) in table {
        match served.as_array() {
            Some(by_method) => {
                for entry in by_method {
                    let text = |key: &str| entry[key].as_str().unwrap().to_owned();
                    assert!(
                        routes.insert((text("method"), path.clone(), text("function"))),
                        "{path} stands there twice"
                    );
                }
            }
            None => assert_eq!(served.as_str(), Some("not_found"), "{path} takes every method"),
        }
    }
    assert_same(&served_by_the_source(), &routes, "the router table in Cargo.toml");
}

#[test]
fn every_limit_is_documented_can_be_set_and_may_be_counted() {
    let (template, readme) = (file("template.yaml"), file("README.md"));
    for limit in Limit::ALL {
        let (variable, rate) = (limit.variable(), limit.default_rate());
        assert!(
            template.contains(&format!("        {variable}: !Ref ")),
            "no function of the template gets {variable}"
        );
        assert!(template.contains(&format!("[\"LIMIT#{limit}#*\"]")), "no role of the template counts {limit}");
        assert!(
            readme.contains(&format!("| `{variable}` | `{rate}` |")),
            "README.md lacks {variable}, or has not {rate}"
        );
    }
    let limited: Vec<_> = ROUTES.into_iter().filter_map(|route| route.limit).collect();
    assert!(Limit::ALL.iter().all(|limit| limited.contains(limit)), "a limit limits no route");
}

/// A limit counts a client's requests on one partition of the table, which takes 1,000 writes a second; a full bucket lets its
/// rate and its burst through in one.
#[test]
fn no_limit_counts_more_than_a_partition_takes() {
    let template = file("template.yaml");
    for limit in Limit::ALL {
        let mut passed = 0;
        for route in ROUTES.iter().filter(|route| route.limit == Some(*limit)) {
            for path in route.full_paths() {
                passed +=
                    route.methods.iter().map(|method| throttle(&template, &format!("{method} {path}"))).sum::<u32>();
            }
        }
        assert!((1..=1000).contains(&passed), "{limit}: {passed} requests in a second");
    }
}

/// What the gateway lets through to a route in one second at most. Without settings of its own that is far too much.
fn throttle(template: &str, key: &str) -> u32 {
    let settings = properties(template, key).into_iter().next();
    let settings = settings.and_then(|text| text.strip_prefix('{')?.strip_suffix('}'));
    let settings = settings.unwrap_or_else(|| panic!("{key} has no throttle of its own in template.yaml"));
    settings.split(", ").map(|setting| setting.split_once(": ").unwrap().1.parse::<u32>().unwrap()).sum()
}
