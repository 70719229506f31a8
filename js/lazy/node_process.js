// "node:process": what a worker can know about its process, which is not much.

(() => {
  const { core, internals, primordials } = __bootstrap;
  const {
    DateNow,
    Error,
    MathFloor,
    ObjectAssign,
    ObjectKeys,
    Proxy,
    String,
    TypeError,
    BigInt,
  } = primordials;
  const { nextTick } = internals.nodeHost();

  /** Text variables of `env` as they are, others as JSON; writable, but for this process only. */
  function makeEnv() {
    const env = { __proto__: null };
    const bindings = internals.nodeParts.environment();
    const names = ObjectKeys(bindings);
    for (let i = 0; i < names.length; i++) {
      const value = bindings[names[i]];
      if (typeof value === "string") env[names[i]] = value;
    }
    return new Proxy(ObjectAssign({}, env), {
      set(target, name, value) {
        if (typeof name === "symbol" || typeof value === "symbol") {
          throw new TypeError("Cannot convert a Symbol value to a string");
        }
        target[name] = String(value);
        return true;
      },
    });
  }

  function refuse(name) {
    return () => {
      const error = new Error(`process.${name}() is not supported by Beryl`);
      error.code = "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM";
      throw error;
    };
  }

  function hrtime(before = undefined) {
    const now = DateNow();
    const time = [MathFloor(now / 1000), (now % 1000) * 1_000_000];
    if (before === undefined) return time;
    const seconds = time[0] - before[0];
    const nanos = time[1] - before[1];
    return nanos < 0 ? [seconds - 1, nanos + 1_000_000_000] : [seconds, nanos];
  }
  hrtime.bigint = () => BigInt(DateNow()) * 1_000_000n;

  /** The folders there are; there are no files to be had in them. */
  const FOLDERS = { __proto__: null, "/": true, "/bundle": true, "/dev": true, "/tmp": true };
  let folder = "/bundle";

  function chdir(path) {
    const { isAbsolute, join, normalize } = internals.nodeModule("path").posix;
    const wanted = isAbsolute(path) ? normalize(path) : join(folder, path);
    const plain = wanted.length > 1 && wanted[wanted.length - 1] === "/"
      ? primordials.StringPrototypeSlice(wanted, 0, -1)
      : wanted;
    if (FOLDERS[plain] !== true) {
      const error = new Error(`ENOENT: no such file or directory, chdir '${path}'`);
      error.code = "ENOENT";
      error.syscall = "chdir";
      throw error;
    }
    folder = plain;
  }

  let env = null;
  let emitter = null;

  /** Events need the emitter, which is large, so it is made when it is first used. */
  function emitterMethod(name) {
    return function (...args) {
      emitter ??= new (internals.nodeModule("events").EventEmitter)();
      const result = emitter[name](...args);
      return result === emitter ? process : result;
    };
  }

  function emitWarning(warning) {
    globalThis.console.warn(String(warning?.message ?? warning));
  }

  const started = DateNow();
  const process = {
    abort: refuse("abort"),
    arch: "x64",
    argv: ["workerd"],
    argv0: "workerd",
    binding: refuse("binding"),
    chdir,
    config: { target_defaults: {}, variables: {} },
    cwd: () => folder,
    dlopen: refuse("dlopen"),
    emitWarning,
    get env() {
      env ??= makeEnv();
      return env;
    },
    set env(value) {
      env = value;
    },
    execArgv: [],
    execPath: "",
    exit: refuse("exit"),
    exitCode: undefined,
    features: { __proto__: null },
    getBuiltinModule: (name) => internals.nodeBuiltin(String(name)),
    getegid: () => 0,
    geteuid: () => 0,
    getgid: () => 0,
    getuid: () => 0,
    hrtime,
    kill: refuse("kill"),
    nextTick,
    noDeprecation: false,
    pid: 1,
    platform: "linux",
    ppid: 0,
    release: { name: "node", lts: true },
    ...core.loadExtScript("ext:beryl/node_stdio.js"),
    throwDeprecation: false,
    title: "workerd",
    traceDeprecation: false,
    umask: () => 18,
    uptime: () => (DateNow() - started) / 1000,
    version: "v22.19.0",
    versions: { node: "22.19.0" },
  };
  const methods = ["addListener", "emit", "eventNames", "getMaxListeners", "listenerCount",
    "listeners", "off", "on", "once", "prependListener", "prependOnceListener", "rawListeners",
    "removeAllListeners", "removeListener", "setMaxListeners"];
  for (let i = 0; i < methods.length; i++) {
    process[methods[i]] = emitterMethod(methods[i]);
  }
  return { process };
})();
