using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .mainWorker),
    (name = "data", disk = (path = "/tmp/gates", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8080", http = (), service = "main")],
);

const mainWorker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-04-01",
  durableObjectNamespaces = [
    (className = "Gate", uniqueKey = "gates-gate", enableSql = true),
    (className = "Echo", uniqueKey = "gates-echo", enableSql = true),
    (className = "Slow", uniqueKey = "gates-slow", enableSql = true),
    (className = "Failing", uniqueKey = "gates-failing", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "data"),
);
