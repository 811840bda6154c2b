//! The forms in which a sink takes events: how an event is written, and how several stand in a batch.
//!
//! Whatever the form, the event's line of JSON stands in it as it is, so that it can be checked wherever it is stored.

use std::rc::Rc;

use super::event::Event;
use super::formats::{clickhouse, elasticsearch, loki, otlp};
use crate::config::sink::{BulkAction, SinkFormat};
use crate::delivery::{Framing, Gap};

/// A form in which a sink takes events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One line of JSON for each event.
    Ndjson,
    /// Log records of OpenTelemetry.
    Otlp,
    /// Streams of Loki.
    Loki,
    /// Documents for `_bulk`, with what is asked for each.
    Elasticsearch(BulkAction),
    /// Rows of ClickHouse.
    Clickhouse,
}

impl Format {
    /// The form that an operator wrote.
    #[must_use]
    pub const fn of(format: SinkFormat, action: BulkAction) -> Self {
        match format {
            SinkFormat::Ndjson => Self::Ndjson,
            SinkFormat::Otlp => Self::Otlp,
            SinkFormat::Loki => Self::Loki,
            SinkFormat::Elasticsearch => Self::Elasticsearch(action),
            SinkFormat::Clickhouse => Self::Clickhouse,
        }
    }

    /// The event as a part of a batch; `line` is its line of JSON.
    #[must_use]
    pub fn render(self, event: &Event<'_>, line: &str) -> String {
        match self {
            Self::Ndjson => line.to_owned(),
            Self::Otlp => otlp::render(event, line),
            Self::Loki => loki::render(event, line),
            Self::Elasticsearch(action) => elasticsearch::render(event, line, action),
            Self::Clickhouse => clickhouse::render(event, line),
        }
    }

    /// The same where nobody else needs the line.
    #[must_use]
    pub fn render_last(self, event: &Event<'_>, line: String) -> String {
        if self == Self::Ndjson { line } else { self.render(event, &line) }
    }

    /// How events stand in a batch.
    #[must_use]
    pub fn framing(self) -> Rc<dyn Framing> {
        match self {
            Self::Ndjson => Rc::new(Ndjson),
            Self::Otlp => Rc::new(otlp::Otlp),
            Self::Loki => Rc::new(loki::Loki),
            Self::Elasticsearch(action) => Rc::new(elasticsearch::Bulk(action)),
            Self::Clickhouse => Rc::new(clickhouse::Rows),
        }
    }
}

#[derive(Debug)]
struct Ndjson;

impl Framing for Ndjson {
    fn content_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn separator(&self) -> &str {
        "\n"
    }

    fn suffix(&self) -> &str {
        "\n"
    }

    fn gap(&self, _gap: &Gap, line: String) -> String {
        line
    }
}
