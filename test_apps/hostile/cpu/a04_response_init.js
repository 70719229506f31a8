// A04: a loop in a getter of Response's options.
// expect: 503 cpu_limit
export default () => new Response("", { get status() { for (;;); } });
