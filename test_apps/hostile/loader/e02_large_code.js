// E02: more code than a worker may have, and more modules.
// expect: answers Error ok
// slow
export default async ({ env, load, outcome }) => {
  const large = await outcome(() =>
    load(env, "/*" + "x".repeat(64 << 20) + "*/").getEntrypoint().fetch("http://w/"));
  const modules = { "main.js": "export default { fetch: () => new Response('ok') }" };
  for (let i = 0; i < 2000; i++) modules[`m${i}.js`] = "export default 1";
  const many = await outcome(async () =>
    (await load(env, "", { modules }).getEntrypoint().fetch("http://w/")).text());
  return `${large} ${many}`;
};
