//! `beryl serve` survives the death of the process that runs apps.

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

mod server;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use server::client::Ask;
use server::{Server, signal_process, wait_for};

const COUNTER: &str = r#"
    import { DurableObject } from "cloudflare:workers";
    export class App extends DurableObject {
        fetch() {
            const count = (this.ctx.storage.kv.get("count") ?? 0) + 1;
            this.ctx.storage.kv.put("count", count);
            return new Response(String(count));
        }
    }
"#;

#[test]
fn a_worker_process_that_dies_is_replaced_and_nothing_acknowledged_is_lost() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::serve(data.path(), &["--shards", "1"]);
    assert_eq!(server.deploy("counter", COUNTER).status, 201);
    let mut acknowledged = 0;
    for _ in 0..5 {
        acknowledged = count(&server).unwrap();
        let worker = server.worker_process();
        signal_process(worker, "KILL");
        // A request that the dead process had taken is lost; the ports never refuse one.
        let next = wait_for("an answer of the next worker process", || count(&server));
        assert!(next > acknowledged, "{next} after {acknowledged}\n{}", server.output());
        assert_ne!(server.worker_process(), worker);
    }
    assert!(server.output().contains("the worker process ended"), "{}", server.output());
    assert!(server.stop().success());
    let server = Server::serve(data.path(), &["--shards", "1"]);
    assert!(count(&server).unwrap() > acknowledged);
}

#[test]
fn a_process_that_is_started_anew_on_request_loses_no_request() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::serve(data.path(), &["--shards", "2"]);
    assert_eq!(server.deploy("counter", COUNTER).status, 201);
    assert_eq!(count(&server), Some(1));
    let (port, stop) = (server.port, Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                let mut answers = 0;
                while !stop.load(Ordering::Relaxed) {
                    ask(port);
                    answers += 1;
                }
                answers
            })
        })
        .collect();
    for _ in 0..3 {
        let worker = server.worker_process();
        server.hang_up();
        wait_for("another process", || Some(()).filter(|()| server.worker_process() != worker));
    }
    stop.store(true, Ordering::Relaxed);
    let answers: u64 = clients.into_iter().map(|client| client.join().unwrap()).sum();
    assert_eq!(count(&server), Some(answers + 2), "each request was answered once");
    assert!(server.stop().success());
}

#[test]
fn clients_wait_while_there_is_no_worker_process() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::serve(data.path(), &["--shards", "2"]);
    assert_eq!(server.deploy("counter", COUNTER).status, 201);
    let worker = server.worker_process();
    // Stopped, it takes no connection; those who come meanwhile are the next one's.
    signal_process(worker, "STOP");
    wait_for("the worker process to stand still", || Some(()).filter(|()| stands_still(worker)));
    let port = server.port;
    let waiting: Vec<_> = (0..8).map(|_| thread::spawn(move || ask(port))).collect();
    let queued = || Some(()).filter(|()| queue_length(port) == 8);
    wait_for("eight clients in the queue", queued);
    signal_process(worker, "KILL");
    let mut counts: Vec<u64> = waiting.into_iter().map(|one| one.join().unwrap()).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 2, 3, 4, 5, 6, 7, 8], "{}", server.output());
}

#[test]
fn a_worker_process_never_outlives_its_keeper() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::serve(data.path(), &["--shards", "1"]);
    let worker = server.worker_process();
    server.kill();
    let is_gone = || Some(()).filter(|()| !Path::new(&format!("/proc/{worker}/exe")).exists());
    wait_for("the worker process to end", is_gone);
}

fn count(server: &Server) -> Option<u64> {
    let answer = server.try_ask(&Ask::get("/").host("counter.localhost")).ok()?;
    if answer.status == 200 { answer.text().parse().ok() } else { None }
}

fn ask(port: u16) -> u64 {
    let answer = server::client::send(port, &Ask::get("/").host("counter.localhost")).unwrap();
    answer.text().parse().unwrap()
}

/// True once the signal has reached all threads.
fn stands_still(process: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("stat")).unwrap()).all(
        // After the name, which is in parentheses.
        |stat| stat.rsplit(") ").next().is_some_and(|fields| fields.starts_with('T')),
    )
}

/// Connections of this port that nobody has accepted yet, from the kernel's table of sockets.
fn queue_length(port: u16) -> u64 {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let local = format!("0100007F:{port:04X}");
    let listening = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let listening = listening.filter(|fields| fields.get(1) == Some(&&*local) && fields[3] == "0A");
    listening.map(|f| u64::from_str_radix(f[4].split(':').nth(1).unwrap(), 16).unwrap()).sum()
}
