// Bounds for what V8 maps from the system by itself, where no limit of a heap or a buffer counts
// it (`spec/security.md` 2.4): buffers that can grow, and WebAssembly.

import { core, primordials } from "ext:core/mod.js";
import { defineLazy } from "ext:beryl/define.js";

const {
  ArrayBuffer: Native,
  ArrayBufferPrototype,
  ArrayPrototypePush,
  Number,
  ObjectDefineProperty,
  RangeError,
  ReflectConstruct,
  SafeWeakRef,
  SymbolSpecies,
  TypeError,
  WeakRefPrototypeDeref,
} = primordials;

/** Bytes that all buffers of an isolate may grow to; as much as those of a fixed length have. */
const GROWN_BYTES_MAX = 128 * 1024 * 1024;
/** Buffers that can grow, of one isolate; each takes memory mappings of the process. */
const GROWING_MAX = 256;

/** @type {{ref: WeakRef<ArrayBuffer>, bytes: number}[]} Some may be gone. */
let growing = [];
let grownBytes = 0;

/** @returns {ArrayBuffer} */
function construct(args, target) {
  const options = args[1];
  if (options === undefined || options === null || typeof options !== "object") {
    return ReflectConstruct(Native, [args[0]], target);
  }
  const { maxByteLength } = options;
  if (maxByteLength === undefined) return ReflectConstruct(Native, [args[0]], target);
  const bytes = Number(maxByteLength);
  if (!hasRoom(bytes)) forgetGone();
  if (!hasRoom(bytes)) {
    throw new RangeError(
      `Array buffer allocation failed: resizable ArrayBuffers may have ${GROWN_BYTES_MAX} bytes ` +
        `together, and there may be ${GROWING_MAX}`,
    );
  }
  const fixed = { __proto__: null, maxByteLength: bytes };
  const made = ReflectConstruct(Native, [args[0], fixed], target);
  grownBytes += bytes > 0 ? bytes : 0;
  ArrayPrototypePush(growing, { __proto__: null, ref: new SafeWeakRef(made), bytes });
  return made;
}

function hasRoom(bytes) {
  return growing.length < GROWING_MAX && !(grownBytes + bytes > GROWN_BYTES_MAX);
}

function forgetGone() {
  const alive = [];
  grownBytes = 0;
  for (let i = 0; i < growing.length; i++) {
    if (WeakRefPrototypeDeref(growing[i].ref) === undefined) continue;
    ArrayPrototypePush(alive, growing[i]);
    grownBytes += growing[i].bytes;
  }
  growing = alive;
}

/** @returns {typeof ArrayBuffer} The constructor, replaced everywhere it can be found. */
export function boundBuffers() {
  const Bounded = function ArrayBuffer(_length) {
    if (new.target === undefined) {
      throw new TypeError("Constructor ArrayBuffer requires 'new'");
    }
    // Most buffers have a fixed length.
    return arguments.length < 2
      ? ReflectConstruct(Native, arguments, new.target)
      : construct(arguments, new.target);
  };
  const own = (object, name, descriptor) =>
    ObjectDefineProperty(object, name, { __proto__: null, enumerable: false, ...descriptor });
  own(Bounded, "prototype", { value: ArrayBufferPrototype, writable: false });
  // Not by its prototype, where the native one could be found.
  own(Bounded, "isView", { value: Native.isView, writable: true, configurable: true });
  own(Bounded, SymbolSpecies, { get() { return this; }, configurable: true });
  own(ArrayBufferPrototype, "constructor", { value: Bounded, writable: true, configurable: true });
  return Bounded;
}

/** Once per isolate: V8 adds these when it makes one of the snapshot. */
export function boundMappings() {
  const native = globalThis.WebAssembly;
  defineLazy("WebAssembly", () => core.loadExtScript("ext:beryl/web_assembly.js").bound(native));
  // There is no thread to share memory with.
  delete globalThis.SharedArrayBuffer;
}
