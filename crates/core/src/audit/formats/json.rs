//! JSON that is written as it comes, member by member. What is absent is left out.

use crate::principal::Method;

/// An object under construction.
#[derive(Debug)]
pub struct Object(Vec<u8>);

impl Object {
    /// An empty one.
    pub fn begin() -> Self {
        Self(vec![b'{'])
    }

    fn key(&mut self, key: &str) {
        if self.0.last() != Some(&b'{') {
            self.0.push(b',');
        }
        for part in [b"\"", key.as_bytes(), b"\":"] {
            self.0.extend_from_slice(part);
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
            self.raw(key, &value.to_string());
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
        self.0.extend_from_slice(json.as_bytes());
    }

    /// Opens an object in it.
    pub fn open(&mut self, key: &str) {
        self.raw(key, "{");
    }

    /// Closes the innermost object.
    pub fn close(&mut self) {
        self.0.push(b'}');
    }

    /// Its text.
    pub fn finish(mut self) -> String {
        self.close();
        String::from_utf8(self.0).unwrap_or_default()
    }
}

/// A list of values, each written by `write`.
pub fn write_list(json: &mut Vec<u8>, values: &[String], write: impl Fn(&mut Vec<u8>, &str)) {
    json.push(b'[');
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        write(json, value);
    }
    json.push(b']');
}

/// A text in quotes, escaped.
pub fn write_text(json: &mut Vec<u8>, text: &str) {
    // Writing into memory does not fail.
    let _ = serde_json::to_writer(json, text);
}

/// How a caller was authenticated, in the event's own word.
pub const fn method(method: Method) -> &'static str {
    match method {
        Method::Jwt => "jwt",
        Method::ApiKey => "api_key",
        Method::Anonymous => "anonymous",
    }
}
