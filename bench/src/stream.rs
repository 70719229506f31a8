//! A large body: a server that gives it, and a client that reads it without keeping it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// A server that answers every request with the same number of zeros.
pub struct Source {
    /// Where it listens.
    pub address: SocketAddr,
}

/// A body that was read.
pub struct Download {
    /// From the request to the last byte.
    pub took: Duration,
    /// The most that was resident while it came.
    pub peak_bytes: u64,
}

impl Source {
    /// Starts a server on a thread, which ends with this process.
    pub fn start(length: u64) -> Result<Source, String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| e.to_string())?;
        let address = listener.local_addr().map_err(|e| e.to_string())?;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Who hangs up early has what it wanted.
                thread::spawn(move || answer(stream, length));
            }
        });
        Ok(Source { address })
    }
}

fn answer(stream: TcpStream, length: u64) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let zeros = vec![0; PIECE_BYTES];
    loop {
        let mut line = String::new();
        while stream.read_line(&mut line)? > 2 {
            line.clear();
        }
        if line.is_empty() {
            return Ok(());
        }
        let out = stream.get_mut();
        write!(out, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")?;
        let mut left = length;
        while left > 0 {
            let piece = left.min(PIECE_BYTES as u64);
            out.write_all(&zeros[..usize::try_from(piece).unwrap_or(PIECE_BYTES)])?;
            left -= piece;
        }
    }
}

/// Reads `path` to the end of the connection; asks `resident` several times a second.
pub fn download(
    address: SocketAddr,
    path: &str,
    resident: impl Fn() -> u64,
) -> Result<Download, String> {
    let failed = |error: std::io::Error| format!("GET {path}: {error}");
    let started = Instant::now();
    let mut stream = TcpStream::connect(address).map_err(failed)?;
    stream.set_read_timeout(Some(SILENCE_MAX)).map_err(failed)?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).map_err(failed)?;
    let (mut bytes, mut piece) = (0, vec![0; PIECE_BYTES]);
    let (mut peak_bytes, mut looked) = (0, Instant::now());
    loop {
        match stream.read(&mut piece).map_err(failed)? {
            0 => break,
            read => bytes += read,
        }
        if looked.elapsed() > LOOK_EVERY {
            looked = Instant::now();
            peak_bytes = peak_bytes.max(resident());
        }
    }
    let took = started.elapsed();
    if bytes < ANSWER_BYTES_MIN {
        return Err(format!("GET {path}: {bytes} bytes only"));
    }
    Ok(Download { took, peak_bytes })
}

const PIECE_BYTES: usize = 256 << 10;
const SILENCE_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Fewer are an error message.
const ANSWER_BYTES_MIN: usize = 1 << 20;
