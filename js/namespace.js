// DurableObjectNamespace and DurableObjectId (DO-27 to DO-32).

import { core, primordials } from "ext:core/mod.js";
import { DurableObjectClass } from "ext:beryl/facets.js";
import { Fetcher, makeStub } from "ext:beryl/stub.js";

const { ops } = core;
const {
  Error,
  ObjectSetPrototypeOf,
  RangeError,
  String,
  SymbolFor,
  SymbolToStringTag,
  TypeError,
} = primordials;

const kInternal = Symbol("internal");

export class DurableObjectId {
  #key;
  #hex;

  constructor(internal, key, hex, name) {
    if (internal !== kInternal) throw new TypeError("Illegal constructor");
    this.#key = key;
    this.#hex = hex;
    if (name !== undefined) this.name = name;
  }

  toString() {
    return this.#hex;
  }

  /** @param {DurableObjectId} other */
  equals(other) {
    return this.#hex === other.#hex;
  }

  /** @returns {{key: string, hex: string} | null} */
  static parts(value) {
    if (typeof value !== "object" || value === null || !(#hex in value)) return null;
    return { key: value.#key, hex: value.#hex };
  }

  [SymbolFor("Deno.privateCustomInspect")]() {
    return `DurableObjectId { ${this.#hex} }`;
  }
}

export const idParts = DurableObjectId.parts;
delete DurableObjectId.parts;

/**
 * @param {string} key The unique key of the namespace.
 * @returns {DurableObjectId}
 */
export function makeId(key, hex, name) {
  return new DurableObjectId(kInternal, key, hex, name);
}

/** The class of stubs of actors. */
class DurableObject extends Fetcher {
  get [SymbolToStringTag]() {
    return "DurableObject";
  }
}

export class DurableObjectNamespace {
  #key;

  constructor(internal, key) {
    if (internal !== kInternal) throw new TypeError("Illegal constructor");
    this.#key = key;
  }

  idFromName(name) {
    const text = String(name);
    return makeId(this.#key, ops.op_actor_id_of_name(this.#key, text), text);
  }

  idFromString(hex) {
    const checked = ops.op_actor_id_check(this.#key, String(hex));
    return makeId(this.#key, checked, undefined);
  }

  newUniqueId(options = undefined) {
    checkJurisdiction(options?.jurisdiction);
    return makeId(this.#key, ops.op_actor_id_unique(this.#key), undefined);
  }

  get(id, options = undefined) {
    checkRouting(options);
    const parts = idParts(id);
    if (parts === null) throw new TypeError("get() needs a DurableObjectId.");
    if (parts.key !== this.#key) {
      throw new TypeError("get called with an ID from a different namespace");
    }
    return actorStub(parts, id);
  }

  getByName(name, options = undefined) {
    checkRouting(options);
    const id = this.idFromName(name);
    return actorStub(idParts(id), id);
  }

  jurisdiction(jurisdiction = undefined) {
    checkJurisdiction(jurisdiction);
    return this;
  }
}

/** A namespace as `env` has it. @param {string} key */
export function makeBinding(key) {
  return new DurableObjectNamespace(kInternal, key);
}

/** A namespace that can also be called to get its class with props. */
export function makeNamespace(className, key) {
  const namespace = makeBinding(key);
  const callable = (options) => DurableObjectClass.own(className, options?.props ?? {});
  for (const name of ["idFromName", "idFromString", "newUniqueId", "get", "getByName",
    "jurisdiction"]) {
    callable[name] = (...args) => namespace[name](...args);
  }
  ObjectSetPrototypeOf(callable, DurableObjectNamespace.prototype);
  DurableObjectClass.mark(callable, className);
  return callable;
}

function actorStub({ key, hex }, id) {
  const fields = { id, name: id.name };
  const handle = () => ops.op_stub_actor(key, hex, id.name ?? null);
  return makeStub(handle, fields, DurableObject.prototype);
}

/** Location hints are accepted: there is one place. */
function checkRouting(options) {
  const mode = options?.routingMode;
  if (mode !== undefined && mode !== "primary-only") {
    throw new RangeError(`unknown routingMode: ${String(mode)}`);
  }
}

function checkJurisdiction(jurisdiction) {
  if (jurisdiction === undefined || jurisdiction === null) return;
  throw new Error("Jurisdiction restrictions are not implemented in Beryl.");
}
