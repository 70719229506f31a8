// Capabilities in values: what bytes cannot carry leaves as a handle and arrives as an object.
//
// Values are cloned as they are first, and most need nothing else. Only a value that has no clone
// is packed: copied, with handles in place of what it refers to.

import { core, primordials } from "ext:core/mod.js";
import { classMark } from "ext:beryl/class_mark.js";
import { hasFlag } from "ext:beryl/compatibility.js";
import { domException } from "ext:beryl/errors.js";
import { forgetGiven, noteGiven } from "ext:beryl/given.js";
import { isTarget, lend, lendable } from "ext:beryl/lent.js";

const { ops } = core;
const {
  ArrayIsArray, ArrayPrototypePush, FunctionPrototypeCall, MapPrototypeForEach, MapPrototypeGet,
  MapPrototypeSet, Map, ObjectDefineProperty, ObjectGetPrototypeOf, ObjectKeys, ObjectPrototype,
  SafeMap, Set, SetPrototypeAdd, SetPrototypeForEach, Symbol,
} = primordials;

// The kinds of capabilities, as op_capability_list gives them.
export const ENTRYPOINT = 0;
export const CLASS = 1;
export const LIVE = 2;
export const BODY = 3;
export const VALUE = 4;
export const BUFFER = 5;

// What becomes of a value that is packed.
const ARGUMENT = 0;
const RESULT = 1;
const LASTING = 2;

/** With this flag the sender of an argument keeps the stubs in it; without, it gives them away. */
const DUP_STUBS = "rpc_params_dup_stubs";

/** Reading this of a stub makes it say what it is; nobody else can ask. */
export const kProbe = Symbol("probe");

/** @type {{type: string, native: () => object, isFixed: boolean} | null} */
let answered = null;

/** What the value that was unpacked last brought along. @type {any[] | null} */
let arrived = null;

/** @type {((handle: object) => object)[]} By kind. */
const makers = [];
makers[BUFFER] = (buffer) => buffer;

/**
 * Answers the probe that is being made.
 * @param {{type: string, native: () => object, isFixed: boolean}} reference A fixed one cannot be
 *   sent.
 */
export function answerProbe(reference) {
  answered = reference;
}

/** @type {(value: object, isLasting: boolean) => object | null} */
let encode;

/** @param {typeof encode} encoder Takes objects of the platform apart. */
export function registerEncoder(encoder) {
  encode = encoder;
}

/** @param {(handle: object) => object} maker Makes what arrives as this kind. */
export function registerMaker(kind, maker) {
  makers[kind] = maker;
}

/**
 * @param {unknown} value
 * @returns {object | null} The native handle, if the value is a stub of an entrypoint.
 */
export function stubHandle(value) {
  const reference = core.isProxy(value) ? probe(value) : null;
  return reference === null ? null : reference.native();
}

/** Clones a value that must outlive the call: `env` and `props`. @returns {object} Its handle. */
export function cloneOf(value) {
  return heldByOther(value, true);
}

/**
 * Clones a value that something else refers to.
 * @param {unknown} value
 * @param {boolean} isLasting
 * @returns {object} The handle of the clone.
 */
export function heldByOther(value, isLasting) {
  const plain = ops.op_capability_clone(value, false);
  if (plain !== null) return plain;
  const clone = (copy) => ops.op_capability_clone(copy, true);
  return packAs(isLasting ? LASTING : ARGUMENT, value, clone).sent;
}

/** @returns {object | undefined} As `cloneOf`. */
export function cloneOfProps(options) {
  const props = options?.props;
  return props === undefined ? undefined : cloneOf(props);
}

/**
 * @param {object} packed The handle of a clone.
 * @returns {any} The value.
 */
export function unpack(packed) {
  const list = ops.op_capability_list(packed);
  const objects = [];
  const live = [];
  for (let i = 0; i < list.length; i += 2) {
    const object = makers[list[i]](list[i + 1]);
    ArrayPrototypePush(objects, object);
    if (list[i] === LIVE) ArrayPrototypePush(live, object);
    else if (list[i] === VALUE) addAll(live, takeArrived());
  }
  arrived = live.length === 0 ? null : live;
  return ops.op_capability_open(packed, objects);
}

function addAll(list, stubs) {
  if (stubs === null) return;
  for (let i = 0; i < stubs.length; i++) ArrayPrototypePush(list, stubs[i]);
}

/** @returns {any[] | null} The live stubs among what was unpacked last. */
export function takeArrived() {
  const stubs = arrived;
  arrived = null;
  return stubs;
}

/** @param {unknown} value @returns {boolean} Whether it is a stub, a property or a promise. */
export function isStub(value) {
  return core.isProxy(value) && probe(value) !== null;
}

/**
 * Sends a copy of arguments, with handles in place of what they refer to. What has no copy stays
 * as it is, and cloning the rest says what is wrong with it.
 * @template T
 * @param {unknown} value
 * @param {(copy: unknown, packed: true | ArrayBuffer[]) => T} send Also gets the buffers in it that
 *   are given away, if there are any.
 * @returns {T}
 */
export function pack(value, send) {
  const { sent, moved } = packAs(ARGUMENT, value, send);
  for (let i = 0; i < moved.length; i++) moved[i]();
  return sent;
}

