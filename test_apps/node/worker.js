// Modules of Node.js: each path answers what one of them does.
import assert from "node:assert";
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { Buffer, isUtf8 } from "node:buffer";
import crypto from "node:crypto";
import diagnostics from "node:diagnostics_channel";
import { EventEmitter, once } from "node:events";
import path from "node:path";
import process from "node:process";
import querystring from "node:querystring";
import { Duplex, PassThrough, pipeline, Readable, Transform, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { finished, pipeline as pipelined } from "node:stream/promises";
import { StringDecoder } from "node:string_decoder";
import timers from "node:timers";
import { setTimeout as delay } from "node:timers/promises";
import url from "node:url";
import util from "node:util";

/** What a call throws. */
function thrown(run) {
  try {
    run();
    return "nothing";
  } catch (error) {
    return `${error.name} ${error.code}: ${error.message.split("\n")[0]}`;
  }
}

const routes = {
  "/buffer": () => {
    const buffer = Buffer.from("h\u00e9llo w\u00f6rld", "utf8");
    const numbers = Buffer.alloc(16);
    numbers.writeUInt32BE(0xdeadbeef, 0);
    numbers.writeInt16LE(-2, 4);
    numbers.writeDoubleBE(1.5, 8);
    return {
      "hex": buffer.toString("hex"),
      "base64": buffer.toString("base64"),
      "base64url": Buffer.from([251, 255, 191]).toString("base64url"),
      "latin1": Buffer.from("\u00e9", "latin1").toString("hex"),
      "utf16le": Buffer.from("hi", "utf16le").toString("hex"),
      "from": Buffer.from("68656c6c6f", "hex").toString(),
      "numbers": [numbers.readUInt32BE(0), numbers.readInt16LE(4), numbers.readDoubleBE(8)],
      "concat": Buffer.concat([Buffer.from("a"), Buffer.from("bc")]).toString(),
      "compare": Buffer.compare(Buffer.from("a"), Buffer.from("b")),
      "equals": Buffer.from("a").equals(Buffer.from("a")),
      "indexOf": buffer.indexOf("w"),
      "slice": buffer.subarray(0, 3).toString(),
      "fill": Buffer.alloc(5, "ab").toString(),
      "json": JSON.stringify(Buffer.from([1, 2])),
      "byteLength": Buffer.byteLength("\u2603"),
      "isBuffer": [Buffer.isBuffer(buffer), Buffer.isBuffer(new Uint8Array(1))],
      "isUtf8": [isUtf8(buffer), isUtf8(Buffer.from([255]))],
      "swap": Buffer.from([1, 2, 3, 4]).swap16().toString("hex"),
      "invalid": Buffer.from([0xff, 0x41]).toString(),
      "global": globalThis.Buffer === Buffer,
      "range": thrown(() => numbers.readUInt32BE(14)),
    };
  },

  "/events": async () => {
    const emitter = new EventEmitter();
    const seen = [];
    emitter.on("a", (...args) => seen.push(["on", ...args]));
    emitter.once("a", (...args) => seen.push(["once", ...args]));
    emitter.prependListener("a", () => seen.push(["first"]));
    const returned = [emitter.emit("a", 1, 2), emitter.emit("a", 3), emitter.emit("none")];
    setTimeout(() => emitter.emit("later", "value"), 1);
    const [later] = await once(emitter, "later");
    return {
      seen,
      returned,
      later,
      "names": emitter.eventNames(),
      "count": emitter.listenerCount("a"),
      "unhandled": thrown(() => emitter.emit("error", new TypeError("nobody listens"))),
      "max": EventEmitter.defaultMaxListeners,
    };
  },

  "/path": () => ({
    "join": path.join("/a", "..", "b", "./c.txt"),
    "resolve": path.resolve("/a/b", "../c"),
    "relative": path.relative("/a/b/c", "/a/d"),
    "parse": path.parse("/home/user/file.tar.gz"),
    "format": path.format({ dir: "/x", base: "y.z" }),
    "normalize": path.normalize("/a//b/../c/."),
    "win32": path.win32.join("a", "b"),
    "parts": [path.basename("/a/b.js", ".js"), path.dirname("/a/b"), path.extname("a.b.c")],
    "absolute": [path.isAbsolute("/a"), path.isAbsolute("a")],
    "type": thrown(() => path.join(1)),
  }),

  "/url": () => ({
    "parse": { ...url.parse("http://u:p@host:8080/p/a?x=1&y=2#h", true) },
    "format": url.format({ protocol: "https", host: "a.b", pathname: "/c", query: { d: 1 } }),
    "resolve": url.resolve("http://a.b/c/d", "../e"),
    "file": url.fileURLToPath("file:///a/b%20c"),
    "toFile": url.pathToFileURL("/a b").href,
    "same": url.URL === URL,
    "ascii": url.domainToASCII("xn--fsq.com"),
  }),

  "/querystring": () => ({
    "parse": { ...querystring.parse("a=1&b=2&a=3&c=%20x+y") },
    "stringify": querystring.stringify({ a: [1, 2], b: "x y", c: true }),
    "escape": querystring.escape("a b&c"),
  }),

  "/string-decoder": () => {
    const decoder = new StringDecoder("utf8");
    const bytes = Buffer.from("\u20ac\u{1f600}");
    const parts = [];
    for (let i = 0; i < bytes.length; i += 2) parts.push(decoder.write(bytes.subarray(i, i + 2)));
    parts.push(decoder.end(Buffer.from([0xe2])));
    const base64 = new StringDecoder("base64");
    return { parts, "base64": base64.write(Buffer.from("abcd")) + base64.end() };
  },

  "/util": async () => {
    const circular = { a: 1 };
    circular.self = circular;
    return {
      "format": util.format("%s is %d and %j and %o%%", "x", 42, { a: 1 }, [1]),
      "inspect": util.inspect({
        a: [1, "two", null],
        b: new Map([["k", new Set([1])]]),
        c: { d: { e: { f: 1 } } },
        g: undefined,
        h: Symbol("s"),
        i: 10n,
        j: new Date(0),
        k: /x/g,
      }),
      "depth": util.inspect({ a: { b: { c: {} } } }, { depth: 0 }),
      "compact": util.inspect({ a: 1, b: { c: 2 } }, { compact: false }),
      "circular": util.inspect(circular),
      "custom": util.inspect({ [util.inspect.custom]: () => "custom" }),
      "buffer": util.inspect(Buffer.from("ab")),
      "promisify": await util.promisify((a, done) => done(null, a + 1))(1),
      "callbackify": await new Promise((resolve) => {
        util.callbackify(async (a) => a * 2)(4, (error, value) => resolve([error, value]));
      }),
      "inherits": (() => {
        function A() {}
        function B() {}
        util.inherits(A, B);
        return new A() instanceof B;
      })(),
      "deepEqual": [
        util.isDeepStrictEqual({ a: [1, new Map([[1, 2]])] }, { a: [1, new Map([[1, 2]])] }),
        util.isDeepStrictEqual([1], ["1"]),
      ],
      "types": [util.types.isDate(new Date()), util.types.isProxy(new Proxy({}, {})),
        util.types.isPromise(Promise.resolve()), util.types.isUint8Array(Buffer.alloc(1))],
      "strip": util.stripVTControlCharacters("\u001b[31mred\u001b[0m"),
      "same": util.TextEncoder === TextEncoder,
    };
  },

  "/assert": () => ({
    "ok": thrown(() => assert(true)),
    "fails": thrown(() => assert.ok(0, "zero")),
    "equal": thrown(() => assert.strictEqual(1, 2, "differs")),
    "deep": thrown(() => assert.deepStrictEqual({ a: { b: [1] } }, { a: { b: [1] } })),
    "notDeep": thrown(() => assert.deepStrictEqual({ a: 1 }, { a: 2 }, "deep differs")),
    "throws": thrown(() => assert.throws(() => {
      throw new TypeError("wrong");
    }, /wrong/)),
    "missing": thrown(() => assert.throws(() => {})),
    "match": thrown(() => assert.match("abc", /b/)),
    "strict": typeof assert.strict.equal,
  }),

  "/stream": async () => {
    const upper = new Transform({
      transform(chunk, _encoding, done) {
        done(null, chunk.toString().toUpperCase());
      },
    });
    const chunks = [];
    const sink = new Writable({
      write(chunk, _encoding, done) {
        chunks.push(chunk.toString());
        done();
      },
    });
    await pipelined(Readable.from(["a", "b", "c"]), upper, sink);
    const through = new PassThrough();
    through.end("through");
    const failing = new Readable({
      read() {
        this.destroy(new Error("broken"));
      },
    });
    const failure = await new Promise((resolve) => {
      pipeline(failing, new PassThrough(), (error) => resolve(error.message));
    });
    const collected = [];
    for await (const chunk of Readable.from([1, 2, 3]).map((x) => x * 2)) collected.push(chunk);
    const duplex = new Duplex({
      read() {
        this.push("read");
        this.push(null);
      },
      write(_chunk, _encoding, done) {
        done();
      },
    });
    duplex.end();
    const read = await text(duplex);
    const ended = new PassThrough();
    ended.resume();
    ended.end();
    await finished(ended);
    return {
      chunks,
      "text": await text(through),
      failure,
      collected,
      read,
      "ended": ended.readableEnded,
      "highWaterMark": new PassThrough().readableHighWaterMark,
      "array": await Readable.from(["x", "y"]).toArray(),
    };
  },

  "/crypto": () => ({
    "md5": crypto.createHash("md5").update("abc").digest("hex"),
    "sha1": crypto.createHash("sha1").update("a").update("bc").digest("base64"),
    "sha256": crypto.createHash("SHA256").update(Buffer.from("abc")).digest("hex"),
    "sha512": crypto.createHash("sha512").update("abc").digest("hex").length,
    "copy": (() => {
      const hash = crypto.createHash("sha256").update("a");
      const copy = hash.copy();
      return [hash.update("b").digest("hex") === crypto.hash("sha256", "ab"),
        copy.digest("hex") === crypto.hash("sha256", "a")];
    })(),
    "hmac": crypto.createHmac("sha256", "key").update("text").digest("hex"),
    "random": [crypto.randomBytes(8).length, crypto.randomUUID().length],
    "int": (() => {
      const value = crypto.randomInt(5, 8);
      return value >= 5 && value < 8;
    })(),
    "equal": [
      crypto.timingSafeEqual(Buffer.from("ab"), Buffer.from("ab")),
      crypto.timingSafeEqual(Buffer.from("ab"), Buffer.from("ac")),
    ],
    "twice": thrown(() => {
      const hash = crypto.createHash("sha1");
      hash.digest();
      hash.digest();
    }),
  }),

  "/async-local-storage": async () => {
    const storage = new AsyncLocalStorage();
    const other = new AsyncLocalStorage();
    const seen = {};
    await storage.run("outer", async () => {
      seen.sync = storage.getStore();
      await null;
      seen.afterAwait = storage.getStore();
      await new Promise((resolve) => setTimeout(resolve, 1));
      seen.afterTimer = storage.getStore();
      seen.inTimer = await new Promise((resolve) => {
        setTimeout(() => resolve(storage.getStore()), 1);
      });
      seen.microtask = await new Promise((resolve) => {
        queueMicrotask(() => resolve(storage.getStore()));
      });
      seen.tick = await new Promise((resolve) => {
        process.nextTick(() => resolve(storage.getStore()));
      });
      seen.nested = await other.run("other", async () => {
        await delay(1);
        return [storage.getStore(), other.getStore()];
      });
      seen.exit = storage.exit(() => storage.getStore() ?? "none");
      seen.inner = storage.run("inner", () => storage.getStore());
      seen.back = storage.getStore();
    });
    const snapshot = storage.run("snapped", () => AsyncLocalStorage.snapshot());
    const bound = storage.run("bound", () => AsyncLocalStorage.bind(() => storage.getStore()));
    const resource = storage.run("resource", () => new AsyncResource("test"));
    seen.snapshot = snapshot(() => storage.getStore());
    seen.bound = bound();
    seen.resource = resource.runInAsyncScope(() => storage.getStore());
    seen.outside = storage.getStore() ?? "none";
    seen.parallel = await Promise.all([1, 2, 3].map((n) =>
      storage.run(n, async () => {
        await delay(3 - n);
        return storage.getStore();
      })
    ));
    seen.enterWith = thrown(() => storage.enterWith(1)).split(" ")[0];
    return seen;
  },

  "/process": async (env) => {
    const order = [];
    process.nextTick((value) => order.push(value), "tick");
    order.push("now");
    await null;
    await null;
    return {
      order,
      "env": process.env.TEXT,
      "same": process.env.TEXT === env.TEXT,
      "platform": process.platform,
      "cwd": typeof process.cwd(),
      "global": globalThis.process === process,
      "hrtime": process.hrtime().length,
      "builtin": process.getBuiltinModule("node:path") === path,
      "versions": typeof process.versions.node,
    };
  },

  "/timers": async () => {
    const order = [];
    await new Promise((resolve) => {
      timers.setTimeout(() => resolve(order.push("timeout")), 5);
      timers.setImmediate((value) => order.push(value), "immediate");
      timers.clearTimeout(timers.setTimeout(() => order.push("never"), 0));
    });
    return { order, "value": await delay(1, "value"), "global": typeof setImmediate };
  },

  "/diagnostics-channel": () => {
    const channel = diagnostics.channel("test");
    const seen = [];
    const listener = (message, name) => seen.push([name, message.value]);
    channel.subscribe(listener);
    const had = diagnostics.hasSubscribers("test");
    channel.publish({ value: 1 });
    channel.unsubscribe(listener);
    channel.publish({ value: 2 });
    return { seen, had, "has": diagnostics.hasSubscribers("test") };
  },

  "/missing": async () => {
    const failure = async (name) => {
      try {
        await import(name);
        return "loaded";
      } catch (error) {
        return error.message.split("\n")[0];
      }
    };
    return { "unknown": await failure("node:nonesuch"), "known": await failure("node:path") };
  },
};

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (routes[pathname] === undefined) return new Response("no such path", { status: 404 });
    return Response.json(await routes[pathname](env));
  },
};
