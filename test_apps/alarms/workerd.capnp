using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .mainWorker),
    (name = "data", disk = (path = "/tmp/alarms", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8080", http = (), service = "main")],
);

const mainWorker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-04-01",
  durableObjectNamespaces = [
    (className = "Clock", uniqueKey = "alarms-clock", enableSql = true),
    (className = "Handless", uniqueKey = "alarms-handless", enableSql = true),
    (className = "Early", uniqueKey = "alarms-early", enableSql = true),
    (className = "Keeper", uniqueKey = "alarms-keeper", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "data"),
);
