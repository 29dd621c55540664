//! Invariants of the source itself: mostly things that must not be there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use functions::service::api_docs::openapi::document;
use functions::{FALLBACK, routes, workers};
use serde_json::{Value, json};
use shared::domain::password::MinLength;
use shared::domain::picture::CONTENT_TYPES;
use shared::error::Code;
use shared::http::{Operation, Route};
use tests::contract;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every file with an extension under a folder, except what is hidden, built or installed.
fn files(folder: PathBuf, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with('.') || name == "target" || name == "node_modules" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|own| own == extension) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "no files with the extension {extension}");
    found
}

/// Every Rust file under a folder of the workspace, with its lines except comments.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for path in files(root().join(folder), "rs") {
        let text = std::fs::read_to_string(&path).unwrap();
        let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        found.push((path, code.join("\n")));
    }
    found
}

fn assert_absent(folder: &str, forbidden: &[&str], why: &str) {
    for (path, code) in sources(folder) {
        for word in forbidden {
            let at = code.lines().find(|line| line.contains(word));
            assert!(at.is_none(), "{}: {why}: {}", path.display(), at.unwrap_or_default().trim());
        }
    }
}

/// Paths with their methods as the OpenAPI document has them.
fn documented() -> BTreeSet<(String, String)> {
    let document = openapi();
    let paths = document["paths"].as_object().unwrap();
    let operations = paths
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(|method| (path.clone(), method.to_uppercase())));
    operations.collect()
}

fn openapi() -> Value {
    serde_json::from_str(&document("Example", MinLength::default()).to_json().unwrap()).unwrap()
}

#[test]
fn the_domain_knows_neither_http_nor_aws_nor_lambda() {
    let foreign =
        ["axum", "http::", "tower", "hyper", "aws_sdk", "aws_config", "lambda", "reqwest", "tokio", "tracing"];
    assert_absent("shared/src/domain", &foreign, "the domain decides, and does nothing else");
}

#[test]
fn nothing_outlives_an_answer() {
    assert_absent("functions/src", &["tokio::spawn", "task::spawn(", "thread::spawn"], "await it or queue it");
}

#[test]
fn no_table_is_ever_scanned() {
    for folder in ["shared/src", "functions/src"] {
        assert_absent(folder, &[".scan()", "scan::"], "a scan reads the whole table");
    }
}

#[test]
fn nothing_prints_outside_the_log() {
    for folder in ["shared/src", "functions/src"] {
        for (path, code) in sources(folder) {
            // A function that does not start has no log yet; standard output is where the log goes.
            if ["lambda.rs", "ecs.rs", "shipper.rs"].iter().any(|name| path.ends_with(name)) {
                continue;
            }
            for word in ["println!", "print!(", "dbg!("] {
                assert!(!code.contains(word), "{}: {word}", path.display());
            }
        }
    }
}

