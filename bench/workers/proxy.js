// Hands on what it fetches, with a header of its own: the body is not looked at.

export default {
  async fetch(request) {
    const answer = await fetch(new URL(request.url).searchParams.get("from"));
    const response = new Response(answer.body, answer);
    response.headers.set("x-proxied", "yes");
    return response;
  },
};
