//! The binary `beryl`: command line, configuration, assembly.
//!
//! Exit codes: 0 after an orderly stop, 1 when serving could not start, 2 when the command line
//! cannot be carried out, 3 when serving failed later. `beryl test` ends with 0 if at least one
//! test ran and none failed.

#![forbid(unsafe_code)]

mod apps;
mod archive;
mod cli;
mod config;
mod cordon;
mod debug;
mod keeper;
mod kept;
mod linked;
mod logs;
mod modules;
mod sandbox;
mod serve;
mod sockets;
mod strikes;
mod testing;
mod wrangler;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::config::{Config, Mode};
use crate::kept::{Inheritance, Kept};
use crate::serve::{Failure, Past, STOPPED_SERVING, StoppedServing};
use crate::sockets::Sockets;

/// Gives freed memory back to the system, which the default allocator rarely does.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let command = match Cli::parse().command {
        Command::Test(args) => return testing::main(args),
        command => command,
    };
    let config = match Config::new(command) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("beryl: {error}");
            return ExitCode::from(2);
        }
    };
    logs::start(config.log_format);
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
fn start(mut config: Config) -> Result<ExitCode, Failure> {
    let (sockets, past) = match Kept::from_env()? {
        Some(Inheritance { kept, listeners, channel, blame }) => {
            let Kept { cordon, restarts, refused, away, .. } = kept;
            config = cordon.confine(config);
            cordon.step_back();
            let past = Past { restarts, refused, away, blame };
            (Sockets::inherit(&config, cordon, listeners, channel)?, past)
        }
        None if matches!(config.mode, Mode::Serve(_)) => return keeper::run(&config),
        None => (Sockets::bind(&config)?, Past::none()),
    };
    serve::run(config, sockets, past).map(|()| ExitCode::SUCCESS)
}
