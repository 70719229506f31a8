//! Set-up steps that are more than a line of a Makefile: `cargo run -q -p xtask -- <task>…`.
//!
//! Depends on nothing that needs V8, since it runs before V8 is there. Every task says in one line
//! what it did, and does nothing the second time.

mod cache;
mod node;
mod sbom;
mod v8;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "usage: cargo run -q -p xtask -- TASK…

tasks:
  v8     make V8's static library ready, so that a plain `cargo build` works
  node   install the npm packages that the tests and the bench run Beryl against
  sbom   write what the binary is made of to target/beryl.cdx.json (CycloneDX)";

fn main() -> ExitCode {
    let tasks: Vec<String> = std::env::args().skip(1).collect();
    if tasks.is_empty() {
        eprintln!("{USAGE}");
        return ExitCode::FAILURE;
    }
    for task in &tasks {
        if let Err(message) = run(task) {
            eprintln!("xtask {task}: {message}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn run(task: &str) -> Result<(), String> {
    match task {
        "v8" => v8::make_ready(&root()),
        "node" => node::install(&root()),
        "sbom" => sbom::write(&root()),
        _ => Err(format!("no such task\n{USAGE}")),
    }
}

/// The folder of the workspace.
fn root() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    crates.and_then(Path::parent).expect("xtask lies two folders below the root").to_path_buf()
}
