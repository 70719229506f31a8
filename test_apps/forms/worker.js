// FormData, as a value and as a body; IdentityTransformStream and FixedLengthStream.

async function outcome(run) {
  try {
    return await run();
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

/** What a form has, in an order and form that can be compared. */
async function seen(form) {
  const fields = [];
  for (const [name, value] of form) {
    if (typeof value === "string") fields.push([name, value]);
    else fields.push([name, value.constructor.name, value.name, value.type, await value.text()]);
  }
  return fields;
}

function filled(name) {
  const form = new FormData();
  form.append("a", "1");
  form.append("b", 2);
  form.append("a", "three");
  form.append(name, "line\nbreak");
  form.append("blob", new Blob(["blob text"], { type: "text/x" }));
  form.append("named", new Blob(["named text"]), "name.txt");
  form.append("file", new File(["file text"], "file.html", { type: "text/html" }));
  return form;
}

const MULTIPART = [
  "--xyz", 'Content-Disposition: form-data; name="a"', "", "one", "--xyz",
  'Content-Disposition: form-data; name="f"; filename="f.txt"', "Content-Type: text/plain", "",
  "file\r\ntext", "--xyz--", "",
].join("\r\n");

function parse(body, type) {
  const headers = type === undefined ? {} : { "content-type": type };
  return outcome(async () => seen(await new Response(body, { headers }).formData()));
}

function read(stream) {
  return new Response(stream).text();
}

const tests = {
  async values() {
    const form = filled('quote"\r\nname');
    const results = {
      all: await seen(form),
      get: form.get("a"),
      number: form.get("b"),
      getAll: form.getAll("a"),
      missing: form.get("none"),
      has: [form.has("a"), form.has("none")],
      keys: [...form.keys()],
      tag: String(form),
      isFile: form.get("blob") instanceof File,
    };
    form.set("a", "only");
    form.delete("b");
    results.set = [...form.entries()].filter(([, value]) => typeof value === "string");
    let count = 0;
    form.forEach((_value, _name, of) => count += of === form ? 1 : 0);
    results.count = count;
    return results;
  },

  async bodies() {
    const response = new Response(filled("a name"));
    const type = response.headers.get("content-type");
    const plain = new FormData();
    plain.append("a", "b");
    const request = new Request("http://a.b/", { method: "POST", body: plain });
    const boundary = request.headers.get("content-type").split("boundary=")[1];
    return {
      type: type.split("=")[0],
      all: await seen(await response.formData()),
      plain: (await request.clone().text()).replaceAll(boundary, "B").trim(),
      again: await seen(await request.formData()),
      used: request.bodyUsed,
    };
  },

  async parsing() {
    return {
      urlencoded: await parse("a=1&b=c+d&a=%C3%A9", "application/x-www-form-urlencoded"),
      charset: await parse("a=1", "application/x-www-form-urlencoded; charset=UTF-8"),
      params: await seen(await new Response(new URLSearchParams({ x: "y z" })).formData()),
      multipart: await parse(MULTIPART, "multipart/form-data; boundary=xyz"),
      quoted: await parse(MULTIPART, 'Multipart/Form-Data; boundary="xyz"'),
      noType: await parse(new Uint8Array(1)),
      text: await parse("a=1", "text/plain"),
      noBoundary: await parse(MULTIPART, "multipart/form-data"),
      otherBoundary: await parse(MULTIPART, "multipart/form-data; boundary=abc"),
      cut: await parse(MULTIPART.slice(0, -20), "multipart/form-data; boundary=xyz"),
    };
  },

  async identity() {
    const { readable, writable } = new IdentityTransformStream();
    const writer = writable.getWriter();
    const writing = (async () => {
      await writer.write(new TextEncoder().encode("one "));
      await writer.write(new TextEncoder().encode("two"));
      await writer.close();
    })();
    const text = await read(readable);
    await writing;
    const byob = new IdentityTransformStream();
    const into = byob.writable.getWriter();
    into.write(new Uint8Array([1, 2, 3]));
    into.close();
    const reader = byob.readable.getReader({ mode: "byob" });
    const first = await reader.read(new Uint8Array(2));
    const second = await reader.read(new Uint8Array(2));
    const third = await reader.read(new Uint8Array(2));
    const broken = new IdentityTransformStream();
    broken.readable.cancel(new RangeError("gone")).catch(() => {});
    const late = broken.writable.getWriter();
    return {
      text,
      byob: [[...first.value], [...second.value], third.done],
      isTransform: byob instanceof TransformStream,
      word: await outcome(() => {
        const { writable } = new IdentityTransformStream();
        return writable.getWriter().write({});
      }),
      cancelled: (await outcome(() => late.write(new Uint8Array(1)))).split(":")[0],
    };
  },

  async fixed() {
    const send = async (length, ...texts) => {
      const { readable, writable } = new FixedLengthStream(length);
      const writer = writable.getWriter();
      const text = outcome(() => read(readable));
      const wrote = outcome(async () => {
        for (const text of texts) await writer.write(new TextEncoder().encode(text));
        await writer.close();
        return "closed";
      });
      return { wrote: await wrote, text: await text };
    };
    return {
      exact: await send(6, "abc", "def"),
      long: await send(4, "abc", "def"),
      short: await send(7, "abc", "def"),
      empty: await send(0),
    };
  },
};

export default {
  async fetch(request, _env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname === "/length") {
      const { readable, writable } = new FixedLengthStream(5);
      const writer = writable.getWriter();
      ctx.waitUntil((async () => {
        await writer.write(new TextEncoder().encode("fixed"));
        await writer.close();
      })());
      return new Response(readable);
    }
    if (pathname === "/blob") return new Response(new Blob(["blob ", "body"]));
    if (pathname === "/post") return Response.json(await seen(await request.formData()));
    const test = tests[pathname.slice(1)];
    if (test === undefined) return new Response("no such path", { status: 404 });
    return Response.json(await test());
  },
};
