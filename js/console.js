// console: plain text goes straight to the log, everything else through deno_web's formatter.

import { core, primordials } from "ext:core/mod.js";
import { currentEvent } from "ext:beryl/pending.js";

const { ops } = core;
const {
  ArrayPrototypePush,
  ErrorPrototype,
  FunctionPrototypeApply,
  JSONParse,
  JSONStringify,
  ObjectPrototypeIsPrototypeOf,
  String,
  StringPrototypeEndsWith,
  StringPrototypeIncludes,
  StringPrototypeIndexOf,
  StringPrototypeSlice,
  SymbolToStringTag,
} = primordials;

// The levels of op_console_write; the formatter prints with the same numbers.
const DEBUG = 0;
const LOG = 1;
const WARN = 2;
const ERROR = 3;

/** The methods that only the formatter has. */
const FORMATTED = [
  "assert",
  "clear",
  "count",
  "countReset",
  "dir",
  "dirxml",
  "group",
  "groupCollapsed",
  "groupEnd",
  "profile",
  "profileEnd",
  "table",
  "time",
  "timeEnd",
  "timeLog",
  "timeStamp",
  "trace",
];

/** deno_web's console, once something needed it. */
let formatter = null;
/** @type {(args: unknown[], options: object) => string} */
let format;
/** As Node.js formats, and so the platform. */
const AS_NODE = { __proto__: null, colors: false, depth: 2, quotes: ["'", '"', "`"] };

/** @returns {object} The object for `globalThis.console`. */
export function createConsole() {
  const console = {
    debug: (...args) => print("debug", DEBUG, args),
    error: (...args) => print("error", ERROR, args),
    info: (...args) => print("info", LOG, args),
    log: (...args) => print("log", LOG, args),
    warn: (...args) => print("warn", WARN, args),
    [SymbolToStringTag]: "console",
  };
  for (let i = 0; i < FORMATTED.length; i++) {
    const name = FORMATTED[i];
    console[name] = {
      [name]: (...args) => {
        FunctionPrototypeApply(loadFormatter()[name], undefined, args);
      },
    }[name];
  }
  return console;
}

/**
 * Logs what user code threw where nobody could catch it.
 * @param {unknown} error
 */
export function reportUncaught(error) {
  write(`Uncaught ${describe(error)}`, ERROR);
}

let isTraced = null;

function print(name, level, args) {
  isTraced ??= ops.op_console_is_traced();
  if (isTraced) trace(name, args);
  if (formatter === null || formatter.indentLevel === 0) {
    const text = plainText(args);
    if (text !== null) {
      write(text, level);
      return;
    }
  }
  const { [name]: method, indentLevel } = loadFormatter();
  if (indentLevel === 0) return write(format(args, AS_NODE), level);
  FunctionPrototypeApply(method, undefined, args);
}

/** Lets tail workers hear it: values that JSON has, and text of the others. */
function trace(name, args) {
  const message = [];
  const errors = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (core.isNativeError(arg)) {
      const text = `${arg.stack}`;
      const frames = StringPrototypeIndexOf(text, "\n    at ");
      const stack = frames < 0 ? "" : StringPrototypeSlice(text, frames + 1);
      ArrayPrototypePush(errors, { name: `${arg.name}`, message: `${arg.message}`, stack });
      ArrayPrototypePush(message, `${arg}`);
    } else {
      ArrayPrototypePush(message, plain(arg));
    }
  }
  const errorText = errors.length === 0 ? "" : JSONStringify(errors);
  ops.op_console_trace(currentEvent(), name, JSONStringify(message), errorText);
}

function plain(value) {
  try {
    const text = JSONStringify(value);
    return text === undefined && value !== undefined ? String(value) : JSONParse(text ?? "null");
  } catch {
    return String(value);
  }
}

/** @returns {string | null} null if the arguments need the formatter. */
function plainText(args) {
  let text = "";
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (typeof arg === "string") {
      if (i === 0 && args.length > 1 && StringPrototypeIncludes(arg, "%")) return null;
    } else if (typeof arg !== "number" && typeof arg !== "boolean" && arg !== undefined) {
      return null;
    } else if (arg === 0 && 1 / arg < 0) {
      return null;
    }
    text = i === 0 ? `${arg}` : `${text} ${arg}`;
  }
  return text;
}

function loadFormatter() {
  if (formatter === null) {
    const { Console, inspectArgs, setNoColorFns } = core.loadExtScript(
      "ext:deno_web/01_console.js",
    );
    setNoColorFns(() => true, () => true);
    format = inspectArgs;
    formatter = new Console(printed);
  }
  return formatter;
}

/** Takes what the formatter prints; a trailing newline is its line end, not ours. */
function printed(text, level) {
  if (text === "\n") return;
  write(StringPrototypeEndsWith(text, "\n") ? StringPrototypeSlice(text, 0, -1) : text, level);
}

function write(text, level) {
  ops.op_console_write(currentEvent(), level > ERROR ? LOG : level, text);
}

function describe(error) {
  try {
    if (ObjectPrototypeIsPrototypeOf(ErrorPrototype, error)) {
      return typeof error.stack === "string" ? error.stack : `${error}`;
    }
    if (typeof error === "string") return error;
    return core.loadExtScript("ext:deno_web/01_console.js").inspect(error);
  } catch {
    return "an error that cannot be shown";
  }
}
