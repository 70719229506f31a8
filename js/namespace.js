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
  #class;
  #hex;

  constructor(internal, className, hex, name) {
    if (internal !== kInternal) throw new TypeError("Illegal constructor");
    this.#class = className;
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

  /** @returns {{className: string, hex: string} | null} */
  static parts(value) {
    if (typeof value !== "object" || value === null || !(#hex in value)) return null;
    return { className: value.#class, hex: value.#hex };
  }

  [SymbolFor("Deno.privateCustomInspect")]() {
    return `DurableObjectId { ${this.#hex} }`;
  }
}

export const idParts = DurableObjectId.parts;
delete DurableObjectId.parts;

/** @returns {DurableObjectId} */
export function makeId(className, hex, name) {
  return new DurableObjectId(kInternal, className, hex, name);
}

/** The class of stubs of actors. */
export class DurableObject extends Fetcher {
  get [SymbolToStringTag]() {
    return "DurableObject";
  }
}

export class DurableObjectNamespace {
  #class;

  constructor(internal, className) {
    if (internal !== kInternal) throw new TypeError("Illegal constructor");
    this.#class = className;
  }

  idFromName(name) {
    const text = String(name);
    return makeId(this.#class, ops.op_actor_id_of_name(this.#class, text), text);
  }

  idFromString(hex) {
    const checked = ops.op_actor_id_check(this.#class, String(hex));
    return makeId(this.#class, checked, undefined);
  }

  newUniqueId(options = undefined) {
    checkJurisdiction(options?.jurisdiction);
    return makeId(this.#class, ops.op_actor_id_unique(this.#class), undefined);
  }

  get(id, options = undefined) {
    checkRouting(options);
    const parts = idParts(id);
    if (parts === null) throw new TypeError("get() needs a DurableObjectId.");
    if (parts.className !== this.#class) {
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

/** A namespace that can also be called to get its class with props. */
export function makeNamespace(className) {
  const namespace = new DurableObjectNamespace(kInternal, className);
  const callable = (options) => DurableObjectClass.own(className, options?.props ?? {});
  for (const name of ["idFromName", "idFromString", "newUniqueId", "get", "getByName",
    "jurisdiction"]) {
    callable[name] = (...args) => namespace[name](...args);
  }
  ObjectSetPrototypeOf(callable, DurableObjectNamespace.prototype);
  DurableObjectClass.mark(callable, className);
  return callable;
}

function actorStub({ className, hex }, id) {
  const fields = { id, name: id.name };
  const handle = () => ops.op_stub_actor(className, hex, id.name ?? null);
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
