// A client outside, in Node.js with npm's `capnweb`: `client.mjs LIBRARY URL` talks to the endpoint
// of a deployed app over a WebSocket and in HTTP batches, and prints what it saw as JSON.

const [, , library, url] = process.argv;
const { newHttpBatchRpcSession, newWebSocketRpcSession, RpcTarget } = await import(library);

async function outcome(run) {
  try {
    return await run();
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

class Listener extends RpcTarget {
  heard = [];

  tell(text) {
    this.heard.push(text);
    return this.heard.length;
  }
}

async function overSocket() {
  const app = newWebSocketRpcSession(url.replace("http:", "ws:"));
  const seen = {};
  seen.hello = await app.hello("you");
  // One after the other on results that are not known yet.
  seen.pipelined = await app.counter().add(4);
  const counter = await app.counter();
  seen.counter = [await counter.add(1), await counter.add(2)];
  const listener = new Listener();
  seen.told = [await app.tell(listener, "a"), await app.tell(listener, "b"), listener.heard];
  seen.called = await app.call((value) => value * 2, 21);
  const values = [1n << 70n, new Date(0), new Uint8Array([1, 2]), { a: [null, true] }, "\u20ac"];
  const back = await app.echo(values);
  seen.values = [`${back[0]}`, back[1].toISOString(), [...back[2]], back[3], back[4]];
  seen.mapped = await app.numbers(3).map((number) => app.hello(number));
  seen.error = await outcome(() => app.fail());
  seen.missing = (await outcome(() => app.missing())).split(":")[0];
  for (const name of ["secret", "alarm", "constructor", "ctx", "env"]) {
    seen[name] = (await outcome(() => app[name]("x"))).split(":")[0];
  }
  counter[Symbol.dispose]();
  await app.hello("after the disposal");
  seen.disposed = await app.disposed();
  const all = await Promise.all(Array.from({ length: 50 }, (_, i) => app.hello(i)));
  seen.many = [all.length, all[49]];
  seen.stored = [await app.stored(), await app.stored()];
  app[Symbol.dispose]();
  return seen;
}

async function inBatches() {
  const app = newHttpBatchRpcSession(url);
  const counter = app.counter();
  const answers = await Promise.all([
    app.hello("one"), app.hello("two"), counter.add(3), counter.add(4),
    app.numbers(2).map((number) => app.hello(number)), outcome(() => app.fail()),
  ]);
  const again = newHttpBatchRpcSession(url);
  return { answers, stored: await again.stored() };
}

console.log(JSON.stringify({ socket: await overSocket(), batch: await inBatches() }));
process.exit(0);
