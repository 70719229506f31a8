using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .mainWorker),
    (name = "data", disk = (path = "/tmp/rpc", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8080", http = (), service = "main")],
);

const mainWorker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "rpc.js")],
  compatibilityDate = "2026-04-01",
  bindings = [(name = "LOADER", workerLoader = ())],
  durableObjectNamespaces = [(className = "Actor", uniqueKey = "Actor", enableSql = true)],
  durableObjectStorage = (localDisk = "data"),
);
