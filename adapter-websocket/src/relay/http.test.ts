import { describe, expect, it, onTestFinished } from "vitest";
import { listen, makeServer, stopListening } from "./http.ts";

const anywhere = { host: "127.0.0.1", port: 0 };

describe("a server", () => {
  it("goes on when a connection cannot be taken, and says so", async () => {
    const server = makeServer(undefined);
    onTestFinished(() => stopListening(server));
    const failures: unknown[] = [];
    const { port } = await listen(server, anywhere, (error) => failures.push(error));
    const error = Object.assign(new Error("accept EMFILE"), { code: "EMFILE" });
    server.emit("error", error);
    expect(failures).toEqual([error]);
    server.on("request", (_, response) => response.end("there"));
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("there");
  });

  it("that cannot listen says so once", async () => {
    const first = makeServer(undefined);
    onTestFinished(() => stopListening(first));
    const failures: unknown[] = [];
    const taken = await listen(first, anywhere, (error) => failures.push(error));
    await expect(listen(makeServer(undefined), taken, (error) => failures.push(error))).rejects.toThrow("EADDRINUSE");
    expect(failures).toEqual([]);
  });
});
