// G11: an answer that says how it is framed is not believed.
// expect: answers whole
export default () =>
  new Response("whole", {
    headers: { "content-length": "2", "transfer-encoding": "chunked", connection: "upgrade" },
  });
