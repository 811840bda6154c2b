//! What is printed of what a request and a token hold: whole tokens only when asked for, and nothing that steers a terminal.

use std::borrow::Cow;

/// The shortest run of a token's alphabet that is taken for a token, in characters.
const SHORTEST: usize = 24;
/// How many characters of a token are shown.
const SHOWN: usize = 8;
/// How the base64url of a JSON object begins: `{"`.
const BEGINNING: &str = "eyJ";

/// How much is printed.
#[derive(Debug, Clone, Default)]
pub struct Discretion {
    show_tokens: bool,
    credentials: Vec<String>,
    hidden_headers: Vec<String>,
    secret_headers: Vec<String>,
}

impl Discretion {
    /// Tokens are shortened, unless `show_tokens` says that they are wanted.
    pub const fn new(show_tokens: bool) -> Self {
        Self { show_tokens, credentials: Vec::new(), hidden_headers: Vec::new(), secret_headers: Vec::new() }
    }

    /// Whether whole tokens are printed.
    pub const fn shows_tokens(&self) -> bool {
        self.show_tokens
    }

    /// Take this text for a credential, whatever it looks like.
    pub fn add_credential(&mut self, credential: &[u8]) {
        let credential = String::from_utf8_lossy(credential).into_owned();
        if credential.chars().count() > SHOWN {
            self.credentials.push(credential);
        }
    }

    /// Hide what these headers carry: what was encrypted is shown with whole tokens only.
    pub fn hide_headers(&mut self, names: impl IntoIterator<Item = String>) {
        self.hidden_headers.extend(names);
    }

    /// Never show what these headers carry: the gateway's own credentials are no business of who asks about a caller.
    pub fn keep_headers_secret(&mut self, names: impl IntoIterator<Item = String>) {
        self.secret_headers.extend(names);
    }

    /// Whether a header's value is not shown.
    pub fn hides_header(&self, name: &str) -> bool {
        let is_among = |names: &[String]| names.iter().any(|hidden| hidden.eq_ignore_ascii_case(name));
        is_among(&self.secret_headers) || (!self.show_tokens && is_among(&self.hidden_headers))
    }

    /// A text as it may be printed.
    pub fn clean(&self, text: &str) -> String {
        visible(&self.shorten(text)).into_owned()
    }

    /// A value as JSON that may be printed.
    pub fn json(&self, value: &serde_json::Value) -> String {
        self.clean(&value.to_string())
    }

    fn shorten<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.show_tokens {
            return text.into();
        }
        let mut text = Cow::from(text);
        for credential in &self.credentials {
            if text.contains(credential.as_str()) {
                text = text.replace(credential.as_str(), &shortened(credential)).into();
            }
        }
        if text.contains(BEGINNING) { shorten_runs(&text).into() } else { text }
    }
}

/// The beginning of a text, and how long it is.
pub fn shortened(text: &str) -> String {
    let count = text.chars().count();
    if count <= SHOWN {
        return text.to_owned();
    }
    format!("{}…({count} characters)", text.chars().take(SHOWN).collect::<String>())
}

/// The text with everything shortened that looks like a token or a part of one.
fn shorten_runs(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, run, after)) = next_run(rest) {
        result.push_str(before);
        let start = run.find(BEGINNING).unwrap_or(run.len());
        let (other, token) = run.split_at_checked(start).unwrap_or((run, ""));
        result.push_str(other);
        result.push_str(&if token.len() >= SHORTEST { shortened(token) } else { token.to_owned() });
        rest = after;
    }
    result.push_str(rest);
    result
}

/// The first run of characters that a token is made of, with what stands before and after it.
fn next_run(text: &str) -> Option<(&str, &str, &str)> {
    let in_token = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.' | '=');
    let start = text.find(in_token)?;
    let (before, rest) = text.split_at_checked(start)?;
    let end = rest.find(|character| !in_token(character)).unwrap_or(rest.len());
    let (run, after) = rest.split_at_checked(end)?;
    Some((before, run, after))
}

/// The text with what would move the cursor or turn the direction of writing as escapes, in JSON's way.
fn visible(text: &str) -> Cow<'_, str> {
    let steers = |character: char| {
        (character.is_control() && character != '\n')
            || matches!(character, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(steers) {
        return text.into();
    }
    let escape = |character: char| {
        if steers(character) { format!("\\u{:04x}", u32::from(character)) } else { character.to_string() }
    };
    text.chars().map(escape).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJl";

    #[test]
    fn shortens_tokens_wherever_they_stand() {
        let mut discretion = Discretion::default();
        discretion.add_credential(b"opaque-credential");
        for (text, expected) in [
            ("nothing special: eyJ and a.b.c", "nothing special: eyJ and a.b.c"),
            (format!("authorization: Bearer {TOKEN}").as_str(), "authorization: Bearer eyJhbGci…(52 characters)"),
            (&format!("/a?t={TOKEN}&u={TOKEN}"), "/a?t=eyJhbGci…(52 characters)&u=eyJhbGci…(52 characters)"),
            (&format!("ä{TOKEN}ä"), "äeyJhbGci…(52 characters)ä"),
            (&format!("x.{TOKEN}=="), "x.eyJhbGci…(54 characters)"),
            ("x-token: opaque-credential", "x-token: opaque-c…(17 characters)"),
        ] {
            assert_eq!(discretion.clean(text), expected);
        }
        assert_eq!(Discretion::new(true).clean(TOKEN), TOKEN);
    }

    #[test]
    fn steers_no_terminal() {
        assert_eq!(Discretion::new(true).clean("a\u{1b}[2J\u{202e}\nb\u{9b}"), "a\\u001b[2J\\u202e\nb\\u009b");
    }
}
