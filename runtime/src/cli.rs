//! The command line, exactly as it was typed; what it means is decided in `config`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A self-hosted runtime for Workers, Durable Objects and facets.
#[derive(Debug, Parser)]
#[command(name = "beryl", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve apps that are submitted over the admin API
    Serve(ServeArgs),
    /// Run a worker script, or the workers of wrangler configurations
    Run(RunArgs),
    /// Run the exported test() handlers of a worker
    Test(TestArgs),
}

/// What only `beryl serve` takes.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Directory for apps and their data
    #[arg(long, value_name = "DIR", default_value = "./data")]
    pub data: PathBuf,
    /// Port of the admin API; 0 takes any free one
    #[arg(long, value_name = "N", default_value_t = 7070)]
    pub admin_port: u16,
    /// Let everybody on this machine use the admin API without a token
    #[arg(long)]
    pub no_auth: bool,
    /// Refuse to start where the system cannot forbid the worker process all that it should
    #[arg(long)]
    pub require_sandbox: bool,
    /// Forbid the worker process nothing, for debuggers and profilers
    #[arg(long, conflicts_with = "require_sandbox")]
    pub no_sandbox: bool,
    /// Apps are reached as <app>.D besides <app>.localhost
    #[arg(long, value_name = "D", default_value = "localhost")]
    pub base_domain: String,
    /// What both commands take.
    #[command(flatten)]
    pub common: ServerArgs,
}

/// What only `beryl run` takes.
#[derive(Debug, Default, Args)]
pub struct RunArgs {
    /// A worker script, or wrangler.jsonc, .json or .toml files or their folders; the first of
    /// several workers is served, the others are reached by bindings
    #[arg(default_value = ".")]
    pub files: Vec<PathBuf>,
    /// The environment of the configuration, of those under `env`
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// The folder with the bundled code of the configured worker
    #[arg(long, value_name = "DIR")]
    pub bundle: Option<PathBuf>,
    /// Directory for the data of its Durable Objects
    #[arg(long, value_name = "DIR", default_value = "./.beryl")]
    pub data: PathBuf,
    /// A variable of the worker's env; can be given more than once
    #[arg(long = "var", value_name = "KEY=VALUE")]
    pub vars: Vec<String>,
    /// Let the worker fetch from this machine and private networks too
    #[arg(long)]
    pub allow_private_network: bool,
    /// When scheduled() runs: five fields in UTC, Sunday being 1; can be given more than once
    #[arg(long = "cron", value_name = "PATTERN")]
    pub crons: Vec<String>,
    /// The date whose behaviour the worker asks for; today's if not given
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub compatibility_date: Option<String>,
    /// A behaviour to turn on or off besides; can be given more than once
    #[arg(long = "compatibility-flag", value_name = "FLAG")]
    pub compatibility_flags: Vec<String>,
    /// Ask for the code of loaded workers again, and report code that changed under its name
    #[arg(long)]
    pub check_loads: bool,
    /// What both commands take.
    #[command(flatten)]
    pub common: ServerArgs,
}

/// What `beryl test` takes.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// A worker script, wrangler configurations or their folders, or a JSON document of services
    #[arg(default_value = ".")]
    pub files: Vec<PathBuf>,
    /// Only the tests of this service or export, or service:export
    #[arg(long, value_name = "NAME")]
    pub filter: Option<String>,
    /// How long each test may take: a number with ms, s or m
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub timeout: String,
    /// How many tests run at a time; as many as there are cores if not given
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Write a JSON object per test to this file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Write the results in the format of JUnit to this file
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Where scratch directories for the data of tests are made
    #[arg(long, value_name = "DIR")]
    pub tmp: Option<PathBuf>,
    /// The environment of the configuration, of those under `env`
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// The folder with the bundled code of the configured worker
    #[arg(long, value_name = "DIR")]
    pub bundle: Option<PathBuf>,
    /// A variable of the worker's env; can be given more than once
    #[arg(long = "var", value_name = "KEY=VALUE")]
    pub vars: Vec<String>,
    /// Let tests fetch from this machine and private networks too
    #[arg(long)]
    pub allow_private_network: bool,
    /// The date whose behaviour the worker asks for; today's if not given
    #[arg(long, visible_alias = "compat-date", value_name = "YYYY-MM-DD")]
    pub compatibility_date: Option<String>,
    /// A behaviour to turn on or off besides; can be given more than once
    #[arg(long = "compatibility-flag", value_name = "FLAG")]
    pub compatibility_flags: Vec<String>,
}

/// What both commands take.
#[derive(Debug, Default, Args)]
pub struct ServerArgs {
    /// Port to serve on; 0 takes any free one
    #[arg(long, value_name = "N", default_value_t = 8787)]
    pub port: u16,
    /// Address to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1")]
    pub host: String,
    /// How log lines look
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// CPU time in milliseconds that JavaScript may take at a stretch
    #[arg(long, value_name = "N")]
    pub cpu_ms: Option<u64>,
    /// Keep no history of databases: no bookmarks, no recovery of earlier states
    #[arg(long)]
    pub no_history: bool,
    /// Keep history here too, a folder or s3://bucket/prefix: for what has no room on the disk
    #[arg(long, value_name = "PLACE", conflicts_with = "no_history")]
    pub archive: Option<String>,
    /// Bytes that each database may take, and its history a quarter of that at most
    #[arg(long, value_name = "N")]
    pub storage_bytes: Option<u64>,
    /// Time in milliseconds that blockConcurrencyWhile() and transaction() may take
    #[arg(long, value_name = "N")]
    pub block_ms: Option<u64>,
    /// Isolates that may live at a time; loaded workers beyond that wait
    #[arg(long, value_name = "N")]
    pub isolates: Option<usize>,
    /// Time in milliseconds that loaded workers may wait for an isolate; 0 fails at once
    #[arg(long, value_name = "N")]
    pub load_wait_ms: Option<u64>,
    /// Threads that run JavaScript; one per core if not given
    #[arg(long, value_name = "N")]
    pub shards: Option<usize>,
    /// Port on loopback where tests see objects and move the clock; nobody else needs it
    #[arg(long, value_name = "N", hide = true)]
    pub debug_port: Option<u16>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines, one object per line.
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent_and_has_its_defaults() {
        Cli::command().debug_assert();
        let Command::Serve(serve) = Cli::parse_from(["beryl", "serve"]).command else {
            panic!("serve was typed");
        };
        assert_eq!((serve.common.port, serve.admin_port, serve.no_auth), (8787, 7070, false));
        assert_eq!(serve.data, PathBuf::from("./data"));
        let Command::Run(run) =
            Cli::parse_from(["beryl", "run", "w.js", "--var", "A=1", "--var", "B="]).command
        else {
            panic!("run was typed");
        };
        assert_eq!(
            (run.data, run.vars, run.files),
            (
                PathBuf::from("./.beryl"),
                vec!["A=1".into(), "B=".into()],
                vec![PathBuf::from("w.js")]
            )
        );
    }
}
