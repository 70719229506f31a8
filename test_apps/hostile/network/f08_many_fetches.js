// F08: a thousand requests at once, none of which may leave.
// expect: answers 1000
export default async ({ request }) => {
  const { port } = new URL(request.url);
  const all = [];
  for (let i = 0; i < 1000; i++) all.push(fetch(`http://127.0.0.1:${port}/${i}`));
  const settled = await Promise.allSettled(all);
  return settled.filter(({ status }) => status === "rejected").length;
};
