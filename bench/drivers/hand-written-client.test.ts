import { decodeProperties } from "@leveret/core/wire";
import { expect, test } from "vitest";
import { richProperties } from "../messages.ts";
import { type Properties, putProperties } from "./hand-written-client.ts";

test.each<[string, Properties | undefined, object]>([
  ["none", undefined, {}],
  ["a call's", { correlationId: "17", replyTo: "answers" }, { correlationId: "17", replyTo: "answers" }],
  ["all that the benchmark sends", richProperties, { ...richProperties, timestamp: new Date(1_700_000_000_000) }],
])("properties are encoded as others decode them: %s", (_, properties, decoded) => {
  const out = Buffer.alloc(512, 0xff);
  const end = putProperties(out, 3, properties);
  expect(decodeProperties(out.subarray(3, end))).toEqual(decoded);
});