/**
 * As `pack`, for a result: the stubs in it belong to the receiver from now on (RPC-22).
 * @template T
 * @param {unknown} value
 * @param {(copy: unknown, packed: true | ArrayBuffer[]) => T} send As for `pack`.
 * @returns {{sent: T, moved: (() => void)[]}} What must be called to give the stubs away.
 */
export function packResult(value, send) {
  return packAs(RESULT, value, send);
}

function packAs(use, value, send) {
  const state = { seen: new SafeMap(), use, lent: [], moved: [], given: [] };
  const { given } = state;
  let sent;
  try {
    const copy = packed(value, state);
    sent = send(copy, given.length === 0 ? true : given);
  } catch (error) {
    // What was lent for nothing must not wait for the garbage collector.
    for (let i = 0; i < state.lent.length; i++) ops.op_capability_drop(state.lent[i]);
    throw error;
  }
  for (let i = 0; i < given.length; i++) forgetGiven(given[i]);
  return { sent, moved: state.moved };
}

function packed(value, state) {
  const { seen } = state;
  if (typeof value !== "function" && (typeof value !== "object" || value === null)) return value;
  const known = MapPrototypeGet(seen, value);
  if (known !== undefined) return known;
  const handle = referenceOf(value, state);
  if (handle !== null) {
    MapPrototypeSet(seen, value, handle);
    return handle;
  }
  if (core.isProxy(value)) return value;
  const copy = packedContainer(value, state);
  if (copy !== value) return copy;
  // What is neither a container nor a reference may be an object of the platform.
  const made = encode(value, state.use === LASTING);
  if (made === null) {
    if (state.use !== LASTING) noteGiven(value, state.given);
    return value;
  }
  ArrayPrototypePush(state.lent, made);
  MapPrototypeSet(seen, value, made);
  return made;
}

function packedContainer(value, state) {
  const { seen } = state;
  if (core.isMap(value)) {
    const copy = new Map();
    MapPrototypeSet(seen, value, copy);
    MapPrototypeForEach(value, (item, key) => {
      MapPrototypeSet(copy, packed(key, state), packed(item, state));
    });
    return copy;
  }
  if (core.isSet(value)) {
    const copy = new Set();
    MapPrototypeSet(seen, value, copy);
    SetPrototypeForEach(value, (item) => SetPrototypeAdd(copy, packed(item, state)));
    return copy;
  }
  const isArray = ArrayIsArray(value);
  if (!isArray && ObjectGetPrototypeOf(value) !== ObjectPrototype) return value;
  const copy = isArray ? [] : {};
  MapPrototypeSet(seen, value, copy);
  if (isArray) copy.length = value.length;
  const keys = ObjectKeys(value);
  for (let i = 0; i < keys.length; i++) {
    ObjectDefineProperty(copy, keys[i], {
      __proto__: null,
      value: packed(value[keys[i]], state),
      configurable: true,
      enumerable: true,
      writable: true,
    });
  }
  return copy;
}

/** @returns {object | null} The capability that a value is, if it is one. */
function referenceOf(value, state) {
  const isProxy = core.isProxy(value);
  const reference = isProxy ? probe(value) : null;
  if (reference !== null) return ofStub(reference, state);
  const marked = classMark(value);
  if (marked !== undefined) {
    if (marked.fixed !== null) throw noClone(marked.fixed);
    return ops.op_capability_of_class(marked.handle());
  }
  const isReference = typeof value === "function" || isTarget(value) ||
    (isProxy && lendable(value));
  if (!isReference) return null;
  if (state.use === LASTING) {
    // V8 says it in the platform's words.
    if (typeof value === "function") return null;
    throw domException("Remote RPC references can only be serialized for RPC.", "DataCloneError");
  }
  const isResult = state.use === RESULT;
  const lent = lend(isResult ? value : ownCopy(value), isResult);
  ArrayPrototypePush(state.lent, lent);
  return lent;
}

function ofStub(reference, { use, moved }) {
  if (reference.isFixed) throw noClone(reference.type);
  if (reference.dispose !== undefined) {
    if (use === LASTING) {
      throw domException(
        "RpcStub cannot be serialized in this context because it is not a persistent stub.",
        "DataCloneError",
      );
    }
    if (use === RESULT || !hasFlag(DUP_STUBS)) ArrayPrototypePush(moved, reference.dispose);
  }
  return ops.op_capability_of_stub(reference.native());
}

/** What an argument lends: its own duplicate, if it can make one (RPC-22). */
function ownCopy(value) {
  const { dup } = value;
  if (typeof dup !== "function" || !hasFlag(DUP_STUBS)) return value;
  const copy = FunctionPrototypeCall(dup, value);
  if (typeof copy === typeof value && lendable(copy)) return copy;
  throw domException("The dup() method must return an object of the same kind.", "DataCloneError");
}

/** @param {string} type */
function noClone(type) {
  const text = `Could not serialize object of type "${type}".`;
  return domException(`${text} This type does not support serialization.`, "DataCloneError");
}

function probe(value) {
  answered = null;
  void value[kProbe];
  const reference = answered;
  answered = null;
  return reference;
}
