// jose: tokens that are signed and encrypted with every kind of key.

import * as jose from "jose";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const secret = encoder.encode("a secret of 32 bytes for a test.");

async function failure(run) {
  try {
    await run();
    return "no error";
  } catch (error) {
    return `${error.code}: ${error.message}`;
  }
}

async function signed(alg) {
  const symmetric = alg.startsWith("HS");
  const pair = symmetric ? null : await jose.generateKeyPair(alg, { extractable: true });
  const size = Number(alg.slice(2)) / 8;
  const key = symmetric ? new Uint8Array(size).fill(7) : pair.privateKey;
  const token = await new jose.SignJWT({ role: "admin" })
    .setProtectedHeader({ alg })
    .setIssuer("beryl").setAudience("test").setSubject("me").setIssuedAt(1).setExpirationTime(
      4_000_000_000,
    )
    .sign(key, {});
  const expected = { issuer: "beryl", audience: "test", currentDate: new Date(1000) };
  const verifying = symmetric ? key : pair.publicKey;
  const { payload, protectedHeader } = await jose.jwtVerify(token, verifying, expected);
  const [head, body, signature] = token.split(".");
  const forged = [
    head,
    body,
    signature.startsWith("AA") ? `BB${signature.slice(2)}` : `AA${signature.slice(2)}`,
  ].join(".");
  const results = {
    payload,
    protectedHeader,
    token: symmetric ? token : undefined,
    forged: await failure(() => jose.jwtVerify(forged, verifying, expected)),
    expired: await failure(() =>
      jose.jwtVerify(token, verifying, { currentDate: new Date("2100-01-01") })
    ),
    audience: await failure(() =>
      jose.jwtVerify(token, verifying, { audience: "other", currentDate: new Date(1000) })
    ),
  };
  if (pair !== null) {
    const spki = await jose.exportSPKI(pair.publicKey);
    const pkcs8 = await jose.exportPKCS8(pair.privateKey);
    const jwk = await jose.exportJWK(pair.publicKey);
    const again = await jose.importPKCS8(pkcs8, alg);
    const other = await new jose.CompactSign(encoder.encode("x")).setProtectedHeader({ alg }).sign(
      again,
    );
    const checked = await jose.compactVerify(other, await jose.importSPKI(spki, alg));
    const set = jose.createLocalJWKSet({ keys: [{ ...jwk, kid: "1", alg, use: "sig" }] });
    results.formats = [decoder.decode(checked.plaintext ?? checked.payload), jwk.kty, jwk.crv];
    results.set = (await jose.jwtVerify(token, set, expected)).payload.sub;
    results.thumbprint = (await jose.calculateJwkThumbprint(jwk)).length;
  }
  return results;
}

async function encrypted(alg, enc) {
  const lengths = { A128KW: 16, A192KW: 24, A256KW: 32, A128GCMKW: 16, A256GCMKW: 32 };
  let pair;
  if (alg === "dir") pair = { publicKey: await jose.generateSecret(enc) };
  else if (alg.startsWith("PBES2")) pair = { publicKey: encoder.encode("password") };
  else if (lengths[alg]) pair = { publicKey: new Uint8Array(lengths[alg]).fill(9) };
  else pair = await jose.generateKeyPair(alg, { extractable: true });
  const token = await new jose.EncryptJWT({ text: "hidden" }).setProtectedHeader({ alg, enc })
    .encrypt(pair.publicKey);
  const key = pair.privateKey ?? pair.publicKey;
  const options = {
    keyManagementAlgorithms: [alg],
    contentEncryptionAlgorithms: [enc],
    maxPBES2Count: 10_000,
  };
  const { payload } = await jose.jwtDecrypt(token, key, options);
  const parts = token.split(".");
  parts[4] = parts[4].startsWith("A") ? `B${parts[4].slice(1)}` : `A${parts[4].slice(1)}`;
  return [
    payload,
    parts.length,
    await failure(() => jose.jwtDecrypt(parts.join("."), key, options)),
  ];
}

const tests = {
  async sign() {
    const results = {};
    const algorithms = [
      "HS256",
      "HS384",
      "HS512",
      "RS256",
      "RS384",
      "RS512",
      "PS256",
      "PS384",
      "PS512",
      "ES256",
      "ES384",
      "ES512",
      "EdDSA",
      "Ed25519",
    ];
    for (const alg of algorithms) results[alg] = await signed(alg).catch(String);
    return results;
  },

  async encrypt() {
    const results = {};
    const pairs = [
      ["dir", "A128GCM"],
      ["dir", "A192GCM"],
      ["dir", "A256GCM"],
      ["dir", "A128CBC-HS256"],
      ["dir", "A192CBC-HS384"],
      ["dir", "A256CBC-HS512"],
      ["A128KW", "A128GCM"],
      ["A192KW", "A128GCM"],
      ["A256KW", "A256CBC-HS512"],
      ["A128GCMKW", "A128GCM"],
      ["A256GCMKW", "A256GCM"],
      ["RSA-OAEP", "A256GCM"],
      ["RSA-OAEP-256", "A256GCM"],
      ["RSA-OAEP-512", "A128CBC-HS256"],
      ["ECDH-ES", "A256GCM"],
      ["ECDH-ES+A128KW", "A128GCM"],
      ["ECDH-ES+A256KW", "A256GCM"],
      ["PBES2-HS256+A128KW", "A128GCM"],
      ["PBES2-HS512+A256KW", "A256GCM"],
    ];
    for (const [alg, enc] of pairs) {
      results[`${alg} ${enc}`] = await encrypted(alg, enc).catch(String);
    }
    return results;
  },

  async known() {
    const token = await new jose.SignJWT({ a: 1 }).setProtectedHeader({ alg: "HS256" }).sign(
      secret,
    );
    return {
      token,
      decoded: [jose.decodeJwt(token), jose.decodeProtectedHeader(token)],
      malformed: await failure(() => jose.jwtVerify("a.b", secret)),
      algorithm: await failure(() => jose.jwtVerify(token, secret, { algorithms: ["RS256"] })),
      unsecured: jose.UnsecuredJWT.decode(new jose.UnsecuredJWT({ b: 2 }).encode()).payload,
      base64: jose.base64url.encode("bytes"),
    };
  },
};

export default {
  async fetch(request) {
    const test = tests[new URL(request.url).pathname.slice(1)];
    if (test === undefined) return new Response("no such path", { status: 404 });
    return Response.json(await test());
  },
};
