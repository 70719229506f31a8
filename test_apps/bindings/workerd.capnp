using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "front", worker = .front),
    (name = "auth", worker = .auth),
    (name = "data", disk = (path = "/tmp/bindings", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8080", http = (), service = "front")],
);

const front :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "src/worker.js"),
    (name = "lib/about.md", text = embed "src/lib/about.md"),
    (name = "lib/bytes.bin", data = embed "src/lib/bytes.bin"),
    (name = "lib/facts.json", json = embed "src/lib/facts.json"),
    (name = "lib/greet.js", esModule = embed "src/lib/greet.js"),
  ],
  compatibilityDate = "2026-04-01",
  bindings = [
    (name = "TEXT", text = "plain"),
    (name = "JSON", json = "{ \"list\": [1, true, null], \"deep\": { \"a\": \"b\" } }"),
    (name = "ROOMS", durableObjectNamespace = "Room"),
    (name = "LEDGERS", durableObjectNamespace = (className = "Ledger", serviceName = "auth")),
    (name = "LOADER", workerLoader = ()),
    (name = "AUTH", service = "auth"),
    (name = "API", service = (
      name = "auth", entrypoint = "Api", props = (json = "{ \"user\": \"ann\" }"))),
    (name = "BARE", service = (name = "auth", entrypoint = "Api")),
    (name = "SELF", service = (name = "front", entrypoint = "Inner")),
  ],
  durableObjectNamespaces = [(className = "Room", uniqueKey = "front-Room", enableSql = true)],
  durableObjectStorage = (localDisk = "data"),
);

const auth :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "auth/worker.js")],
  compatibilityDate = "2026-04-01",
  bindings = [
    (name = "ISSUER", text = "auth worker"),
    (name = "OWN", durableObjectNamespace = "Ledger"),
    (name = "FRONT", service = (name = "front", entrypoint = "Inner")),
  ],
  durableObjectNamespaces = [(className = "Ledger", uniqueKey = "auth-Ledger", enableSql = true)],
  durableObjectStorage = (localDisk = "data"),
);
