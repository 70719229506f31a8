//! The binary `beryl`: command line, configuration, assembly.
//!
//! Exit codes: 0 after an orderly stop, 1 when serving could not start, 2 when the command line
//! cannot be carried out, 3 when serving failed later.

#![forbid(unsafe_code)]

mod apps;
mod cli;
mod config;
mod debug;
mod keeper;
mod linked;
mod modules;
mod sandbox;
mod serve;
mod strikes;
mod wrangler;

use std::io;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, LogFormat};
use crate::config::{Config, Mode};
use crate::keeper::{Inheritance, Kept};
use crate::serve::{Failure, Past, STOPPED_SERVING, Sockets, StoppedServing};

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
    start(config).unwrap_or_else(|error| {
        eprintln!("beryl: {error}");
        if error.is::<StoppedServing>() {
            ExitCode::from(STOPPED_SERVING)
        } else {
            ExitCode::FAILURE
        }
    })
}

/// Serves, or keeps a process that does.
fn start(config: Config) -> Result<ExitCode, Failure> {
    let (sockets, past) = match Kept::from_env()? {
        Some(Inheritance { kept, listeners, blame }) => {
            let past = Past { restarts: kept.restarts, refused: kept.refused, blame };
            (Sockets::inherit(&config, listeners)?, past)
        }
        None if matches!(config.mode, Mode::Serve(_)) => return keeper::run(&config),
        None => (Sockets::bind(&config)?, Past::none()),
    };
    serve::run(config, sockets, past).map(|()| ExitCode::SUCCESS)
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
