//! Runs the same worker files on Beryl and on workerd, in turns, and prints the ratios.
//!
//! Method (`docs/bench.md`): both sides are release binaries, started fresh for every round on a
//! free port and an empty data folder, pinned to one core; the load comes from another core. Rounds
//! alternate A B A B, a ratio is taken within each round, and the medians are printed. Raw numbers
//! go to `bench/out/`.

mod client;
mod load;
mod loads;
mod machine;
mod objects;
mod report;
mod server;
mod socket;
mod stream;
mod workload;

use std::process::ExitCode;

use report::Report;
use server::Side;
use workload::{Plan, Workload};

const USAGE: &str = "usage: make bench ARGS=\"[--quick] [--only NAME]… [--rounds N]\"

NAME is a side (beryl, workerd, deno, node) or a workload:
  hello    constant answer, at 1, 8 and 64 connections
  echo     a JSON body of 1 KB parsed and sent back, at 1 and 64 connections
  proxy    a body of 1 GB that a worker fetches and hands on, with the memory it takes
  counter  AppRunner -> facet, a durable counter, at 1 and 64 connections
  sql      INSERT, SELECT by key and toArray() in a loop inside one request
  commits  durable commits of one row, 64 connections, on one object and on 64
  calls    supervisor -> facet RPC, awaited one by one
  alarms   alarms of 10,000 objects, due within one second
  sockets  echo over 64 WebSockets, by accept() and hibernatable
  sleep    memory of facets and objects that went to sleep, and waking up (minutes)
  rpc      calls with an object of 1 KB, to an entrypoint, an object and a dynamic worker
  cold     first answer of a dynamic worker that was never seen
  bundle   first answer of one of 1 MB whose code was loaded before
  sustained  never-seen dynamic workers without a pause, on all cores, with the memory it takes
  memory   RSS per resident app with its database, at 200 and 1000 apps
  startup  process start to first accepted connection

--quick is one short round: enough to see that all works, not to compare.";

/// What was typed.
struct Args {
    plan: Plan,
    sides: Vec<Side>,
    workloads: Vec<Workload>,
}

fn main() -> ExitCode {
    let outcome = parse(std::env::args().skip(1)).and_then(|args| run(&args));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("bench: {message}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Args, String> {
    let (mut sides, mut workloads, mut plan) = (Vec::new(), Vec::new(), Plan::full());
    while let Some(word) = words.next() {
        match word.as_str() {
            "--quick" => plan = Plan::quick(),
            "--rounds" => {
                let rounds = words.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0);
                plan.rounds = rounds.ok_or("--rounds needs a number from 1")?;
            }
            "--only" => {
                let name = words.next().ok_or("--only needs a name")?;
                match (Side::named(&name), Workload::named(&name)) {
                    (Some(side), _) => sides.push(side),
                    (_, Some(workload)) => workloads.push(workload),
                    _ => return Err(format!("no side or workload `{name}`\n{USAGE}")),
                }
            }
            _ => return Err(USAGE.to_owned()),
        }
    }
    let all_if_none = |sides: Vec<Side>| if sides.is_empty() { Side::ALL.to_vec() } else { sides };
    if workloads.is_empty() {
        workloads = Workload::ALL.to_vec();
    }
    Ok(Args { plan, sides: all_if_none(sides), workloads })
}

fn run(args: &Args) -> Result<(), String> {
    let mut sides = Vec::new();
    for side in &args.sides {
        match side.check_installed() {
            // It has to be compiled, which not every machine can.
            Err(missing) if *side == Side::Node => eprintln!("bench: left out: {missing}"),
            installed => sides.push(installed.map(|()| *side)?),
        }
    }
    load::check_installed()?;
    let machine = machine::describe(&sides);
    println!("{machine}");
    let mut report = Report::default();
    for workload in &args.workloads {
        for round in 1..=workload.rounds(&args.plan) {
            for side in sides.iter().filter(|side| workload.suits(**side)) {
                eprintln!("{} {round}: {}", workload.name(), side.name());
                let samples = workload.run(*side, &args.plan);
                let samples = samples.map_err(|e| format!("{} on {side}: {e}", workload.name()))?;
                report.add(workload.name(), *side, round, samples);
            }
        }
    }
    println!("{}", report.table());
    let folder = report.write(&machine).map_err(|e| format!("cannot write bench/out: {e}"))?;
    println!("raw numbers: {}", folder.display());
    Ok(())
}
