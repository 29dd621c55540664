//! Lists in `docs/` of what is written down in the source.

use shared::domain::event::EventKind;
use shared::telemetry::audit::Event;

use crate::output::Output;

pub fn write(output: &mut Output) -> Result<(), String> {
    output.region("docs/logging.md", "events of the log", &events_of_the_log())?;
    output.region("docs/events.md", "types of events", &types_of_events())
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
