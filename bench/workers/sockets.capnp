using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .mainWorker),
    (name = "data", disk = (path = "/tmp/sockets", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8080", http = (), service = "main")],
);

const mainWorker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "sockets.js")],
  compatibilityDate = "2026-04-01",
  durableObjectNamespaces = [(className = "Room", uniqueKey = "Room", enableSql = true)],
  durableObjectStorage = (localDisk = "data"),
);
