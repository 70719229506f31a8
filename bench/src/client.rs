//! One HTTP/1.1 connection that waits for each answer, for latencies seen by one client.
//!
//! Knows just what the runtimes answer here: `Content-Length`, chunked bodies and no body.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A connection that is kept open between requests.
pub struct Client {
    stream: BufReader<TcpStream>,
}

/// An answer and how long it took from the first byte sent.
pub struct Answer {
    /// The body as text.
    pub body: String,
    /// Time until the last byte of the body.
    pub took: Duration,
}

impl Client {
    /// Connects to a server.
    pub fn connect(address: SocketAddr) -> Result<Client, String> {
        let stream = TcpStream::connect(address).map_err(|e| format!("connect: {e}"))?;
        let ready = stream.set_nodelay(true).and(stream.set_read_timeout(Some(ANSWER_TIME_MAX)));
        ready.map_err(|e| format!("connect: {e}"))?;
        Ok(Client { stream: BufReader::new(stream) })
    }

    /// Sends `GET path` and fails on any status but 200.
    pub fn get(&mut self, path: &str) -> Result<Answer, String> {
        self.send("GET", path, "", 200)
    }

    /// Sends `PUT path` with a body and fails on any status but 204.
    pub fn put(&mut self, path: &str, body: &str) -> Result<Answer, String> {
        self.send("PUT", path, body, 204)
    }

    fn send(&mut self, method: &str, path: &str, body: &str, want: u16) -> Result<Answer, String> {
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
        let request = format!("{head}Content-Length: {length}\r\n\r\n{body}");
        let started = Instant::now();
        let sent = self.stream.get_mut().write_all(request.as_bytes());
        let answer = sent.and_then(|()| self.read_answer());
        let (status, body) = answer.map_err(|e| format!("{method} {path}: {e}"))?;
        if status != want {
            return Err(format!("{method} {path}: status {status}, expected {want}: {body}"));
        }
        Ok(Answer { body, took: started.elapsed() })
    }

    fn read_answer(&mut self) -> io::Result<(u16, String)> {
        let bad = |what: &str| io::Error::other(what.to_owned());
        let line = self.read_line()?;
        let status = line.split(' ').nth(1).and_then(|s| s.parse().ok());
        let status = status.ok_or_else(|| bad("no status line"))?;
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.read_line()?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(|_| bad("bad content-length"))?;
            }
            chunked |= line.starts_with("transfer-encoding:") && line.ends_with("chunked");
        }
        let body = if chunked { self.read_chunks()? } else { self.read_bytes(length)? };
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.read_line()?;
            let length = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
            body.extend(self.read_bytes(length)?);
            self.read_line()?;
            if length == 0 {
                return Ok(body);
            }
        }
    }

    fn read_bytes(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}

const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);
