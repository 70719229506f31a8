// Bookmarks of `ctx.storage`: point-in-time recovery (ST-44).

import { core, primordials } from "ext:core/mod.js";
import { open, promiseOf } from "ext:beryl/pending.js";

const { ops } = core;
const {
  DatePrototype,
  DatePrototypeGetTime,
  Number,
  NumberIsFinite,
  ObjectPrototypeIsPrototypeOf,
  String,
  TypeError,
} = primordials;

/** @returns {Promise<string>} */
export async function currentBookmark(actor) {
  return ops.op_bookmarks_current(actor);
}

/**
 * @param {number} actor
 * @param {Date | number} time
 * @returns {Promise<string>}
 */
export async function bookmarkForTime(actor, time) {
  const isDate = ObjectPrototypeIsPrototypeOf(DatePrototype, time);
  const ms = isDate ? DatePrototypeGetTime(time) : Number(time);
  if (!NumberIsFinite(ms) || ms < 0) {
    throw new TypeError("getBookmarkForTime() needs a Date, or milliseconds since 1970.");
  }
  return ops.op_bookmarks_at(actor, ms);
}

/**
 * @param {number} actor
 * @param {string} bookmark
 * @returns {Promise<string>} The bookmark that undoes it.
 */
export async function restoreBookmark(actor, bookmark) {
  const text = String(bookmark);
  const slot = open();
  if (ops.op_bookmarks_fetch(actor, text, slot)) await promiseOf(slot);
  return ops.op_bookmarks_restore(actor, text);
}
