//! Loki's push API as JSON (`POST /loki/api/v1/push`). Streams are told apart by two labels of few values, so that their number is
//! bounded: `service` and `outcome`. All else stands in the line.

use std::borrow::Cow;
use std::rc::Rc;

use serde::Deserialize;

use super::json::{Object, write_list, write_text};
use crate::audit::event::Event;
use crate::delivery::{Framing, Gap};
use crate::time::UnixTime;

/// An event as an entry of its stream.
pub fn render(event: &Event<'_>, line: &str) -> String {
    entry(event.time.0, event.outcome.as_str(), line)
}

fn entry(time: UnixTime, outcome: &str, line: &str) -> String {
    let mut object = Object::begin();
    object.open("stream");
    object.text("service", Some("portcullis"));
    object.text("outcome", Some(outcome));
    object.close();
    let mut values = "[".to_owned();
    write_list(&mut values, &[time.since_epoch().as_nanos().to_string(), line.to_owned()], write_text);
    values.push(']');
    object.raw("values", &values);
    object.finish()
}

/// How streams stand in a request.
#[derive(Debug)]
pub struct Loki;

#[derive(Deserialize)]
struct Stream {
    values: Vec<(String, String)>,
}

impl Framing for Loki {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn prefix(&self) -> &str {
        r#"{"streams":["#
    }

    fn separator(&self) -> &str {
        ","
    }

    fn suffix(&self) -> &str {
        "]}"
    }

    fn gap(&self, gap: &Gap, line: String) -> String {
        entry(gap.since, "gap", &line)
    }

    fn end(&self, _id: &Rc<str>, time: UnixTime, line: String) -> String {
        entry(time, "end", &line)
    }

    fn line<'a>(&self, body: &'a str) -> Cow<'a, str> {
        let stream = serde_json::from_str::<Stream>(body).ok();
        let line = stream.and_then(|mut stream| stream.values.pop()).map(|(_, line)| line);
        line.map_or(Cow::Borrowed(body), Cow::Owned)
    }
}
