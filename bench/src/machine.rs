//! What is measured on: cores and pinning, memory of processes, versions.

use std::fs;
use std::process::Command;

use crate::server::Side;

/// The core of the runtimes under test.
pub const SERVER_CPU: usize = 0;
/// The core of the load, where there is a second one.
pub const LOAD_CPU: usize = 1;

/// A command that runs on `cpu` only, or anywhere if this machine has no such core or no taskset.
pub fn pinned(cpu: usize, words: &[String]) -> Command {
    if !can_pin() {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        return command;
    }
    let mut command = Command::new("taskset");
    command.args(["-c", &cpu.to_string()]).args(words);
    command
}

fn can_pin() -> bool {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores > LOAD_CPU && Command::new("taskset").arg("--version").output().is_ok()
}

/// Machine, versions and method, one a line.
pub fn describe(sides: &[Side]) -> String {
    let mut lines = vec![
        format!("machine: {}, {} cores", cpu_model(), cores()),
        format!("kernel: {}", first_line(&["uname", "-sr"])),
        format!("commit: {}", first_line(&["git", "rev-parse", "--short", "HEAD"])),
    ];
    for side in sides {
        let program = if *side == Side::Node { "node".into() } else { side.binary() };
        let binary = program.display().to_string();
        lines.push(format!("{side}: {}", first_line(&[&binary, "--version"])));
    }
    let pinning = if can_pin() { "server on core 0, load on core 1" } else { "none" };
    lines.push(format!("pinning: {pinning}"));
    lines.join("\n")
}

/// The name of this machine's architecture in workerd's packages.
pub fn workerd_arch() -> &'static str {
    if std::env::consts::ARCH == "aarch64" { "arm64" } else { "64" }
}

/// The name of this machine's architecture in Deno's packages.
pub fn deno_arch() -> &'static str {
    if std::env::consts::ARCH == "aarch64" { "arm64" } else { "x64" }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(0, usize::from)
}

fn cpu_model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name"));
    model.map_or("unknown processor", |m| m.trim_start_matches([' ', '\t', ':'])).to_owned()
}

/// First line of what a command prints, or `unknown`.
fn first_line(words: &[&str]) -> String {
    let output = Command::new(words[0]).args(&words[1..]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let line = text.unwrap_or_default().lines().next().unwrap_or_default().to_owned();
    if line.is_empty() { "unknown".to_owned() } else { line }
}

/// Ids of the processes in a process group.
pub fn processes_of_group(group: u32) -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(move |id| group_of(*id) == Some(group))
}

/// The process group, which is the third field after the name in parentheses.
fn group_of(id: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(2)?.parse().ok()
}

/// Resident memory of one process, in bytes; 0 if it is gone.
pub fn resident_bytes(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()).and_then(|n| n.parse().ok());
    kib.unwrap_or(0_u64) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_process_is_found_with_its_memory() {
        let id = std::process::id();
        let group = group_of(id).expect("this process is in a group");
        assert!(processes_of_group(group).any(|other| other == id));
        assert!(resident_bytes(id) > 100_000);
    }
}
