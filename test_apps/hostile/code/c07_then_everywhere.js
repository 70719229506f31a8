// C07: every object is a thenable.
// expect: answers text a
export default async ({ ctx }) => {
  Object.prototype.then = function () {};
  try {
    const text = new Response("text").text();
    ctx.storage.kv.put("a", "a");
    delete Object.prototype.then;
    return `${await text} ${ctx.storage.kv.get("a")}`;
  } finally {
    delete Object.prototype.then;
  }
};
