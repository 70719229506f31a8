// Key pairs of crypto.subtle: RSA, the NIST curves and Curve25519. The keys in keys.json were made
// for this test.

import KEYS from "./keys.json";

const { subtle } = crypto;
const encoder = new TextEncoder();
const data = encoder.encode("some data that is signed or encrypted");
const SIGN = ["sign", "verify"];
const CURVES = { "P-256": "SHA-256", "P-384": "SHA-384", "P-521": "SHA-512" };

const hex = (buffer) =>
  Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");

async function failure(run) {
  try {
    await run();
    return "no error";
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

const describe = ({ type, extractable, algorithm, usages }) => ({
  type,
  extractable,
  algorithm: {
    ...algorithm,
    publicExponent: algorithm.publicExponent && [...algorithm.publicExponent],
  },
  usages,
});

const publicPart = ({ kty, crv, n, e, x, y }) =>
  JSON.parse(JSON.stringify({ kty, crv, n, e, x, y }));

/** Private and public key from one JSON Web Key. */
async function pair(jwk, algorithm, [ofPrivate, ofPublic]) {
  const list = (usage) => usage === undefined ? [] : [usage].flat();
  return {
    privateKey: await subtle.importKey("jwk", jwk, algorithm, true, list(ofPrivate)),
    publicKey: await subtle.importKey("jwk", publicPart(jwk), algorithm, true, list(ofPublic)),
  };
}

/** A pair in all formats it has, each read again. */
async function formats({ privateKey, publicKey }, algorithm, usages, hasRaw) {
  const results = { private: describe(privateKey), public: describe(publicKey) };
  for (const format of ["jwk", "pkcs8"]) {
    const exported = await subtle.exportKey(format, privateKey);
    results[`private ${format}`] = format === "jwk" ? exported : hex(exported);
    const again = await subtle.importKey(format, exported, algorithm, true, privateKey.usages);
    results[`private ${format} again`] = describe(again);
  }
  for (const format of hasRaw ? ["jwk", "spki", "raw"] : ["jwk", "spki"]) {
    const exported = await subtle.exportKey(format, publicKey);
    results[`public ${format}`] = format === "jwk" ? exported : hex(exported);
    const again = await subtle.importKey(format, exported, algorithm, true, publicKey.usages);
    results[`public ${format} again`] = describe(again);
  }
  return results;
}

const tests = {
  async rsa() {
    const results = {};
    for (const name of ["RSASSA-PKCS1-v1_5", "RSA-PSS"]) {
      for (const hash of ["SHA-256", "SHA-384", "SHA-512"]) {
        const keys = await pair(KEYS.RSA, { name, hash }, SIGN);
        for (const saltLength of name === "RSA-PSS" ? [0, 20, 32, 48, 64] : [undefined]) {
          const params = { name, saltLength };
          const signature = await subtle.sign(params, keys.privateKey, data);
          const place = `${name} ${hash} ${saltLength}`;
          if (name !== "RSA-PSS" || saltLength === 0) results[place] = hex(signature);
          results[`${place} holds`] = [
            await subtle.verify(params, keys.publicKey, signature, data),
            await subtle.verify(params, keys.publicKey, signature, encoder.encode("other")),
            await subtle.verify(params, keys.publicKey, new Uint8Array(10), data),
          ];
        }
      }
    }
    const params = { name: "RSA-PSS", hash: "SHA-256" };
    results.formats = await formats(await pair(KEYS.RSA, params, SIGN), params, SIGN, false);
    return results;
  },

  async oaep() {
    const results = {};
    for (const hash of ["SHA-1", "SHA-256", "SHA-384", "SHA-512"]) {
      const algorithm = { name: "RSA-OAEP", hash };
      const usages = [["decrypt", "unwrapKey"], ["encrypt", "wrapKey"]];
      const { privateKey, publicKey } = await pair(KEYS.RSA, algorithm, usages);
      for (const label of [undefined, encoder.encode("label")]) {
        const params = { name: "RSA-OAEP", label };
        const text = await subtle.encrypt(params, publicKey, data);
        const back = await subtle.decrypt(params, privateKey, text);
        results[`${hash} ${label}`] = [text.byteLength, hex(back) === hex(data)];
        results[`${hash} ${label} other`] = await failure(() =>
          subtle.decrypt({ name: "RSA-OAEP", label: encoder.encode("x") }, privateKey, text)
        );
      }
      const aes = await subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt"]);
      const wrapped = await subtle.wrapKey("jwk", aes, publicKey, "RSA-OAEP").catch(String);
      results[`${hash} wrapped`] = wrapped.byteLength ?? wrapped;
      const raw = await subtle.wrapKey("raw", aes, publicKey, "RSA-OAEP");
      const unwrapped = await subtle.unwrapKey(
        "raw",
        raw,
        privateKey,
        "RSA-OAEP",
        "AES-GCM",
        true,
        ["encrypt"],
      );
      const keys = [await subtle.exportKey("raw", aes), await subtle.exportKey("raw", unwrapped)];
      results[`${hash} unwrapped`] = hex(keys[0]) === hex(keys[1]);
      results[`${hash} key`] = (await subtle.exportKey("jwk", publicKey)).alg;
      results[`${hash} long`] = await failure(() =>
        subtle.encrypt("RSA-OAEP", publicKey, new Uint8Array(250))
      );
      results[`${hash} direction`] = [
        await failure(() => subtle.decrypt("RSA-OAEP", publicKey, data)),
      ];
    }
    return results;
  },

  async ecdsa() {
    const results = {};
    for (const [namedCurve, hash] of Object.entries(CURVES)) {
      const algorithm = { name: "ECDSA", namedCurve };
      const keys = await pair(KEYS[namedCurve], algorithm, SIGN);
      const hashes = namedCurve === "P-521" ? Object.values(CURVES) : [hash];
      for (const hash of hashes) {
        const params = { name: "ECDSA", hash };
        const signature = await subtle.sign(params, keys.privateKey, data);
        results[`${namedCurve} ${hash}`] = [
          signature.byteLength,
          await subtle.verify(params, keys.publicKey, signature, data),
          await subtle.verify(params, keys.publicKey, signature, encoder.encode("other")),
          await subtle.verify(params, keys.publicKey, new Uint8Array(7), data),
        ];
      }
      results[namedCurve] = await formats(keys, algorithm, SIGN, true);
    }
    return results;
  },

  async agreement() {
    const results = {};
    for (const namedCurve of [...Object.keys(CURVES), "X25519"]) {
      const name = namedCurve === "X25519" ? namedCurve : "ECDH";
      const algorithm = name === "ECDH" ? { name, namedCurve } : { name };
      const { privateKey, publicKey } = await pair(KEYS[namedCurve], algorithm, [
        ["deriveBits", "deriveKey"],
      ]);
      const params = { name, public: publicKey };
      results[namedCurve] = hex(await subtle.deriveBits(params, privateKey));
      results[`${namedCurve} 100`] = hex(await subtle.deriveBits(params, privateKey, 100));
      results[`${namedCurve} much`] = await failure(() =>
        subtle.deriveBits(params, privateKey, 1000)
      );
      const aes = { name: "AES-GCM", length: 128 };
      const key = await subtle.deriveKey(params, privateKey, aes, true, ["encrypt"]);
      results[`${namedCurve} key`] = hex(await subtle.exportKey("raw", key));
      const other = await subtle.generateKey(algorithm, false, ["deriveBits"]);
      const shared = await subtle.deriveBits({ name, public: other.publicKey }, privateKey);
      const same = await subtle.deriveBits(params, other.privateKey);
      results[`${namedCurve} shared`] = hex(shared) === hex(same);
      results[`${namedCurve} generated`] = [describe(other.publicKey), describe(other.privateKey)];
      results[`${namedCurve} formats`] = await formats(
        { privateKey, publicKey },
        algorithm,
        [],
        true,
      );
      results[`${namedCurve} private`] = await failure(() =>
        subtle.deriveBits({ name, public: privateKey }, privateKey)
      );
      results[`${namedCurve} none`] = await failure(() => subtle.deriveBits({ name }, privateKey));
    }
    return results;
  },

  async ed25519() {
    const keys = await pair(KEYS.Ed25519, "Ed25519", SIGN);
    const signature = await subtle.sign("Ed25519", keys.privateKey, data);
    return {
      signature: hex(signature),
      holds: await subtle.verify("Ed25519", keys.publicKey, signature, data),
      other: await subtle.verify("Ed25519", keys.publicKey, signature, encoder.encode("other")),
      short: await failure(() => subtle.verify("Ed25519", keys.publicKey, new Uint8Array(7), data)),
      ...(await formats(keys, "Ed25519", SIGN, true)),
    };
  },

  async generated() {
    const results = {};
    const rsa = { modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" };
    const all = [
      { name: "RSASSA-PKCS1-v1_5", ...rsa },
      { name: "rsa-pss", ...rsa, saltLength: 32 },
      { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
      { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" },
      { name: "Ed25519" },
    ];
    for (const algorithm of all) {
      const keys = await subtle.generateKey(algorithm, false, SIGN);
      const signature = await subtle.sign(algorithm, keys.privateKey, data);
      results[`${algorithm.name} ${algorithm.namedCurve}`] = [
        describe(keys.publicKey),
        describe(keys.privateKey),
        await subtle.verify(algorithm, keys.publicKey, signature, data),
        await failure(() => subtle.exportKey("pkcs8", keys.privateKey)),
      ];
    }
    return results;
  },

  async errors() {
    const ec = { name: "ECDSA", namedCurve: "P-256" };
    const keys = await pair(KEYS["P-256"], ec, SIGN);
    const rsa = { name: "RSA-PSS", hash: "SHA-256" };
    const rsaKeys = await pair(KEYS.RSA, rsa, SIGN);
    const generate = (algorithm, usages = SIGN) => () =>
      subtle.generateKey(algorithm, true, usages);
    const read = (format, key, algorithm, usages) => () =>
      subtle.importKey(format, key, algorithm, true, usages);
    const full = { ...rsa, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
    const cases = {
      "no curve": generate({ name: "ECDSA" }),
      "unknown curve": generate({ name: "ECDSA", namedCurve: "P-1" }),
      "no hash": () => subtle.sign("ECDSA", keys.privateKey, data),
      "unknown hash": () => subtle.sign({ name: "ECDSA", hash: "SHA-3" }, keys.privateKey, data),
      "sign with public": () =>
        subtle.sign({ name: "ECDSA", hash: "SHA-256" }, keys.publicKey, data),
      "no salt": () => subtle.sign("RSA-PSS", rsaKeys.privateKey, data),
      "negative salt": () =>
        subtle.sign({ name: "RSA-PSS", saltLength: -1 }, rsaKeys.privateKey, data),
      "exponent 1": generate({ ...full, publicExponent: new Uint8Array([1]) }),
      "no exponent": generate({ ...rsa, modulusLength: 2048 }),
      "no modulus": generate({ ...rsa, publicExponent: new Uint8Array([3]) }),
      "modulus": generate({ ...full, modulusLength: 100 }),
      "no private usage": generate(ec, ["verify"]),
      "usage": generate(ec, ["encrypt"]),
      "private usage": read("jwk", KEYS["P-256"], ec, ["verify"]),
      "public usage": read("jwk", publicPart(KEYS["P-256"]), ec, ["sign"]),
      "private without": read("jwk", KEYS["P-256"], ec, []),
      "spki": read("spki", new Uint8Array(3), ec, ["verify"]),
      "pkcs8": read("pkcs8", new Uint8Array(3), ec, ["sign"]),
      "raw": read("raw", new Uint8Array(3), { name: "Ed25519" }, ["verify"]),
      "jwk type": read("jwk", { kty: "RSA" }, ec, ["verify"]),
      "jwk x": read("jwk", { kty: "EC", crv: "P-256" }, ec, ["verify"]),
      "jwk alg": read("jwk", { ...publicPart(KEYS["P-256"]), alg: "ES384" }, ec, ["verify"]),
      "jwk unknown alg": read("jwk", { ...publicPart(KEYS["P-256"]), alg: "X" }, ec, ["verify"]),
      "jwk n": read("jwk", { kty: "RSA" }, rsa, ["verify"]),
      "jwk rsa alg": read("jwk", { ...publicPart(KEYS.RSA), alg: "PS512" }, rsa, ["verify"]),
      "jwk rsa unknown alg": read("jwk", { ...publicPart(KEYS.RSA), alg: "X" }, rsa, ["verify"]),
      "jwk ops": read("jwk", { ...publicPart(KEYS.RSA), key_ops: [] }, rsa, ["verify"]),
      "jwk use": read("jwk", { ...publicPart(KEYS.RSA), use: "enc" }, rsa, ["verify"]),
      "okp type": read("jwk", { kty: "EC" }, "Ed25519", ["verify"]),
      "okp curve": read("jwk", { kty: "OKP", crv: "X" }, "Ed25519", ["verify"]),
      "okp x": read("jwk", { kty: "OKP", crv: "Ed25519" }, "Ed25519", ["verify"]),
      "export spki": () => subtle.exportKey("spki", keys.privateKey),
      "export pkcs8": () => subtle.exportKey("pkcs8", keys.publicKey),
      "export raw": () => subtle.exportKey("raw", keys.privateKey),
      "export unknown": () => subtle.exportKey("pem", keys.privateKey),
    };
    const results = {};
    for (const name in cases) results[name] = await failure(cases[name]);
    return results;
  },
};

export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    const test = tests[pathname.slice(1)];
    if (test === undefined) return new Response("no such path", { status: 404 });
    return Response.json(await test());
  },
};
