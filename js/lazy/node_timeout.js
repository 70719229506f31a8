// Timers as the objects of Node.js: what `nodejs_compat` makes of the global setTimeout and
// setInterval, and what "node:timers" gives.

(() => {
  const { internals, primordials } = __bootstrap;
  const { nodeParts } = internals;
  const { Symbol, SymbolDispose, SymbolToPrimitive } = primordials;

  /** A timer as an object; as a number it is the platform's timer. */
  class Timeout {
    #start;
    #id;
    #isReferenced = true;

    constructor(start) {
      this.#start = start;
      this.#id = start();
    }

    ref() {
      this.#isReferenced = true;
      return this;
    }

    unref() {
      this.#isReferenced = false;
      return this;
    }

    hasRef() {
      return this.#isReferenced;
    }

    refresh() {
      nodeParts.clearTimeout(this.#id);
      this.#id = this.#start();
      return this;
    }

    close() {
      nodeParts.clearTimeout(this.#id);
      return this;
    }

    [SymbolToPrimitive]() {
      return this.#id;
    }

    [SymbolDispose ?? Symbol.dispose]() {
      nodeParts.clearTimeout(this.#id);
    }
  }

  class Immediate extends Timeout {}

  /** Globals: what is no function is refused in the platform's words. */
  function setTimeout(callback, delay = 1, ...args) {
    return new Timeout(() => nodeParts.setTimeout(callback, delay, ...args));
  }

  function setInterval(callback, delay = 1, ...args) {
    return new Timeout(() => nodeParts.setInterval(callback, delay, ...args));
  }

  return { Immediate, Timeout, setInterval, setTimeout };
})();
