// The server that the worker of this folder fetches from: bodies as they would come compressed.

const TEXT = "some text, some more text, and some text again";
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const GZIP = bytes("H4sIAAAAAAACAyvOz01VKEmtKNFRKAYxc/OLYPzEvBSIGIirkJiemJkHANpSxsMuAAAA");
const BROTLI = bytes("FS0AAMRtbF353RPkNKEa9SKenDKQDigrc2sRx78AyuPKLiRgAg==");

const bodies = {
  "/plain": [TEXT, undefined],
  "/gzip": [GZIP, "gzip"],
  "/br": [BROTLI, "br"],
  "/deflate": ["not decoded", "deflate"],
  "/upper": ["not decoded either", "GZIP"],
  "/list": ["nor a list", "gzip, br"],
  "/broken": ["no gzip at all", "gzip"],
  "/cut": [GZIP.slice(0, 30), "gzip"],
  "/cut-br": [BROTLI.slice(0, 20), "br"],
  "/empty": ["", "gzip"],
};

export default {
  fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/asked") {
      return Response.json([request.headers.get("accept-encoding")]);
    }
    const [body, encoding] = bodies[pathname] ?? ["", undefined];
    const headers = encoding === undefined ? {} : { "content-encoding": encoding };
    return new Response(body, { headers, encodeBody: "manual" });
  },
};
