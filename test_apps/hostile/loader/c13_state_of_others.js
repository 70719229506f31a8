// C13: workers that are loaded from the same code share nothing (celld#192).
// expect: answers 1 1 1
export default async ({ env, load }) => {
  const source = `
    globalThis.count ??= 0;
    Array.prototype.count ??= 0;
    export default { fetch: () =>
      new Response(String(++globalThis.count && ++Array.prototype.count)) }`;
  const counts = [];
  for (let i = 0; i < 3; i++) {
    counts.push(await (await load(env, source).getEntrypoint().fetch("http://w/")).text());
  }
  return counts.join(" ");
};
