// performance and navigator: clocks, marks and measures, and what a worker is told of its place.

function entry({ name, entryType, startTime, duration, detail }) {
  return { name, entryType, startTime, duration, detail };
}

const tests = {
  timeline() {
    performance.mark("a", { startTime: 10, detail: { x: 1 } });
    performance.mark("b", { startTime: 25 });
    const measured = performance.measure("a to b", "a", "b");
    const given = performance.measure("given", { start: 5, duration: 7, detail: { y: [2] } });
    const names = (entries) => entries.map(({ name }) => name);
    const results = {
      measured: entry(measured),
      given: entry(given),
      all: names(performance.getEntries()).sort(),
      marks: names(performance.getEntriesByType("mark")),
      named: performance.getEntriesByName("a").map(entry),
      classes: [measured instanceof PerformanceMeasure, measured instanceof PerformanceEntry],
    };
    performance.clearMarks("a");
    results.left = names(performance.getEntriesByType("mark"));
    performance.clearMarks();
    performance.clearMeasures();
    results.none = performance.getEntries().length;
    return results;
  },

  clock() {
    const mark = performance.mark("now");
    const measure = performance.measure("since now", "now");
    performance.clearMarks();
    performance.clearMeasures();
    return {
      same: Math.abs(mark.startTime - performance.now()) < 1000,
      measure: measure.duration >= 0 && measure.duration < 1000,
      epoch: Math.abs(performance.timeOrigin + performance.now() - Date.now()) < 1000,
      json: "timeOrigin" in performance.toJSON(),
      class: performance instanceof Performance,
    };
  },

  navigator() {
    const { hardwareConcurrency, language, languages, platform, userAgent } = navigator;
    return {
      hardwareConcurrency, language, languages, platform, userAgent,
      class: navigator instanceof Navigator,
      origin: globalThis.origin,
      beacon: typeof navigator.sendBeacon,
    };
  },
};

export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    const test = tests[pathname.slice(1)];
    if (test === undefined) return new Response("no such path", { status: 404 });
    return Response.json(await test());
  },
};
