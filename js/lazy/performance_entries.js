// The timeline of `performance`: marks and measures, on the platform's clock.

(() => {
  const { core, primordials } = __bootstrap;
  const { DateNow, ObjectAssign } = primordials;
  const classes = core.loadExtScript("ext:deno_web/15_performance.js");
  const { performance } = classes;

  function now() {
    return DateNow();
  }

  const timeline = {
    mark(name, options = undefined) {
      return performance.mark(name, ObjectAssign({ startTime: now() }, options));
    },

    measure(name, startOrOptions = undefined, endMark = undefined) {
      if (typeof startOrOptions === "object" && startOrOptions !== null) {
        const isOpen = startOrOptions.end === undefined && startOrOptions.duration === undefined;
        const options = isOpen ? ObjectAssign({}, startOrOptions, { end: now() }) : startOrOptions;
        return performance.measure(name, options);
      }
      const options = { start: startOrOptions ?? 0, end: endMark ?? now() };
      return performance.measure(name, options);
    },

    getEntries() {
      return performance.getEntries();
    },

    getEntriesByName(name, type = undefined) {
      return performance.getEntriesByName(name, type);
    },

    getEntriesByType(type) {
      return performance.getEntriesByType(type);
    },

    clearMarks(name = undefined) {
      performance.clearMarks(name);
    },

    clearMeasures(name = undefined) {
      performance.clearMeasures(name);
    },
  };

  return { classes, timeline };
})();
