//! The variables of the functions: from a file, or from this process.

use std::collections::HashMap;
use std::path::Path;

use shared::config::Config;

use crate::failure::{Failure, Result};

/// What the file has counts before the environment, also where it is empty, so that credentials of two accounts never mix.
///
/// # Errors
/// When the file cannot be read; names every variable that is missing or malformed.
pub fn config(file: Option<&Path>) -> Result<Config> {
    let Some(file) = file else {
        let how = "--env-file FILE reads the variables from a file";
        return Config::from_env().map_err(|error| Failure::Failed(format!("{error} ({how})")));
    };
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::Failed(format!("cannot read {}: {error}", file.display())))?;
    let variables = variables(&text);
    let lookup = |name: &str| variables.get(name).cloned().or_else(|| std::env::var(name).ok());
    Config::read(lookup).map_err(|error| Failure::Failed(format!("{}: {error}", file.display())))
}

/// `NAME="value"` as the local stack writes it, `NAME=value` as the template does. Everything else is passed over.
fn variables(text: &str) -> HashMap<String, String> {
    let lines =
        text.lines().map(|line| line.trim().trim_start_matches("export ")).filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.trim().to_owned(), unquoted(value.trim()))).collect()
}

fn unquoted(value: &str) -> String {
    match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\\\"", "\""),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_file_are_read() {
        let text =
            "# of a start\nA=\"x \\\"y\\\"\"\nMAIL_FROM=Example <a@example.com>\nexport B=1=2\nEMPTY=\n\nnothing";
        let variables = variables(text);
        let of = |name: &str| variables.get(name).map(String::as_str);
        assert_eq!(of("A"), Some("x \"y\""));
        assert_eq!(of("MAIL_FROM"), Some("Example <a@example.com>"));
        assert_eq!((of("B"), of("EMPTY"), of("nothing")), (Some("1=2"), Some(""), None));
    }
}
