using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .mainWorker),
    (name = "data", disk = (path = "/tmp/objects", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8080", http = (), service = "main")],
);

const mainWorker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "objects.js")],
  compatibilityDate = "2026-04-01",
  durableObjectNamespaces = [(className = "One", uniqueKey = "One", enableSql = true)],
  durableObjectStorage = (localDisk = "data"),
);
