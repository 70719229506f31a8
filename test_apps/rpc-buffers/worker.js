// Large buffers in calls: copies where the sender keeps its own, handed over where it gives them
// away with `transfer`, which workerd does not have.

import * as workers from "cloudflare:workers";

const { RpcTarget, transfer, WorkerEntrypoint } = workers;

const LARGE = 10 << 20;

/** What was received first, kept. */
let first = null;

export class Server extends WorkerEntrypoint {
  sum(bytes) {
    return [bytes.byteLength, bytes[0], bytes[bytes.length - 1]];
  }

  keep(bytes) {
    first = bytes;
    return first[0];
  }

  kept() {
    return first[0];
  }

  describe(...values) {
    return values.map((value) => [value.constructor.name, value.byteLength, value.byteOffset]);
  }

  share({ a, b }) {
    a[0] = 5;
    return [a.buffer === b.buffer, b[0]];
  }

  shareInList(a, b) {
    a[0] = 6;
    return [a.buffer === b.buffer, b[0]];
  }

  make(length, inObject) {
    const bytes = new Uint8Array(length).fill(3);
    return inObject ? { bytes } : bytes;
  }

  give(length) {
    first = new Uint8Array(length).fill(4);
    return { bytes: transfer(first), more: () => first.length };
  }

  throws(bytes) {
    throw new Error(`got ${bytes.byteLength}`);
  }

  async calls(bytes, callback) {
    return [bytes.byteLength, await callback(bytes)];
  }
}

async function outcome(run) {
  try {
    return await run();
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

async function copies({ Server: server }) {
  const bytes = new Uint8Array(LARGE).fill(1);
  const result = { sums: await server.sum(bytes) };
  const view = bytes.subarray(10, 70_000);
  result.kinds = await server.describe(
    bytes, view, new DataView(bytes.buffer, 8), new Float64Array(bytes.buffer, 16, 9_000),
    new Uint16Array(100_000), new Uint8Array(10),
  );
  const call = server.keep(bytes);
  // What the sender writes after the call is its own.
  bytes[0] = 2;
  result.atCall = [await call, await server.kept(), bytes[0], bytes.length];
  result.shared = [
    await server.share({ a: bytes, b: bytes }), await server.shareInList(bytes, bytes),
    await server.shareInList(bytes, view), bytes[0], bytes[10],
  ];
  const made = await server.make(LARGE, false);
  result.made = [made.length, made[9], typeof made[Symbol.dispose]];
  result.madeInObject = (await server.make(LARGE, true)).bytes.length;
  result.thrown = await outcome(() => server.throws(bytes));
  result.beside = await server.calls(bytes, (same) => same.length);
  result.list = await server.describe(...[bytes, bytes.buffer].map((one) => one.slice(0)).reverse()
    .map((one) => new Uint8Array(one)));
  const resizable = new ArrayBuffer(100_000, { maxByteLength: 200_000 });
  result.resizable = await server.describe(new Uint8Array(resizable));
  result.many = await server.describe(...Array.from({ length: 20 }, () => new Uint8Array(70_000)));
  result.many = result.many.length;
  const size = 32 << 20;
  result.tooLarge = (await outcome(() => server.sum(new Uint8Array(size)))).replace(/\d{8}/, "N");
  bytes.buffer.transfer();
  result.detached = await outcome(() => server.sum(bytes));
  return result;
}

async function given({ Server: server }) {
  const result = {};
  const bytes = new Uint8Array(LARGE).fill(1);
  const sum = server.sum(transfer(bytes));
  result.gone = [bytes.length, bytes.buffer.detached, await sum];

  const nested = new Uint8Array(LARGE).fill(2);
  const shared = server.share({ a: transfer(nested), b: nested.subarray(0, 5) });
  result.nested = [nested.length, await shared];

  const small = new Uint8Array([7, 8]);
  result.small = [await server.sum(transfer(small)), small.length];

  const answer = await server.give(LARGE);
  result.results = [answer.bytes.length, answer.bytes[5], await answer.more()];

  // A call that fails takes nothing.
  const held = new Uint8Array(LARGE);
  result.refused = await outcome(() => server.sum(transfer(held), Symbol("no clone")));
  result.heldStill = [held.length, await server.sum(held), held.length];

  // A call on a result that is not known yet.
  const waiting = new Uint8Array(LARGE).fill(9);
  result.pipelined = await server.give(LARGE).more(transfer(waiting));
  result.callback = await server.calls(new Uint8Array(LARGE), (same) => {
    const { length } = same;
    return [length, transfer(same)].length;
  });
  result.mistakes = [];
  for (const mistake of [5, null, {}, new ArrayBuffer(1, { maxByteLength: 2 })]) {
    result.mistakes.push(await outcome(() => transfer(mistake)));
  }
  return result;
}

/** Hands the same memory to and fro, which must not add up anywhere. */
async function rounds({ Server: server }) {
  class Echo extends RpcTarget {
    echo(bytes) {
      return transfer(bytes);
    }
  }
  let bytes = new Uint8Array(30 << 20).fill(1);
  const echo = new workers.RpcStub(new Echo());
  for (let i = 0; i < 40; i++) bytes = await echo.echo(transfer(bytes));
  for (let i = 0; i < 40; i++) await server.sum(transfer(new Uint8Array(30 << 20)));
  return [bytes.length, bytes[100]];
}

export default {
  async fetch(request, _env, ctx) {
    const { pathname } = new URL(request.url);
    const run = { "/copies": copies, "/given": given, "/rounds": rounds }[pathname];
    return Response.json(await run(ctx.exports));
  },
};
