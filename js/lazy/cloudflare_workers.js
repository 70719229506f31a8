// The exports of "cloudflare:workers"; evaluated when a worker imports it for the first time.

(() => {
  const { internals } = __bootstrap;
  return internals.workersModule();
})();
