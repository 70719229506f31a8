// A04: a loop in a getter of fetch()'s options.
// expect: 503 cpu_limit
export default () => fetch("http://a.example/", { get signal() { for (;;); } });
