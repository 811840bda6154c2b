//! JSON that is written as it comes, member by member. What is absent is left out.

use crate::audit::redaction::{escape, is_plain};
use crate::principal::Method;

/// An object under construction.
#[derive(Debug)]
pub struct Object(String);

impl Object {
    /// An empty one.
    pub fn begin() -> Self {
        Self("{".to_owned())
    }

    fn key(&mut self, key: &str) {
        if !self.0.ends_with('{') {
            self.0.push(',');
        }
        for part in ["\"", key, "\":"] {
            self.0.push_str(part);
        }
    }

    /// A text. The key needs no escape.
    pub fn text(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.key(key);
            write_text(&mut self.0, value);
        }
    }

    /// A number.
    pub fn number(&mut self, key: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.key(key);
            write_number(&mut self.0, value);
        }
    }

    /// A list of texts; an empty one is left out.
    pub fn texts(&mut self, key: &str, values: &[String]) {
        if !values.is_empty() {
            self.key(key);
            write_list(&mut self.0, values, write_text);
        }
    }

    /// A value that is JSON already.
    pub fn raw(&mut self, key: &str, json: &str) {
        self.key(key);
        self.0.push_str(json);
    }

    /// Opens an object in it.
    pub fn open(&mut self, key: &str) {
        self.raw(key, "{");
    }

    /// Closes the innermost object.
    pub fn close(&mut self) {
        self.0.push('}');
    }

    /// Its text.
    pub fn finish(mut self) -> String {
        self.close();
        self.0
    }
}

/// A list of values, each written by `write`.
pub fn write_list(json: &mut String, values: &[String], write: impl Fn(&mut String, &str)) {
    json.push('[');
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        write(json, value);
    }
    json.push(']');
}

/// A text in quotes, escaped: also what some readers would take for the end of a line.
pub fn write_text(json: &mut String, text: &str) {
    if is_plain(text) {
        json.push('"');
        json.push_str(text);
        json.push('"');
    } else {
        json.push_str(&escape(serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned())));
    }
}

/// A number.
pub fn write_number(json: &mut String, number: u64) {
    json.push_str(itoa::Buffer::new().format(number));
}

/// How a caller was authenticated, in the event's own word.
pub const fn method(method: Method) -> &'static str {
    match method {
        Method::Jwt => "jwt",
        Method::ApiKey => "api_key",
        Method::Anonymous => "anonymous",
    }
}
