// C06: what is inherited from a polluted Object.prototype is no option of anything.
// expect: answers 200 0 GET
export default async ({ ctx }) => {
  const polluted = { status: 418, method: "POST", body: "stolen", headers: { stolen: "1" },
    limit: 1, reverse: true, prefix: "z", noCache: true, allowConcurrency: true };
  Object.assign(Object.prototype, polluted);
  const response = new Response("x");
  const request = new Request("http://a.example/");
  const listed = [...ctx.storage.kv.list()].length;
  for (const name of Object.keys(polluted)) delete Object.prototype[name];
  return `${response.status} ${listed} ${request.method}`;
};
