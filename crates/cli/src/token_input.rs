//! A token as people have it at hand: with `Bearer ` or `DPoP ` before it, with a line end behind it.

use std::io::{self, IsTerminal};
use std::path::Path;

use anyhow::Context;

use crate::document::Source;

/// What may stand before a token that was copied from a request.
const BEFORE: [&str; 3] = ["authorization:", "bearer ", "dpop "];

/// The bytes of the token that an argument gives: `-` stands for the standard input.
///
/// # Errors
/// The standard input cannot be read.
pub fn from_argument(argument: &str) -> anyhow::Result<Vec<u8>> {
    if argument == "-" { from_source(&Source::Stdin) } else { Ok(trimmed(argument.as_bytes()).to_vec()) }
}

/// The bytes of the token in a file.
///
/// # Errors
/// The file cannot be read.
pub fn from_file(path: &Path) -> anyhow::Result<Vec<u8>> {
    from_source(&Source::from_argument(path))
}

/// The bytes of the token on the standard input.
///
/// # Errors
/// It cannot be read.
pub fn from_stdin() -> anyhow::Result<Vec<u8>> {
    from_source(&Source::Stdin)
}

fn from_source(source: &Source) -> anyhow::Result<Vec<u8>> {
    if matches!(source, Source::Stdin) && io::stdin().is_terminal() {
        eprintln!("note: reading the token from the terminal; end it with Enter and Ctrl-D");
    }
    let bytes = source.read().with_context(|| format!("{}: the token cannot be read", source.name()))?;
    Ok(trimmed(&bytes).to_vec())
}

/// A token without what stands around it.
fn trimmed(bytes: &[u8]) -> &[u8] {
    BEFORE.iter().fold(bytes.trim_ascii(), |bytes, before| match bytes.split_at_checked(before.len()) {
        Some((start, rest)) if start.eq_ignore_ascii_case(before.as_bytes()) => rest.trim_ascii_start(),
        _ => bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_off_what_was_copied_along() {
        for (text, expected) in [
            ("a.b.c", "a.b.c"),
            (" a.b.c\r\n", "a.b.c"),
            ("Bearer a.b.c", "a.b.c"),
            ("Authorization: DPoP a.b.c", "a.b.c"),
            ("authorization: bearer  a.b.c\n", "a.b.c"),
            ("Authorization:a.b.c", "a.b.c"),
            ("a.b\n.c", "a.b\n.c"),
            ("Basic YTpi", "Basic YTpi"),
            ("", ""),
        ] {
            assert_eq!(trimmed(text.as_bytes()), expected.as_bytes(), "{text}");
        }
    }
}
