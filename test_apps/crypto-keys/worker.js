// crypto.subtle with keys: what each algorithm gives, and what is said to wrong use.

const { subtle } = crypto;
const encoder = new TextEncoder();
const data = encoder.encode("some data that is signed or encrypted");

const hex = (buffer) =>
  Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
const filled = (length, value = 7) => new Uint8Array(length).fill(value);

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

const secret = (name, length, usages, extra = {}) =>
  subtle.importKey("raw", filled(length), { name, ...extra }, true, usages);

const AES = ["encrypt", "decrypt", "wrapKey", "unwrapKey"];
const SIGN = ["sign", "verify"];

const tests = {
  async aes() {
    const results = {};
    for (const length of [16, 24, 32]) {
      const gcm = await secret("AES-GCM", length, AES);
      const extra = { additionalData: encoder.encode("more") };
      for (const iv of [8, 12, 16, 24, 32]) {
        for (const tagLength of [32, 96, 128]) {
          const params = { name: "AES-GCM", iv: filled(iv), tagLength, ...extra };
          const text = await subtle.encrypt(params, gcm, data);
          results[`gcm ${length} ${iv} ${tagLength}`] = hex(text);
          const back = await subtle.decrypt(params, gcm, text);
          if (hex(back) !== hex(data)) results[`gcm ${length} ${iv} back`] = hex(back);
        }
      }
      const cbc = await secret("AES-CBC", length, AES);
      const withIv = { name: "AES-CBC", iv: filled(16, 3) };
      const text = await subtle.encrypt(withIv, cbc, data);
      results[`cbc ${length}`] = [hex(text), hex(await subtle.decrypt(withIv, cbc, text))];
      const ctr = await secret("aes-ctr", length, AES);
      for (const bits of [1, 4, 8, 64, 128]) {
        const params = { name: "AES-CTR", counter: filled(16, 0xff), length: bits };
        const run = () => subtle.encrypt(params, ctr, data.slice(0, 32));
        results[`ctr ${length} ${bits}`] = hex(await run());
      }
      const kw = await secret("AES-KW", length, ["wrapKey", "unwrapKey"]);
      const wrapped = await subtle.wrapKey("raw", gcm, kw, "AES-KW");
      const unwrapped = await subtle.unwrapKey("raw", wrapped, kw, "AES-KW", "AES-GCM", true, AES);
      results[`kw ${length}`] = [hex(wrapped), hex(await subtle.exportKey("raw", unwrapped))];
      results[`jwk ${length}`] = await subtle.exportKey("jwk", gcm);
      results[`key ${length}`] = describe(ctr);
    }
    return results;
  },

  async aesErrors() {
    const gcm = await secret("AES-GCM", 16, AES);
    const cbc = await secret("AES-CBC", 16, ["encrypt", "decrypt"]);
    const ctr = await secret("AES-CTR", 16, ["encrypt", "decrypt"]);
    const kw = await secret("AES-KW", 16, ["wrapKey", "unwrapKey"]);
    const iv = filled(12);
    const hidden = await subtle.importKey("raw", filled(16), "AES-GCM", false, ["encrypt"]);
    const short = await subtle.importKey(
      "raw",
      filled(3),
      { name: "HMAC", hash: "SHA-1" },
      true,
      SIGN,
    );
    return {
      "no iv": await failure(() => subtle.encrypt({ name: "AES-GCM" }, gcm, data)),
      "empty iv": await failure(() =>
        subtle.encrypt({ name: "AES-GCM", iv: filled(0) }, gcm, data)
      ),
      "iv no bytes": await failure(() =>
        subtle.encrypt({ name: "AES-GCM", iv: "text" }, gcm, data)
      ),
      "tag": await failure(() => subtle.encrypt({ name: "AES-GCM", iv, tagLength: 5 }, gcm, data)),
      "short": await failure(() => subtle.decrypt({ name: "AES-GCM", iv }, gcm, filled(3))),
      "forged": await failure(() => subtle.decrypt({ name: "AES-GCM", iv }, gcm, filled(40))),
      "cbc iv": await failure(() => subtle.encrypt({ name: "AES-CBC", iv }, cbc, data)),
      "cbc padding": await failure(() =>
        subtle.decrypt({ name: "AES-CBC", iv: filled(16) }, cbc, filled(32))
      ),
      "cbc length": await failure(() =>
        subtle.decrypt({ name: "AES-CBC", iv: filled(16) }, cbc, filled(5))
      ),
      "no counter": await failure(() => subtle.encrypt({ name: "AES-CTR", length: 8 }, ctr, data)),
      "no length": await failure(() =>
        subtle.encrypt({ name: "AES-CTR", counter: filled(16) }, ctr, data)
      ),
      "counter": await failure(() =>
        subtle.encrypt({ name: "AES-CTR", counter: filled(4), length: 8 }, ctr, data)
      ),
      "counter bits": await failure(() =>
        subtle.encrypt({ name: "AES-CTR", counter: filled(16), length: 129 }, ctr, data)
      ),
      "counter repeats": await failure(() =>
        subtle.encrypt({ name: "AES-CTR", counter: filled(16), length: 1 }, ctr, data)
      ),
      "other algorithm": await failure(() => subtle.encrypt({ name: "AES-CBC", iv }, gcm, data)),
      "other usage": await failure(() => subtle.decrypt({ name: "AES-GCM", iv }, hidden, data)),
      "not extractable": await failure(() => subtle.exportKey("raw", hidden)),
      "export format": await failure(() => subtle.exportKey("pkcs8", gcm)),
      "no key": await failure(() => subtle.encrypt({ name: "AES-GCM", iv }, {}, data)),
      "key size": await failure(() => secret("AES-GCM", 5, AES)),
      "key usage": await failure(() => secret("AES-GCM", 16, ["sign"])),
      "no usage": await failure(() => secret("AES-GCM", 16, [])),
      "generated size": await failure(() =>
        subtle.generateKey({ name: "AES-GCM", length: 100 }, true, AES)
      ),
      "generated no size": await failure(() => subtle.generateKey("AES-GCM", true, AES)),
      "wrapped size": await failure(() => subtle.wrapKey("raw", short, kw, "AES-KW")),
      "unwrapped": await failure(() =>
        subtle.unwrapKey("raw", filled(24), kw, "AES-KW", "AES-GCM", true, AES)
      ),
      "unwrapped size": await failure(() =>
        subtle.unwrapKey("raw", filled(16), kw, "AES-KW", "AES-GCM", true, AES)
      ),
      "unknown": await failure(() => subtle.importKey("raw", filled(16), "DES", true, AES)),
      "unknown to generate": await failure(() => subtle.generateKey("PBKDF2", true, AES)),
      "format": await failure(() => subtle.importKey("pem", filled(16), "AES-GCM", true, AES)),
      "format for AES": await failure(() =>
        subtle.importKey("spki", filled(16), "AES-GCM", true, AES)
      ),
      "raw as object": await failure(() =>
        subtle.importKey("raw", { kty: "oct" }, "AES-GCM", true, AES)
      ),
      "jwk as bytes": await failure(() =>
        subtle.importKey("jwk", filled(16), "AES-GCM", true, AES)
      ),
      "jwk type": await failure(() =>
        subtle.importKey("jwk", { kty: "RSA" }, "AES-GCM", true, AES)
      ),
      "jwk k": await failure(() => subtle.importKey("jwk", { kty: "oct" }, "AES-GCM", true, AES)),
      "jwk alg": await failure(() =>
        subtle.importKey(
          "jwk",
          { kty: "oct", k: "AAAAAAAAAAAAAAAAAAAAAA", alg: "A256GCM" },
          "AES-GCM",
          true,
          AES,
        )
      ),
      "jwk ext": await failure(() =>
        subtle.importKey(
          "jwk",
          { kty: "oct", k: "AAAAAAAAAAAAAAAAAAAAAA", ext: false },
          "AES-GCM",
          true,
          AES,
        )
      ),
      "jwk use": await failure(() =>
        subtle.importKey(
          "jwk",
          { kty: "oct", k: "AAAAAAAAAAAAAAAAAAAAAA", use: "sig" },
          "AES-GCM",
          true,
          AES,
        )
      ),
      "jwk ops": await failure(() =>
        subtle.importKey(
          "jwk",
          { kty: "oct", k: "AAAAAAAAAAAAAAAAAAAAAA", key_ops: ["encrypt"] },
          "AES-GCM",
          true,
          AES,
        )
      ),
      "construct": await failure(() => new CryptoKey()),
    };
  },

  async hmac() {
    const results = {};
    for (const hash of ["SHA-1", "SHA-256", "SHA-384", { name: "sha-512" }]) {
      const name = hash.name ?? hash;
      const key = await secret("HMAC", 20, SIGN, { hash });
      const signature = await subtle.sign("HMAC", key, data);
      results[name] = hex(signature);
      results[`${name} verified`] = await subtle.verify("HMAC", key, signature, data);
      results[`${name} other`] = await subtle.verify("HMAC", key, signature, filled(3));
      results[`${name} jwk`] = await subtle.exportKey("jwk", key);
      const generated = await subtle.generateKey({ name: "HMAC", hash }, true, SIGN);
      results[`${name} generated`] = describe(generated);
      results[`${name} generated size`] = (await subtle.exportKey("raw", generated)).byteLength;
    }
    const jwk = { kty: "oct", k: "AQIDBA", alg: "HS256" };
    const imported = await subtle.importKey(
      "jwk",
      jwk,
      { name: "HMAC", hash: "SHA-256" },
      false,
      SIGN,
    );
    results.jwk = describe(imported);
    const cut = await secret("HMAC", 4, SIGN, { hash: "SHA-256", length: 29 });
    results.cut = hex(await subtle.exportKey("raw", cut));
    const of = (extra) => failure(() => secret("HMAC", 4, SIGN, extra));
    results["no hash"] = await of({});
    results["unknown hash"] = await of({ hash: "SHA-3" });
    results["length"] = await of({ hash: "SHA-256", length: 8 });
    results["jwk alg"] = await failure(() =>
      subtle.importKey("jwk", jwk, { name: "HMAC", hash: "SHA-1" }, false, SIGN)
    );
    results["generated length"] = await failure(() =>
      subtle.generateKey({ name: "HMAC", hash: "SHA-1", length: 0 }, true, SIGN)
    );
    return results;
  },

  async derive() {
    const results = {};
    const password = await subtle.importKey("raw", encoder.encode("secret"), "PBKDF2", false, [
      "deriveBits",
      "deriveKey",
    ]);
    const base = await subtle.importKey("raw", encoder.encode("secret"), "HKDF", false, [
      "deriveBits",
      "deriveKey",
    ]);
    const salt = filled(8);
    const aes = { name: "AES-GCM", length: 256 };
    for (const hash of ["SHA-1", "SHA-256", "SHA-384", "SHA-512"]) {
      const stretch = { name: "PBKDF2", hash, salt, iterations: 100 };
      results[`PBKDF2 ${hash}`] = hex(await subtle.deriveBits(stretch, password, 256));
      const expand = { name: "HKDF", hash, salt, info: filled(3) };
      results[`HKDF ${hash}`] = hex(await subtle.deriveBits(expand, base, 512));
      const key = await subtle.deriveKey(expand, base, aes, true, ["encrypt"]);
      results[`HKDF key ${hash}`] = [describe(key), hex(await subtle.exportKey("raw", key))];
      const signing = await subtle.deriveKey(stretch, password, { name: "HMAC", hash }, true, SIGN);
      results[`PBKDF2 key ${hash}`] = [
        describe(signing),
        hex(await subtle.exportKey("raw", signing)),
      ];
    }
    const stretch = { name: "PBKDF2", hash: "SHA-256", salt, iterations: 10 };
    const expand = { name: "HKDF", hash: "SHA-256", salt, info: filled(0) };
    const bits = (params, key, length) => failure(() => subtle.deriveBits(params, key, length));
    Object.assign(results, {
      "PBKDF2 null": await bits(stretch, password, null),
      "PBKDF2 bits": await bits(stretch, password, 9),
      "PBKDF2 none": await bits({ ...stretch, iterations: 0 }, password, 8),
      "PBKDF2 many": await bits({ ...stretch, iterations: 100_001 }, password, 8),
      "PBKDF2 no salt": await bits({ name: "PBKDF2", hash: "SHA-1", iterations: 1 }, password, 8),
      "HKDF null": await bits(expand, base, null),
      "HKDF much": await bits(expand, base, 256 * 32 * 8),
      "HKDF no info": await bits({ name: "HKDF", hash: "SHA-1", salt }, base, 8),
      "HKDF zero": hex(await subtle.deriveBits(expand, base, 0)),
      "negative": await bits(expand, base, -1),
      "derived unknown": await failure(() => subtle.deriveKey(expand, base, "ECDSA", true, SIGN)),
      "derived length": await failure(() =>
        subtle.deriveKey(expand, base, { name: "AES-GCM", length: 7 }, true, AES)
      ),
      "derived no length": await failure(() =>
        subtle.deriveKey(expand, base, "AES-GCM", true, AES)
      ),
      "extractable": await failure(() =>
        subtle.importKey("raw", salt, "HKDF", true, ["deriveBits"])
      ),
      "jwk": await failure(() =>
        subtle.importKey("jwk", { kty: "oct" }, "PBKDF2", false, ["deriveBits"])
      ),
    });
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
