// Bookmarks: earlier states of an object's storage come back, and the way back can be undone.
import { DurableObject } from "cloudflare:workers";

export class Notes extends DurableObject {
  #all() {
    this.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS notes (text)");
    return this.ctx.storage.sql.exec("SELECT text FROM notes").toArray().map(({ text }) => text);
  }

  async add(text) {
    this.#all();
    this.ctx.storage.sql.exec("INSERT INTO notes VALUES (?)", text);
    this.ctx.storage.kv.put("newest", text);
    return await this.ctx.storage.getCurrentBookmark();
  }

  read() {
    return { notes: this.#all(), newest: this.ctx.storage.kv.get("newest") };
  }

  async at(time) {
    return await this.ctx.storage.getBookmarkForTime(time);
  }

  async restore(bookmark) {
    const undo = await this.ctx.storage.onNextSessionRestoreBookmark(bookmark);
    this.ctx.waitUntil(new Promise(() => setTimeout(() => this.ctx.abort(), 0)));
    return undo;
  }
}

/** The object is there again with its next call after the abort. */
async function restored(notes, bookmark) {
  const undo = await notes().restore(bookmark);
  for (;;) {
    try {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return [undo, await notes().read()];
    } catch (error) {
      if (!error.message.includes("abort()")) throw error;
    }
  }
}

const outcome = async (run) => {
  try {
    return await run();
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
};

const routes = {
  async "/restore"(notes) {
    const first = await notes().add("one");
    const time = Date.now();
    await new Promise((resolve) => setTimeout(resolve, 60));
    const second = await notes().add("two");
    const [undo, back] = await restored(notes, first);
    const [, again] = await restored(notes, undo);
    const [, byTime] = await restored(notes, await notes().at(time + 20));
    return {
      shape: /^[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{32}$/.test(first),
      ordered: first < second && second < undo,
      back,
      again,
      byTime,
    };
  },
  async "/refusals"(notes) {
    await notes().add("one");
    const other = await notes("other").add("x");
    return {
      none: await outcome(() => notes().restore("x")),
      other: await outcome(() => notes().restore(other)),
      old: await outcome(() => notes().at(0)),
      time: await outcome(() => notes().at("soon")),
      date: (await notes().at(new Date())).length,
    };
  },
  "/read": (notes) => notes().read(),
};

export default {
  async fetch(request, _env, ctx) {
    const { pathname } = new URL(request.url);
    const route = routes[pathname.replace("/kept", "/read")];
    const name = pathname === "/kept" ? "/restore" : pathname;
    return Response.json(await route((other) => ctx.exports.Notes.getByName(other ?? name)));
  },
};
