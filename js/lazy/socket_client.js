// new WebSocket(url): the request for a socket, sent where the global fetch() goes.

(() => {
  const { core, internals, primordials } = __bootstrap;
  const {
    ArrayIsArray, ArrayPrototypeJoin, Error, PromisePrototypeThen, StringPrototypeSlice, TypeError,
  } = primordials;
  const { fetch } = internals.runtime;
  const { AbortController } = internals.nodeParts.load("03_abort_signal.js");

  /**
   * @param {string} url Begins with "ws".
   * @param {string | string[] | undefined} protocols They were checked.
   * @param {(made: {socket: WebSocket, protocol: string | null}) => void} opened
   * @param {(error: unknown) => void} refused
   * @returns {() => void} Gives it up.
   */
  function connect(url, protocols, opened, refused) {
    const headers = { __proto__: null, Upgrade: "websocket" };
    const chosen = ArrayIsArray(protocols) ? ArrayPrototypeJoin(protocols, ", ") : protocols;
    if (chosen !== undefined && chosen !== "") headers["Sec-WebSocket-Protocol"] = `${chosen}`;
    const controller = new AbortController();
    const answer = fetch(`http${StringPrototypeSlice(url, 2)}`, {
      __proto__: null, headers, redirect: "manual", signal: controller.signal,
    });
    PromisePrototypeThen(PromisePrototypeThen(answer, socketOf), opened, refused);
    return () => controller.abort(new Error("Network connection lost."));
  }

  function socketOf(response) {
    if (response.status !== 101) {
      throw new TypeError(
        "Failed to establish the WebSocket connection: expected server to reply with HTTP " +
          `status code 101 (switching protocols), but received ${response.status} instead.`,
      );
    }
    const protocol = response.headers.get("sec-websocket-protocol");
    return { socket: response.webSocket, protocol };
  }

  return { connect };
})();
