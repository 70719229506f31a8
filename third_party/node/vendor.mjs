// Makes scripts/ of the sources of deno_node: node vendor.mjs <folder of the crate>.
//
// Needs the npm package esbuild. Types and comments are stripped, ES modules become scripts that
// return their exports, and `__bootstrap` becomes the view that js/lazy/node_host.js gives.
import { transformSync } from "esbuild";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const source = join(process.argv[2], "polyfills");
const target = join(import.meta.dirname, "scripts");

/** What the modules that workers can import are made of. */
const ROOTS = [
  "_events.mjs",
  "assert.ts",
  "diagnostics_channel.js",
  "internal/buffer.mjs",
  "internal/streams/duplexify.js",
  "internal/streams/from.js",
  "internal/url.ts",
  "internal/webstreams/adapters.js",
  "path/mod.ts",
  "punycode.ts",
  "querystring.js",
  "stream.ts",
  "stream/consumers.js",
  "stream/promises.js",
  "string_decoder.ts",
  "url.ts",
  "util.ts",
];

/** Scripts that need a host of their own; js/lazy/node_host.js stands in for them. */
const STAND_INS = new Set([
  "_fs/_fs_glob.ts",
  "_next_tick.ts",
  "_process/exiting.ts",
  "_process/process.ts",
  "_util/os.ts",
  "async_hooks.ts",
  "internal/async_hooks.ts",
  "internal/options.ts",
  "internal_binding/constants.ts",
  "internal_binding/node_options.ts",
  "internal_binding/async_wrap.ts",
  "stream/web.js",
]);

/** What modules that are imported by name are here. */
const NAMED = {
  "ext:core/mod.js": null,
  "node:_stream_duplex": "ext:deno_node/internal/streams/duplex.js",
  "node:_stream_passthrough": "ext:deno_node/internal/streams/passthrough.js",
  "node:_stream_readable": "ext:deno_node/internal/streams/readable.js",
  "node:_stream_transform": "ext:deno_node/internal/streams/transform.js",
  "node:_stream_writable": "ext:deno_node/internal/streams/writable.js",
  "node:process": "node:process",
  "node:stream": "ext:deno_node/internal/streams/duplex.js",
  "node:stream/promises": "ext:deno_node/stream/promises.js",
};

const done = new Set();
const external = new Set();
const waiting = [...ROOTS];
rmSync(target, { recursive: true, force: true });
let bytes = 0;
while (waiting.length > 0) {
  const name = waiting.pop();
  if (done.has(name) || STAND_INS.has(name)) continue;
  done.add(name);
  let text = readFileSync(join(source, name), "utf8");
  // Relative paths begin at the root, wherever the process says it is, as on the platform.
  if (name === "path/_posix.ts") text = text.replaceAll("globalThis.process.cwd()", '"/"');
  const isModule = /^export /m.test(text);
  if (isModule) text = text.replace(/^import \* as _mod2 from "node:stream";$|^_mod2;$/gm, "");
  let code = transformSync(text, {
    charset: "ascii",
    format: isModule ? "cjs" : undefined,
    legalComments: "none",
    loader: name.endsWith(".ts") ? "ts" : "js",
    minifyWhitespace: true,
    target: "esnext",
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: false } },
  }).code.trim();
  if (isModule) {
    code = code.replace(/require\("([^"]+)"\)/g, (_, specifier) => {
      if (specifier === "ext:core/mod.js") return "__bootstrap.internals.node";
      return `__bootstrap.internals.node.core.loadExtScript("${NAMED[specifier] ?? specifier}")`;
    });
    // Scripts give their default export as a property, as the other modules here do.
    code = code.replace(/__toESM\((__bootstrap[^;]*?\))\)/g, "$1");
    code = `(function(){const module={exports:{}};${code}\nreturn module.exports;})()`;
  }
  code = code.replace(/;$/, "").replace(/=__bootstrap(?=[,;])/g, "=__bootstrap.internals.node");
  for (const [, specifier] of code.matchAll(/"((?:ext|node):[^"]+)"/g)) {
    if (specifier.startsWith("ext:deno_node/")) waiting.push(specifier.slice(14));
    else external.add(specifier);
  }
  const file = join(target, `${name}.js`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, code + "\n");
  bytes += code.length;
}
console.log(`${done.size} scripts, ${bytes >> 10} KiB; from elsewhere:`, [...external].sort());
