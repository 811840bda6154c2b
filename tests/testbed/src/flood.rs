//! Very many requests over one connection: HTTP/2, which takes any method.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::client::Client;

/// How many requests are under way at once.
const CONCURRENT: usize = 64;
const PATIENCE: Duration = Duration::from_secs(60);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The types of frames (RFC 9113 section 6) that matter here.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

impl Client {
    /// Send requests, each a list of headers that begins with those of HTTP/2 itself, and read their answers without a look at
    /// them; how many there were.
    ///
    /// # Errors
    /// When the proxy ends the connection or a request.
    pub fn flood(&self, requests: impl IntoIterator<Item = Vec<(&'static str, String)>>) -> io::Result<usize> {
        let mut stream = TcpStream::connect(self.address())?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        stream.write_all(PREFACE)?;
        stream.write_all(&frame(SETTINGS, 0, 0, &[]))?;
        stream.write_all(&frame(WINDOW_UPDATE, 0, 0, &0x3fff_ffff_u32.to_be_bytes()))?;
        let mut reader = io::BufReader::new(stream.try_clone()?);
        let mut requests = requests.into_iter();
        let (mut id, mut answered) = (1_u32, 0);
        loop {
            let mut batch = Vec::new();
            let mut under_way = 0;
            for headers in requests.by_ref().take(CONCURRENT) {
                batch.extend(frame(HEADERS, END_STREAM | END_HEADERS, id, &block(&headers)));
                id += 2;
                under_way += 1;
            }
            if under_way == 0 {
                return Ok(answered);
            }
            stream.write_all(&batch)?;
            answered += under_way;
            while under_way > 0 {
                let (kind, flags, payload) = read_frame(&mut reader)?;
                match kind {
                    DATA | HEADERS if flags & END_STREAM != 0 => under_way -= 1,
                    RST_STREAM | GOAWAY => return Err(io::Error::other(format!("a frame of type {kind}: {payload:?}"))),
                    SETTINGS if flags & ACK == 0 => stream.write_all(&frame(SETTINGS, ACK, 0, &[]))?,
                    PING if flags & ACK == 0 => stream.write_all(&frame(PING, ACK, 0, &payload))?,
                    _ => {}
                }
            }
        }
    }
}

fn frame(kind: u8, flags: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&length[1..], &[kind, flags], &id.to_be_bytes(), payload].concat()
}

fn read_frame(reader: &mut impl Read) -> io::Result<(u8, u8, Vec<u8>)> {
    let mut head = [0; 9];
    reader.read_exact(&mut head)?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    reader.read_exact(&mut payload)?;
    Ok((head[3], head[4], payload))
}

/// Headers as literals that nobody is to remember (RFC 7541 section 6.2.2).
fn block(headers: &[(&'static str, String)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(0);
        for text in [name.as_bytes(), value.as_bytes()] {
            push_length(text.len(), &mut block);
            block.extend(text);
        }
    }
    block
}

/// A length in seven bits and more (RFC 7541 section 5.1).
fn push_length(length: usize, block: &mut Vec<u8>) {
    let Some(mut rest) = length.checked_sub(127) else {
        return block.extend(u8::try_from(length));
    };
    block.push(127);
    while rest >= 128 {
        block.extend(u8::try_from(rest % 128 + 128));
        rest /= 128;
    }
    block.extend(u8::try_from(rest));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_rfc_7541() {
        for (length, expected) in [(0, &[0][..]), (126, &[126]), (127, &[127, 0]), (1337, &[127, 186, 9])] {
            let mut block = Vec::new();
            push_length(length, &mut block);
            assert_eq!(block, expected, "{length}");
        }
    }
}
