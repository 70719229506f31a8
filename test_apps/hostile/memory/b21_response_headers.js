// B21: an answer with a hundred megabytes of headers.
// expect: throws | answers x | 503 cpu_limit | 503 memory_limit
// slow
export default () => {
  const headers = new Headers();
  for (let i = 0; i < 1000; i++) headers.append(`x-${i}`, "y".repeat(100_000));
  return new Response("x", { headers });
};
