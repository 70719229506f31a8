// B01: a loaded worker takes all memory it may have.
// expect: answers Error
export default ({ env, load, outcome }) => {
  const source = "export default { fetch() { const a = []; for (;;) a.push({ a: a.length }); } }";
  return outcome(() => load(env, source).getEntrypoint().fetch("http://w/"));
};
