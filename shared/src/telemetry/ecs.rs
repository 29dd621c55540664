//! Events as JSON lines with the field names of the Elastic Common Schema 8 (<https://www.elastic.co/docs/reference/ecs>),
//! dots kept in the names. An event carries the fields of the spans around it.

use std::fmt;
use std::io::Write;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::shipper::Records;
use crate::clock::Clock;

pub struct Ecs {
    clock: Clock,
    records: Records,
    stdout: bool,
}

impl Ecs {
    #[must_use]
    pub const fn new(clock: Clock, records: Records, stdout: bool) -> Self {
        Self { clock, records, stdout }
    }
}

struct Fields(Map<String, Value>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Ecs {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields(Map::new());
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut line = Fields(Map::new());
        line.0.insert("@timestamp".into(), self.clock.now().rfc3339().into());
        line.0.insert("log.level".into(), metadata.level().as_str().to_ascii_lowercase().into());
        line.0.insert("log.logger".into(), metadata.target().into());
        for span in context.event_scope(event).into_iter().flat_map(tracing_subscriber::registry::Scope::from_root) {
            if let Some(fields) = span.extensions().get::<Fields>() {
                line.0.extend(fields.0.clone());
            }
        }
        event.record(&mut line);
        let Ok(mut line) = serde_json::to_vec(&line.0) else {
            return;
        };
        line.push(b'\n');
        if self.stdout {
            // A line that cannot be written to standard output has nowhere else to complain.
            let _ = std::io::stdout().lock().write_all(&line);
        }
        self.records.push(line);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_carries_its_spans_fields_under_ecs_names() {
        let records = Records::default();
        let subscriber = super::super::subscriber(Clock::default(), records.clone(), false);
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("request", "trace.id" = "abc", "user.id" = tracing::field::Empty);
            let _entered = span.enter();
            span.record("user.id", "u1");
            tracing::info!(event.action = "login_succeeded", count = 3, "signed in");
        });
        let lines = records.take();
        let line: Value = serde_json::from_slice(&lines[0]).unwrap();
        assert_eq!(line["trace.id"], "abc");
        assert_eq!(line["user.id"], "u1");
        assert_eq!(line["event.action"], "login_succeeded");
        assert_eq!(line["count"], 3);
        assert_eq!(line["message"], "signed in");
        assert_eq!(line["log.level"], "info");
        assert!(line["@timestamp"].as_str().unwrap().ends_with('Z'));
    }
}
