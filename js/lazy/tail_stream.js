// Streaming tail workers: events of another worker while they happen.

(() => {
  const { primordials } = __bootstrap;
  const {
    Date, Error, FunctionPrototypeCall, JSONParse, PromisePrototypeThen, PromiseResolve,
  } = primordials;

  function eventOf(text) {
    const event = JSONParse(text);
    event.timestamp = new Date(event.timestamp);
    return event;
  }

  /**
   * Tells the first event.
   * @param {any} receiver
   * @param {string} text
   * @param {{env: object, ctx: object} | null} context
   * @returns {Promise<(text: string) => unknown>} What takes the others.
   */
  function open(receiver, text, context) {
    const { tailStream } = receiver;
    if (typeof tailStream !== "function") {
      throw new Error("Handler does not export a tailStream() function.");
    }
    const event = eventOf(text);
    const given = FunctionPrototypeCall(tailStream, receiver, event, context?.env, context?.ctx);
    return PromisePrototypeThen(
      PromiseResolve(given),
      (handler) => (more) => tell(handler, eventOf(more)),
    );
  }

  /** To a function, or to the member of an object that has the event's type as its name. */
  function tell(handler, event) {
    const member = typeof handler === "function" ? handler : handler?.[event.event.type];
    if (typeof member !== "function") return undefined;
    return PromisePrototypeThen(
      PromiseResolve(FunctionPrototypeCall(member, handler, event)),
      () => {},
    );
  }

  return { open };
})();
