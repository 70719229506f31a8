// A01: a loaded worker loops; whoever loaded it goes on (open-compute#67).
// expect: answers Error fine
export default async ({ env, load, outcome }) => {
  const loop = load(env, "export default { fetch() { for (;;); } }").getEntrypoint();
  const first = await outcome(() => loop.fetch("http://w/"));
  const fine = load(env, "export default { fetch: () => new Response('fine') }").getEntrypoint();
  return `${first} ${await (await fine.fetch("http://w/")).text()}`;
};
