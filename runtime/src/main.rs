//! The binary `beryl`: command line, configuration, assembly.
//!
//! Exit codes: 0 after an orderly stop, 1 when serving failed, 2 when the command line cannot
//! be carried out.

#![forbid(unsafe_code)]

mod apps;
mod cli;
mod config;
mod serve;

use std::io;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, LogFormat};
use crate::config::Config;

/// Gives freed memory back to the system, which the default allocator rarely does.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let config = match Config::new(Cli::parse()) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("beryl: {error}");
            return ExitCode::from(2);
        }
    };
    start_logs(config.log_format);
    match serve::run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("beryl: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Logs go to standard error; `RUST_LOG` chooses which.
fn start_logs(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match format {
        LogFormat::Text => logs.init(),
        LogFormat::Json => logs.json().init(),
    }
}
