//! Clients of an echo over WebSockets: a few frames, no fragments, nothing masked by the server.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// An open connection.
pub struct Socket {
    stream: TcpStream,
}

impl Socket {
    /// Connects and upgrades.
    pub fn open(address: SocketAddr, path: &str) -> Result<Socket, String> {
        let fail = |e: io::Error| format!("WebSocket {path}: {e}");
        let mut stream = TcpStream::connect(address).map_err(fail)?;
        let ready = stream.set_nodelay(true).and(stream.set_read_timeout(Some(ANSWER_TIME_MAX)));
        ready.map_err(fail)?;
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).map_err(fail)?;
        let (mut answer, mut byte) = (Vec::new(), [0]);
        while !answer.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).map_err(fail)?;
            answer.push(byte[0]);
        }
        if !answer.starts_with(b"HTTP/1.1 101") {
            return Err(format!("WebSocket {path}: {}", String::from_utf8_lossy(&answer)));
        }
        Ok(Socket { stream })
    }

    fn send(&mut self) -> io::Result<()> {
        // A text of so many bytes, masked with zeros, which leaves it as it is.
        let mut frame = vec![0x81, 0x80 | MESSAGE.len() as u8, 0, 0, 0, 0];
        frame.extend(MESSAGE);
        self.stream.write_all(&frame)
    }

    fn receive(&mut self) -> io::Result<()> {
        let mut frame = [0; MESSAGE.len() + 2];
        self.stream.read_exact(&mut frame)?;
        let is_echo = frame[..2] == [0x81, MESSAGE.len() as u8] && frame[2..] == MESSAGE[..];
        if is_echo { Ok(()) } else { Err(io::Error::other("not an echo")) }
    }
}

/// Messages a second that come back over `count` connections, each with one under way.
pub fn echoes(
    address: SocketAddr,
    path: &str,
    count: usize,
    time: Duration,
) -> Result<f64, String> {
    let opened: Result<Vec<Socket>, String> =
        (0..count).map(|_| Socket::open(address, path)).collect();
    let mut sockets = opened?;
    let mut round = || -> io::Result<()> {
        sockets.iter_mut().try_for_each(Socket::send)?;
        sockets.iter_mut().try_for_each(Socket::receive)
    };
    let mut rounds_within = |time: Duration| -> io::Result<(u32, Duration)> {
        let (began, mut rounds) = (Instant::now(), 0);
        while began.elapsed() < time {
            round()?;
            rounds += 1;
        }
        Ok((rounds, began.elapsed()))
    };
    let fail = |e: io::Error| format!("WebSocket {path}: {e}");
    rounds_within(Duration::from_secs(1)).map_err(fail)?; // Compiles.
    let (rounds, took) = rounds_within(time).map_err(fail)?;
    Ok(f64::from(rounds) * count as f64 / took.as_secs_f64())
}

const MESSAGE: &[u8; 32] = b"a message of thirty-two bytes...";
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);
