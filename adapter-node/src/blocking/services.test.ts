import { BlockingConnection } from "@leveret/core/blocking";
import { expect, it } from "vitest";
import { nodeBlocking } from "./services.ts";

it("says at once that a bundle lacks the program of the worker", () => {
  const missing = new URL("no-such-worker.js", import.meta.url);
  const connecting = () => new BlockingConnection(nodeBlocking(missing), "amqp://127.0.0.1:1");
  expect(connecting).toThrow(
    expect.objectContaining({
      name: "ThreadError",
      code: "WORKER_LOST",
      outcome: "not-sent",
      message: expect.stringContaining(missing.href),
    }),
  );
});
