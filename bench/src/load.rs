//! Load from many connections: `wrk` with one thread, and what it printed.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::machine;

/// What one run of `wrk` measured.
#[derive(Debug, PartialEq)]
pub struct Load {
    /// Answers per second.
    pub rate: f64,
    /// Median latency in milliseconds.
    pub p50_ms: f64,
    /// 99th percentile of the latency in milliseconds.
    pub p99_ms: f64,
    /// Answers in the whole run.
    pub answers: u64,
}

/// Looks for `wrk`; where the system's packages can be installed, installs it.
pub fn check_installed() -> Result<(), String> {
    let there = || Command::new("wrk").arg("--version").output().is_ok();
    if there() {
        return Ok(());
    }
    eprintln!("wrk is missing: apt-get install wrk");
    for words in [&["update", "-q"][..], &["install", "-y", "-q", "wrk"]] {
        // Whether it worked is seen by looking again.
        let _ = Command::new("apt-get").args(words).stdin(Stdio::null()).status();
    }
    if there() { Ok(()) } else { Err("wrk is missing; install the package wrk".to_owned()) }
}

/// Loads `path` of `address` for some seconds; `script` says what is sent, if it is no plain GET.
pub fn run(
    (address, path): (SocketAddr, &str),
    connections: u32,
    seconds: u32,
    script: Option<&Path>,
) -> Result<Load, String> {
    let words = format!("wrk -t 1 -c {connections} -d {seconds}s --latency http://{address}{path}");
    let mut words: Vec<String> = words.split(' ').map(str::to_owned).collect();
    if let Some(script) = script {
        words.extend(["-s".to_owned(), script.display().to_string()]);
    }
    measured(machine::pinned(machine::LOAD_CPU, &words))
}

/// As [`run`], without a core of its own.
pub fn run_anywhere(
    (address, path): (SocketAddr, &str),
    connections: u32,
    seconds: u32,
) -> Result<Load, String> {
    let (connections, seconds) = (connections.to_string(), format!("{seconds}s"));
    let mut wrk = Command::new("wrk");
    wrk.args(["-t", "1", "-c", &connections, "-d", &seconds, "--latency"]);
    wrk.arg(format!("http://{address}{path}"));
    measured(wrk)
}

fn measured(mut wrk: Command) -> Result<Load, String> {
    let run = wrk.stdin(Stdio::null()).output();
    let output = run.map_err(|e| format!("cannot run wrk: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    parse(&text).ok_or_else(|| format!("wrk saw errors or no answers:\n{text}"))
}

/// Reads wrk's output; `None` if it counts failed answers or lacks a number.
fn parse(text: &str) -> Option<Load> {
    let after = |label: &str| {
        let line = text.lines().map(str::trim).find(|line| line.starts_with(label))?;
        line[label.len()..].split_whitespace().next()
    };
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return None;
    }
    let answers = text.lines().find(|line| line.contains(" requests in "))?;
    Some(Load {
        rate: after("Requests/sec:")?.parse().ok()?,
        p50_ms: millis(after("50%")?)?,
        p99_ms: millis(after("99%")?)?,
        answers: answers.split_whitespace().next()?.parse().ok()?,
    })
}

/// `1.50ms`, `95.00us` or `1.20s` in milliseconds.
fn millis(text: &str) -> Option<f64> {
    let units = [("us", 0.001), ("ms", 1.0), ("s", 1000.0)];
    let (number, factor) = units.iter().find_map(|(u, f)| Some((text.strip_suffix(u)?, f)))?;
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "Running 2s test @ http://127.0.0.1:8080/
  1 threads and 64 connections
  Latency Distribution
     50%  839.00us
     75%    1.25ms
     90%    1.58ms
     99%    1.20s
  12846 requests in 2.00s, 1.20MB read
Requests/sec:   6423.40
Transfer/sec:    612.00KB
";

    #[test]
    fn output_of_wrk_is_read() {
        let load = Load { rate: 6423.4, p50_ms: 0.839, p99_ms: 1200.0, answers: 12846 };
        assert_eq!(parse(OUTPUT), Some(load));
    }

    #[test]
    fn failed_answers_are_no_result() {
        assert_eq!(parse(&format!("{OUTPUT}  Non-2xx or 3xx responses: 12\n")), None);
        assert_eq!(parse("unable to connect"), None);
    }
}
