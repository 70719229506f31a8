// Tells listeners of the global scope what nobody caught.

(() => {
  const { core, internals, primordials } = __bootstrap;
  const { SafeRegExp, Number, RegExpPrototypeExec } = primordials;
  const { load, reportUncaught } = internals.nodeParts;
  const PLACE = new SafeRegExp("worker:///(.*?):([0-9]+):([0-9]+)");

  /** Where an error was made; where it is reported, for values that have no place. */
  function placeOf(error) {
    const isError = core.isNativeError(error);
    const text = isError ? `${error.stack}` : `${new Error("here").stack}`;
    const found = RegExpPrototypeExec(PLACE, text);
    if (found === null) return { filename: "", lineno: 0, colno: 0 };
    const { 1: filename, 2: line, 3: column } = found;
    return { filename, lineno: Number(line), colno: isError ? Number(column) : 0 };
  }

  /** @param {EventTarget} target */
  function teller(target) {
    const { ErrorEvent, PromiseRejectionEvent } = load("02_event.js");
    /** @returns {boolean} True if the log need not hear of it. */
    const dispatch = (event) => {
      try {
        target.dispatchEvent(event);
      } catch (error) {
        reportUncaught(error);
      }
      return event.defaultPrevented;
    };
    return {
      error(error) {
        const message = `Uncaught ${error}`;
        const init = { ...placeOf(error), message, error, cancelable: true };
        return dispatch(new ErrorEvent("error", init));
      },
      rejection(type, reason, promise) {
        dispatch(new PromiseRejectionEvent(type, { promise, reason, cancelable: true }));
        return true;
      },
    };
  }

  return { teller };
})();
