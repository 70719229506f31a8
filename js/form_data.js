// Forms and files as bodies; the class itself is loaded when a worker first needs it.

import { core, primordials } from "ext:core/mod.js";
import { load } from "ext:beryl/web.js";

const { ops } = core;
const { ObjectPrototypeIsPrototypeOf, SymbolToStringTag, TypeError } = primordials;

/** @returns {{FormData: Function, isFormData: Function, encode: Function, decode: Function}} */
export function loadForms() {
  return core.loadExtScript("ext:beryl/form_data_class.js");
}

/**
 * @param {any} value
 * @returns {{content: string | Blob, type: string} | null} The form as a body; null for others.
 */
export function formBody(value) {
  if (value[SymbolToStringTag] !== "FormData") return null;
  const { isFormData, encode } = loadForms();
  return isFormData(value) ? encode(value) : null;
}

/**
 * @param {any} value
 * @returns {Blob | null}
 */
export function asBlob(value) {
  const tag = value[SymbolToStringTag];
  if (tag !== "Blob" && tag !== "File") return null;
  const { BlobPrototype } = load("09_file.js");
  return ObjectPrototypeIsPrototypeOf(BlobPrototype, value) ? value : null;
}

/** @param {string | null} type The content type of a body that is to be read as a form. */
export function checkFormType(type) {
  if (type === null) {
    throw new TypeError("Parsing a Body as FormData requires a Content-Type header.");
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {string} type
 * @returns {FormData}
 */
export function readForm(bytes, type) {
  return loadForms().decode(ops.op_form_data_parse(bytes, type));
}
