//! The router table of `cargo lambda watch`.

use std::collections::BTreeMap;

use functions::{FALLBACK, routes};

use crate::output::Output;

pub fn write(output: &mut Output) -> Result<(), String> {
    let mut table: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for route in routes() {
        for (method, path) in route.endpoints() {
            let entry = format!("{{ method = \"{method}\", function = \"{}\" }}", route.name);
            table.entry(path).or_default().push(entry);
        }
    }
    let mut lines: Vec<_> =
        table.into_iter().map(|(path, entries)| format!("\"{path}\" = [{}]", entries.join(", "))).collect();
    // A function that takes every method is listed by its name alone.
    lines.extend(FALLBACK.operations[0].root_paths.iter().map(|path| format!("\"{path}\" = \"{}\"", FALLBACK.name)));
    output.region("Cargo.toml", "router", &lines.join("\n"))
}
