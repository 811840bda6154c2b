//! HTTP/1.1 messages as bytes: just enough for both ends of a test, and nothing that would tidy them up.

use std::io::{self, Read, Write};
use std::net::TcpStream;

/// Headers in the order they came, names lower-cased, repeated ones kept apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    /// The values of every header with this name. Bytes that are not UTF-8 are shown as U+FFFD.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<String> {
        self.iter().filter(|(found, _)| *found == name).map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
    }

    /// The value of a header that must not be repeated.
    ///
    /// # Panics
    /// When it is repeated.
    #[must_use]
    #[track_caller]
    pub fn get(&self, name: &str) -> Option<String> {
        let mut values = self.all(name);
        assert!(values.len() < 2, "{name} stands {} times: {values:?}", values.len());
        values.pop()
    }

    /// All headers.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }
}

/// A message: its first line, headers and body.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) start: String,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
}

const MAX_MESSAGE: usize = 16 * 1024 * 1024;

impl Message {
    /// Read one message. A body without a length lasts until the peer closes.
    pub(crate) fn read(stream: &mut TcpStream, is_response: bool) -> io::Result<Self> {
        let mut bytes = Vec::new();
        let head_end = loop {
            if let Some(at) = find(&bytes, b"\r\n\r\n") {
                break at;
            }
            if read_more(stream, &mut bytes)? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the peer closed before the end of the headers"));
            }
        };
        let mut rest = bytes.split_off(head_end);
        let mut body = rest.split_off(4);
        let mut lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let start = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
        let headers = Headers(lines.filter_map(header).collect());

        if let Some(length) = headers.get("content-length").and_then(|length| length.parse::<usize>().ok()) {
            while body.len() < length && read_more(stream, &mut body)? > 0 {}
            body.truncate(length);
        } else if headers.get("transfer-encoding").as_deref() == Some("chunked") {
            let mut plain = None;
            while plain.is_none() {
                plain = unchunk(&body);
                if plain.is_none() && read_more(stream, &mut body)? == 0 {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the peer closed within a chunk"));
                }
            }
            body = plain.unwrap_or_default();
        } else if is_response {
            while read_more(stream, &mut body)? > 0 {}
        }
        Ok(Self { start, headers, body })
    }
}

/// Write a whole response that closes the connection.
pub(crate) fn write_response(stream: &mut TcpStream, status: u16, content_type: &str, body: &[u8]) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} Answer\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    stream.flush()
}

fn header(line: &[u8]) -> Option<(String, Vec<u8>)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    let value = value.get(1..)?.trim_ascii();
    Some((String::from_utf8_lossy(name).to_ascii_lowercase(), value.to_vec()))
}

fn read_more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<usize> {
    let mut chunk = [0; 16 * 1024];
    let count = stream.read(&mut chunk)?;
    bytes.extend(chunk.iter().take(count));
    if bytes.len() > MAX_MESSAGE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the message is too long for a test"));
    }
    Ok(count)
}

/// The content of a chunked body (RFC 9112 section 7.1), once its last chunk is there.
fn unchunk(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    loop {
        let line = bytes.get(..find(bytes, b"\r\n")?)?;
        let size = usize::from_str_radix(std::str::from_utf8(line).ok()?.trim(), 16).ok()?;
        bytes = bytes.get(line.len() + 2..)?;
        if size == 0 {
            return Some(plain);
        }
        plain.extend(bytes.get(..size)?);
        bytes = bytes.get(size + 2..)?;
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_chunked_bodies_only_when_they_are_whole() {
        assert_eq!(unchunk(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").unwrap(), b"abcde");
        assert_eq!(unchunk(b"3\r\nabc\r\n2\r\nd"), None);
    }

    #[test]
    fn keeps_repeated_headers_and_raw_bytes_apart() {
        let headers = Headers([&b"X-A: 1"[..], b"x-a:\xff", b"no colon"].into_iter().filter_map(header).collect());
        assert_eq!(headers.all("x-a"), ["1", "\u{fffd}"]);
        assert_eq!(headers.iter().nth(1), Some(("x-a", &b"\xff"[..])));
    }
}
