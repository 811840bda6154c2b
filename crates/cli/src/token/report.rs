//! What the `token` command prints: the verdict first, then the token, then how it came to the verdict.

use std::io::{self, Write};

use portcullis_core::rejection::Rejection;
use portcullis_core::time::UnixTime;
use serde_json::{Value, json};

use super::anatomy::Anatomy;
use crate::discretion::Discretion;
use crate::instant;
use crate::report::Format;
use crate::step::{self, Step};

/// What is to be said of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is accepted.
    Valid,
    /// It is refused.
    Invalid(Rejection),
    /// It cannot be told here.
    Unknown,
}

/// A token, and what came of it.
#[derive(Debug)]
pub struct Report {
    /// The verdict.
    pub verdict: Verdict,
    /// What can be read of the token.
    pub anatomy: Anatomy,
    /// How it came to the verdict.
    pub steps: Vec<Step>,
    /// Who would be calling.
    pub principal: Option<Value>,
}

impl Report {
    /// Print the report on `token`.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn print(&self, format: Format, discretion: &Discretion, token: &[u8], now: UnixTime) -> io::Result<()> {
        let text = match format {
            Format::Text => self.text(discretion, token, now),
            Format::Json => discretion.clean(&format!("{:#}\n", self.json(discretion, token, now))),
        };
        io::stdout().lock().write_all(text.as_bytes())
    }

    fn text(&self, discretion: &Discretion, token: &[u8], now: UnixTime) -> String {
        let verdict = match self.verdict {
            Verdict::Valid => "valid".to_owned(),
            Verdict::Invalid(rejection) => format!("not valid: {}: {}", rejection.code(), rejection.description()),
            Verdict::Unknown => "not verified: whether the token is valid cannot be told here".to_owned(),
        };
        let mut lines = vec![verdict];
        lines.push(format!("token\n  {}", discretion.clean(&String::from_utf8_lossy(token))));
        lines.extend(self.anatomy.lines(discretion, now));
        lines.push(format!("steps, at {}", instant::utc(now)));
        lines.extend(step::lines(&self.steps).iter().map(|line| discretion.clean(line)));
        if let Some(principal) = &self.principal {
            lines.push(format!("principal\n  {}", discretion.json(principal)));
        }
        lines.push(String::new());
        lines.join("\n")
    }

    fn json(&self, discretion: &Discretion, token: &[u8], now: UnixTime) -> Value {
        let (valid, code) = match self.verdict {
            Verdict::Valid => (Some(true), None),
            Verdict::Invalid(rejection) => (Some(false), Some(rejection.code())),
            Verdict::Unknown => (None, None),
        };
        json!({
            "valid": valid,
            "code": code,
            "at": instant::utc(now),
            "token": {
                "text": discretion.clean(&String::from_utf8_lossy(token)),
                "bytes": token.len(),
                "header": self.anatomy.header,
                "claims": self.anatomy.claims,
                "signatureBytes": self.anatomy.signature_length,
            },
            "steps": self.steps,
            "principal": self.principal,
        })
    }
}
