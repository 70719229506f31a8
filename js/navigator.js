// navigator: what a worker is told of where it runs.

import { primordials } from "ext:core/mod.js";
import { holdUntil } from "ext:beryl/eviction.js";
import { fetch } from "ext:beryl/fetch.js";
import { currentActor, currentEvent } from "ext:beryl/pending.js";

const { ObjectFreeze, Symbol, SymbolToStringTag, TypeError } = primordials;

const kInternal = Symbol("internal");
const LANGUAGES = ObjectFreeze(["en"]);

export class Navigator {
  constructor(token) {
    if (token !== kInternal) throw new TypeError("Illegal constructor");
  }

  get hardwareConcurrency() {
    return 1;
  }

  get language() {
    return "en";
  }

  get languages() {
    return LANGUAGES;
  }

  get platform() {
    return "";
  }

  get userAgent() {
    return "Cloudflare-Workers";
  }

  /**
   * Sends a POST request whose answer nobody waits for.
   * @param {string | URL} url
   * @param {BodyInit} [body]
   * @returns {boolean} False where no event runs that could send.
   */
  sendBeacon(url, body = undefined) {
    if (currentEvent() === 0) return false;
    holdUntil(fetch(url, { method: "POST", body }), currentActor(), () => {});
    return true;
  }

  get [SymbolToStringTag]() {
    return "Navigator";
  }
}

export const navigator = new Navigator(kInternal);
