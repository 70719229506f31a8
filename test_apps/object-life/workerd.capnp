using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .mainWorker),
    (name = "data", disk = (path = "/tmp/object-life", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8080", http = (), service = "main")],
);

const mainWorker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-11-01",
  durableObjectNamespaces = [
    (className = "Handlers", uniqueKey = "Handlers", enableSql = true),
    (className = "Child", uniqueKey = "Child", enableSql = true),
    (className = "OtherChild", uniqueKey = "OtherChild", enableSql = true),
    (className = "Parent", uniqueKey = "Parent", enableSql = true),
    (className = "Alarmed", uniqueKey = "Alarmed", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "data"),
);
