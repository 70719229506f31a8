// A WebSocket class for clients that run in the worker itself: it connects through a stub.

/** @param {{fetch: Function}} target Where `new` on the class connects to. */
export function socketClass(target) {
  return class extends EventTarget {
    static CONNECTING = 0;
    static OPEN = 1;
    static CLOSING = 2;
    static CLOSED = 3;
    CONNECTING = 0;
    OPEN = 1;
    CLOSING = 2;
    CLOSED = 3;
    readyState = 0;
    binaryType = "blob";
    bufferedAmount = 0;
    extensions = "";
    protocol = "";
    #socket = null;

    constructor(url) {
      super();
      this.url = String(url);
      this.#open().catch((error) => {
        this.#tell(new ErrorEvent("error", { error, message: error.message }));
        this.#end(1006, error.message);
      });
    }

    send(data) {
      this.#socket.send(data);
    }

    close(code, reason) {
      this.readyState = 2;
      this.#socket?.close(code, reason);
    }

    async #open() {
      const url = this.url.replace(/^ws/, "http");
      const response = await target.fetch(url, { headers: { upgrade: "websocket" } });
      const socket = response.webSocket;
      if (!socket) throw new Error(`status ${response.status}`);
      this.#socket = socket;
      socket.binaryType = "arraybuffer";
      socket.accept();
      socket.addEventListener(
        "message",
        ({ data }) => this.#tell(new MessageEvent("message", { data })),
      );
      socket.addEventListener("close", ({ code, reason }) => {
        // As a browser does by itself.
        if (code !== 1006) socket.close(code, reason);
        this.#end(code, reason);
      });
      this.readyState = 1;
      this.#tell(new Event("open"));
    }

    #end(code, reason) {
      if (this.readyState === 3) return;
      this.readyState = 3;
      this.#tell(new CloseEvent("close", { code, reason, wasClean: code !== 1006 }));
    }

    #tell(event) {
      this.dispatchEvent(event);
      this[`on${event.type}`]?.(event);
    }
  };
}
