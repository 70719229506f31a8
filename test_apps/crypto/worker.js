// crypto.subtle and what the platform has besides it.

const encoder = new TextEncoder();

function hex(buffer) {
  return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function failure(run) {
  try {
    await run();
    return "no error";
  } catch (error) {
    return error.name;
  }
}

const { subtle } = crypto;
const data = encoder.encode("some data");

const tests = {
  async digests() {
    const results = {};
    for (const name of ["MD5", "SHA-1", "SHA-256", "sha-384", { name: "SHA-512" }]) {
      results[name.name ?? name] = hex(await subtle.digest(name, data));
    }
    results.buffer = hex(await subtle.digest("SHA-256", data.buffer));
    results.unknown = await failure(() => subtle.digest("SHA-3", data));
    return results;
  },

  timingSafeEqual() {
    const bytes = (...values) => new Uint8Array(values);
    let error;
    try {
      subtle.timingSafeEqual(bytes(1), bytes(1, 2));
    } catch ({ name, message }) {
      error = `${name}: ${message}`;
    }
    return {
      same: subtle.timingSafeEqual(bytes(1, 2), bytes(1, 2).buffer),
      other: subtle.timingSafeEqual(bytes(1, 2), bytes(1, 3)),
      error,
    };
  },

  async stream() {
    const results = {};
    for (const name of ["MD5", "SHA-1", "SHA-256", "SHA-384", "SHA-512"]) {
      const stream = new crypto.DigestStream(name);
      const writer = stream.getWriter();
      await writer.write(encoder.encode("some "));
      await writer.write(encoder.encode("data").buffer);
      await writer.close();
      results[name] = hex(await stream.digest);
      results.bytes = String(stream.bytesWritten);
    }
    const piped = new crypto.DigestStream("SHA-256");
    await new Response("some data").body.pipeTo(piped);
    results.piped = hex(await piped.digest);
    const text = new crypto.DigestStream("SHA-256");
    const writer = text.getWriter();
    await writer.write("some data");
    await writer.close();
    results.text = hex(await text.digest);
    const aborted = new crypto.DigestStream("SHA-256");
    await aborted.abort(new RangeError("stop"));
    results.aborted = await failure(() => aborted.digest);
    results.unknown = await failure(() => new crypto.DigestStream("SHA-3"));
    results.isStream = piped instanceof WritableStream;
    return results;
  },
};

export default {
  async fetch(request) {
    const test = tests[new URL(request.url).pathname.slice(1)];
    if (test === undefined) return new Response("no such path", { status: 404 });
    return Response.json(await test());
  },
};
