import { expect, it } from "vitest";
import { openBatch, Outbox } from "./outbox.ts";
import type { Batch, BodyItem } from "./protocol.ts";

interface Named extends BodyItem {
  readonly name: string;
}

it("keeps bodies apart, also from one whose memory has gone elsewhere before the batch leaves", () => {
  const taken: [string, number[]][] = [];
  const postMessage = (batch: unknown): void =>
    openBatch(batch as Batch<Named>, ({ name, body }) => taken.push([name, [...(body as Uint8Array)]]));
  const outbox = new Outbox<Named>({ postMessage });
  const gone = new Uint8Array([4, 5]);
  outbox.postWithBody({ name: "a", body: 0 }, new Uint8Array([1, 2, 3]), false);
  outbox.postWithBody({ name: "b", body: 0 }, gone, false);
  outbox.postWithBody({ name: "c", body: 0 }, new Uint8Array([6, 7]), false);
  structuredClone(gone, { transfer: [gone.buffer] });
  outbox.flush();
  expect(taken).toEqual([
    ["a", [1, 2, 3]],
    ["b", [0, 0]],
    ["c", [6, 7]],
  ]);
});
