// G11: a header of a megabyte in the answer.
// expect: answers x | throws | 500 exception
export default () => new Response("x", { headers: { "set-cookie": "a".repeat(1 << 20) } });
