// A JSON body that is parsed and sent back.

export default {
  async fetch(request) {
    return Response.json(await request.json());
  },
};
