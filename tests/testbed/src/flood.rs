//! Very many requests over one connection.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::client::Client;

const PATIENCE: Duration = Duration::from_secs(60);

impl Client {
    /// Send requests without a body, each as its bytes stand in HTTP/1.1 and after the answer to the one before it; how many were
    /// answered.
    ///
    /// # Errors
    /// When the proxy ends the connection before the last answer.
    pub fn flood(&self, requests: impl IntoIterator<Item = String>) -> io::Result<usize> {
        let mut stream = TcpStream::connect(self.address())?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut answers = BufReader::new(stream.try_clone()?);
        let mut answered = 0;
        for request in requests {
            stream.write_all(request.as_bytes())?;
            read_answer(&mut answers)?;
            answered += 1;
        }
        Ok(answered)
    }
}

/// Reads an answer with a `content-length`, or without a body.
fn read_answer(answers: &mut impl BufRead) -> io::Result<()> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if answers.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().map_err(io::Error::other)?;
        }
    }
    io::copy(&mut answers.take(length), &mut io::sink()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_answer_after_the_other() {
        let mut answers: &[u8] = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 3\r\n\r\nabcHTTP/1.1 204 No Content\r\n\r\nrest";
        read_answer(&mut answers).unwrap();
        read_answer(&mut answers).unwrap();
        assert_eq!(answers, b"rest");
        assert!(read_answer(&mut answers).is_err());
    }
}