/// The source of a route.
fn source_of(route: &Route) -> String {
    let path = format!("functions/src/{}/{}.rs", route.area, route.name);
    std::fs::read_to_string(root().join(&path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn no_two_functions_have_one_name() {
    let mut names = BTreeSet::new();
    for name in routes().chain([&FALLBACK]).map(|route| route.name).chain(workers().map(|worker| worker.name)) {
        assert!(names.insert(name), "{name} is two functions");
    }
}

#[test]
fn no_route_imports_another() {
    for route in routes().chain([&FALLBACK]) {
        let code = source_of(route);
        for other in routes().chain([&FALLBACK]).filter(|other| other.name != route.name) {
            let paths = [format!("super::{}", other.name), format!("crate::{}::{}", other.area, other.name)];
            assert!(!paths.iter().any(|path| names(&code, path)), "{} imports {}", route.name, other.name);
        }
    }
}

/// Each method of the store has its grants in a constant of its name: a route that calls the one lists the other.
#[test]
fn a_route_lists_the_grants_of_the_methods_it_calls() {
    let mut methods = BTreeSet::new();
    for (_, code) in sources("shared/src/store") {
        methods.extend(code.split("pub const ").skip(1).filter_map(|rest| {
            let (name, kind) = rest.split_once(':')?;
            kind.trim_start().starts_with("Grants").then(|| name.to_lowercase())
        }));
    }
    assert!(methods.len() > 70, "{methods:?}");
    for (path, code) in sources("functions/src") {
        for method in &methods {
            let called = code.contains(&format!(".store().{method}("))
                || code.contains(&format!(".store()\n        .{method}("));
            // Ceremonies of no account have grants of their own.
            let constant = method.to_uppercase();
            let of_no_account = constant.replacen("BEGIN_", "BEGIN_OPEN_", 1).replacen("TAKE_", "TAKE_OPEN_", 1);
            let listed = [constant, of_no_account].iter().any(|name| names(&code, &format!("Store::{name}")));
            assert!(!called || listed, "{} calls {method} and does not list its grants", path.display());
        }
    }
}

/// Whether a path is named as it is, and not only as the beginning of another.
fn names(code: &str, path: &str) -> bool {
    code.match_indices(path)
        .any(|(at, found)| !code[at + found.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_'))
}

#[test]
fn a_route_that_hashes_says_so_and_no_other_does() {
    for route in routes() {
        let source = source_of(route);
        let hashes = source.contains("app.hasher.") || source.contains("elsewhere::verify(");
        assert_eq!(route.hashes, hashes, "{}", route.name);
    }
}

#[test]
fn a_route_without_table_asks_for_nothing_that_reads_it() {
    for route in routes().filter(|route| !route.uses_table()) {
        for word in [".store()", ".keys()", ".dynamodb()", "CurrentUser", "Admin", "Limited"] {
            assert!(!source_of(route).contains(word), "{}: {word}", route.name);
        }
    }
}

#[test]
fn every_route_is_documented_and_nothing_else() {
    let operations = routes().flat_map(|route| route.operations);
    // The files that the documentation's page is made of are not part of the document.
    let operations = operations.filter(|operation| !operation.path.starts_with("/apidocs/"));
    let served: BTreeSet<_> =
        operations.map(|operation| (operation.path.to_owned(), operation.method.to_owned())).collect();
    assert_eq!(documented(), served);
}

#[test]
fn no_path_and_method_has_two_routes() {
    let mut seen = BTreeSet::new();
    for (method, path) in routes().flat_map(Route::endpoints) {
        assert!(seen.insert((method, path.clone())), "{method} {path} is served twice");
    }
}

/// Every documented operation with its route and its part of the document.
fn operations(document: &Value) -> impl Iterator<Item = (&'static Route, &'static Operation, &Value)> {
    let operations = routes().flat_map(|route| route.operations.iter().map(move |operation| (route, operation)));
    operations.filter(|(_, operation)| operation.document.is_some()).map(|(route, operation)| {
        (route, operation, &document["paths"][operation.path][operation.method.to_lowercase()])
    })
}

#[test]
fn the_openapi_document_lists_every_code_and_those_of_each_route() {
    let document = openapi();
    let listed = document["components"]["schemas"]["Code"]["enum"].as_array().unwrap();
    let listed: BTreeSet<_> = listed.iter().map(|code| code.as_str().unwrap()).collect();
    assert_eq!(listed, Code::ALL.iter().map(|code| code.as_str()).collect());
    for (route, operation, described) in operations(&document) {
        for code in route.all_errors(operation) {
            let described = &described["responses"][code.status().as_str()]["description"];
            let named = described.as_str().is_some_and(|text| text.contains(&format!("`{code}`")));
            assert!(named, "{operation:?} does not say that it fails with {code}");
        }
    }
}

#[test]
fn limited_routes_say_so_in_the_document_and_no_other_does() {
    let document = openapi();
    for (route, operation, described) in operations(&document) {
        let responses = &described["responses"];
        let refused = &responses["429"];
        let said = refused["description"].as_str().is_some_and(|text| text.contains("`rate_limited`"));
        assert_eq!(said, route.limit.is_some(), "{operation:?}");
        let answers = responses.as_object().unwrap().iter().filter(|(status, _)| status.starts_with('2'));
        for answer in answers.map(|(_, answer)| answer).chain(said.then_some(refused)) {
            for header in ["RateLimit", "RateLimit-Policy"] {
                assert_eq!(answer["headers"].get(header).is_some(), said, "{operation:?}: {header}");
            }
        }
    }
}

#[test]
fn only_signed_in_routes_require_an_access_token_in_the_document() {
    let document = openapi();
    for (route, operation, described) in operations(&document) {
        let signed_in = route.all_errors(operation).contains(&Code::Unauthenticated);
        assert_eq!(described["security"].to_string().contains("access_token"), signed_in, "{operation:?}");
    }
}

#[test]
fn every_operation_says_what_it_does_and_what_it_needs() {
    let mut document = openapi();
    for (path, item) in document["paths"].as_object_mut().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let description = operation["description"].as_str().unwrap_or_default();
            assert!(description.ends_with('.'), "{method} {path} has no description");
            // None is said by an empty list; a missing one leaves it open.
            assert!(operation["security"].is_array(), "{method} {path} does not say whether it needs credentials");
        }
    }
}

/// Found with schemathesis: examples that their own schema refuses mislead whoever copies them.
#[test]
fn every_example_in_the_document_fits_its_schema() {
    let document = openapi();
    let mut found = Vec::new();
    collect_examples(&document, &mut Vec::new(), &mut found);
    assert!(found.len() > 100, "{} examples were found", found.len());
    for (schema, example) in found {
        let problems = contract::problems(&schema, &example);
        assert_eq!(problems, None, "{schema}: {example}");
    }
}

/// Every example with a pointer to its schema: the schema that holds it, or the one beside it.
fn collect_examples(value: &Value, at: &mut Vec<String>, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Array(values) => values.iter().enumerate().for_each(|(index, value)| {
            at.push(index.to_string());
            collect_examples(value, at, found);
            at.pop();
        }),
        Value::Object(fields) => {
            let own = at.join("/");
            let beside = if fields.contains_key("schema") { format!("{own}/schema") } else { own };
            found.extend(fields.get("example").map(|example| (beside.clone(), example.clone())));
            match fields.get("examples") {
                Some(Value::Array(examples)) => found.extend(examples.iter().map(|one| (beside.clone(), one.clone()))),
                Some(Value::Object(named)) => {
                    found.extend(named.values().map(|example| (beside.clone(), example["value"].clone())));
                }
                _ => {}
            }
            for (name, value) in fields.iter().filter(|(name, _)| !["example", "examples"].contains(&name.as_str())) {
                at.push(contract::escaped(name));
                collect_examples(value, at, found);
                at.pop();
            }
        }
        _ => {}
    }
}

/// Found with schemathesis: an answer that fits both forms of a choice fits neither.
#[test]
fn what_is_active_does_not_fit_the_schema_of_what_is_not() {
    let introspection = |body: &Value| contract::problems("components/schemas/Introspection", body);
    let active = json!({
        "active": true, "token_type": "Bearer", "iss": "https://api.example.com/api/v1",
        "sub": "0198c0de-0000-7000-8000-000000000000", "aud": "https://api.example.com/api/v1", "exp": 1, "iat": 1, "nbf": 1,
        "jti": "0198c0de-0000-7000-8000-000000000001", "sid": "0198c0de-0000-7000-8000-000000000002",
        "client_id": "web", "roles": ["user"], "auth_time": 1,
    });
    assert_eq!(introspection(&active), None);
    assert_eq!(introspection(&json!({ "active": false })), None);
    for wrong in [json!({ "active": true }), json!({ "active": null }), json!({})] {
        assert!(introspection(&wrong).is_some(), "{wrong}");
    }
}

#[test]
fn a_body_with_a_proof_has_exactly_one() {
    let passkey = json!({ "challenge_token": "0198c0de-0000-7000-8000-000000000000", "credential": {} });
    for (schema, passkey, common) in
        [("StepUp", passkey, json!({})), ("VerifyLogin", json!({}), json!({ "challenge_token": "x" }))]
    {
        let proofs = [("code", json!("287082")), ("recovery_code", json!("7QK4")), ("passkey", passkey)];
        for count in 0..=3 {
            for first in 0..3 {
                let mut body = common.clone();
                for (name, proof) in proofs.iter().cycle().skip(first).take(count) {
                    body[*name] = proof.clone();
                }
                let problems = contract::problems(&format!("components/schemas/{schema}"), &body);
                assert_eq!(problems.is_none(), count == 1, "{schema}: {body} {problems:?}");
            }
        }
    }
}

#[test]
fn a_picture_has_one_of_the_types_that_are_resized() {
    let schema = &openapi()["components"]["schemas"]["UploadPicture"]["properties"]["content_type"];
    assert_eq!(schema["enum"], json!(CONTENT_TYPES));
}

#[test]
fn the_clock_and_chance_are_asked_in_one_place_each() {
    for folder in ["shared/src", "functions/src"] {
        for (path, code) in sources(folder) {
            for (word, home) in
                [("now_utc()", "clock.rs"), ("SystemTime::now", "clock.rs"), ("rand::fill", "random.rs")]
            {
                assert!(path.ends_with(home) || !code.contains(word), "{}: {word}", path.display());
            }
        }
    }
}

/// Every name counts, not only those of functions, so that tests that a macro generates count as well.
#[test]
fn a_test_name_has_at_most_twelve_words() {
    let mut long = BTreeSet::new();
    for path in files(root(), "rs").into_iter().chain(files(root(), "py")) {
        let text = std::fs::read_to_string(&path).unwrap();
        for name in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            let words = name.strip_prefix("test_").unwrap_or(name).split('_').filter(|word| !word.is_empty());
            if words.count() > 12 && name == name.to_lowercase() {
                long.insert(format!("{}: {name}", path.display()));
            }
        }
    }
    assert!(long.is_empty(), "names of more than 12 words: {long:#?}");
}
