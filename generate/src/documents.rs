//! Lists in `docs/` of what is written down in the source.

use shared::domain::event::EventKind;
use shared::error::Code;
use shared::telemetry::audit::Event;

use crate::output::Output;

pub fn write(output: &mut Output) -> Result<(), String> {
    output.region("docs/logging.md", "events of the log", &events_of_the_log())?;
    output.region("docs/events.md", "types of events", &types_of_events())?;
    output.region("docs/errors.md", "codes of errors", &codes_of_errors())
}

/// A table, with an empty line around it.
fn codes_of_errors() -> String {
    let mut codes = Code::ALL.to_vec();
    codes.sort_by_key(|code| (code.status().as_u16(), code.as_str()));
    let mut text = "\n| status | code | title | detail |\n|---|---|---|---|\n".to_owned();
    for code in codes {
        let detail = code.detail().unwrap_or_default().replace("{0}", "…").replace("{}", "…");
        text += &format!("| {} | `{code}` | {} | {detail} |\n", code.status().as_u16(), code.title());
    }
    text + "\n"
}

/// A table, with an empty line around it.
fn types_of_events() -> String {
    let mut text = "\n| type | when | in `data`, besides `actor` |\n|---|---|---|\n".to_owned();
    for (name, fields, when) in EventKind::ALL {
        let fields: Vec<_> = fields.iter().map(|field| format!("`{field}`")).collect();
        text += &format!("| `{name}` | {when} | {} |\n", fields.join(", "));
    }
    text + "\n"
}

/// Between empty lines, which a comment of HTML needs around a paragraph.
fn events_of_the_log() -> String {
    let mut lines = vec![String::new()];
    for action in Event::ACTIONS {
        let last = lines.last_mut().map_or(0, |line| line.len());
        if last + action.len() > 115 {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            *line += &format!("{}`{action}`,", if line.is_empty() { "" } else { " " });
        }
    }
    format!("\n{}.\n\n", lines.join("\n").trim_end_matches(','))
}
