// A12: the same by Response.json().
// expect: 503 cpu_limit
export default () => Response.json({ get a() { for (;;); } });
