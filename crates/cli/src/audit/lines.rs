//! The lines of log files, one at a time, whatever is in them.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::rc::Rc;

use anyhow::{Context, bail};
use portcullis_chain::Place;

/// The longest line; what is longer is cut.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// How a file begins that gzip made.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Gives each line of the files to `take`, without its end, and stops where that says so.
///
/// # Errors
/// A file cannot be read, or `take` fails.
pub fn read(files: &[PathBuf], mut take: impl FnMut(&Place, &[u8]) -> anyhow::Result<()>) -> anyhow::Result<()> {
    for path in files {
        let is_stdin = path.as_os_str() == "-";
        let name: Rc<str> = if is_stdin { "stdin".into() } else { path.display().to_string().into() };
        let source: Box<dyn Read> = if is_stdin {
            Box::new(io::stdin().lock())
        } else {
            Box::new(File::open(path).with_context(|| format!("{name}: cannot be read"))?)
        };
        let mut reader = BufReader::with_capacity(1 << 16, source);
        if reader.fill_buf().with_context(|| format!("{name}: cannot be read"))?.starts_with(&GZIP) {
            bail!("{name}: is compressed; zcat {name} | portcullis audit … -");
        }
        let mut line = Vec::new();
        let mut place = Place { file: name, line: 0 };
        while next(&mut reader, &mut line).with_context(|| format!("{}: cannot be read", place.file))? {
            place.line += 1;
            take(&place, &line)?;
        }
    }
    Ok(())
}

/// Reads the next line; whether there was one.
fn next(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    if reader.take(MAX_BYTES).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if !line.ends_with(b"\n") {
        reader.skip_until(b'\n')?;
    }
    if line.ends_with(b"\n") {
        line.pop();
    }
    if line.ends_with(b"\r") {
        line.pop();
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lines_of_any_length_with_any_end() {
        let long = "x".repeat(usize::try_from(MAX_BYTES).unwrap() + 10);
        let text = format!("a\n\nb\r\n{long}\nc");
        let mut reader = text.as_bytes();
        let mut line = Vec::new();
        let mut lengths = Vec::new();
        while next(&mut reader, &mut line).unwrap() {
            lengths.push(line.len());
        }
        assert_eq!(lengths, [1, 0, 1, usize::try_from(MAX_BYTES).unwrap(), 1]);
    }
}
