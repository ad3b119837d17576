/** Values of tables, on their way to the server and back. */

import { Decimal, type FieldTable, type FieldValue, TypedValue } from "@leveret/core/client";
import type { ConformanceCase } from "./case.ts";
import { fails, same } from "./expect.ts";
import { bytes, type Scene } from "./scene.ts";

/** What is sent, and what it comes back as where that is something else. */
const values: Readonly<Record<string, readonly [FieldValue, FieldValue?]>> = {
  "an empty text": [""],
  "a text of the world": ["Häschen 兎 🐇"],
  true: [true],
  false: [false],
  zero: [0],
  "small integers": [[1, -1, 127, -128, 128, 255, -32_768, 65_535]],
  "large integers": [[2 ** 31 - 1, -(2 ** 31), 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]],
  "integers beyond what a number holds": [[2n ** 62n, -(2n ** 63n)]],
  "a bigint that a number holds": [5n, 5],
  fractions: [[0.5, -123_456.789, 1e-300, Number.MIN_VALUE]],
  "a date, to the second": [new Date(1_700_000_000_999), new Date(1_700_000_000_000)],
  bytes: [Uint8Array.of(0, 255, 128, 10)],
  null: [null],
  "a decimal": [new Decimal(2, 12_345)],
  "an empty table": [{}],
  "an empty array": [[]],
  "tables in arrays in tables": [{ a: [{ b: [{ c: ["deep"] }] }] }],
  "mixed arrays": [[1, "two", true, null, [3.5], { four: 4 }]],
  "typed integers": [
    [
      new TypedValue("int8", -5),
      new TypedValue("uint8", 200),
      new TypedValue("int16", -300),
      new TypedValue("uint16", 60_000),
      new TypedValue("int32", -70_000),
      new TypedValue("uint32", 4_000_000_000),
      new TypedValue("int64", 7),
    ],
    [-5, 200, -300, 60_000, -70_000, 4_000_000_000, 7],
  ],
  "a float": [new TypedValue("float", 1.5), 1.5],
  "a double that is an integer": [new TypedValue("double", 3), 3],
};

export const valueCases: readonly ConformanceCase[] = [
  ...Object.entries(values).map(
    ([what, [sent, received = sent]]): ConformanceCase => ({
      name: `${what} in a header comes back`,
      async run(scene) {
        same(await roundTrip(scene, { value: sent }), { value: received }, "the headers");
      },
    }),
  ),
  {
    name: "many headers, and names of any characters, come back",
    async run(scene) {
      const headers: Record<string, FieldValue> = {};
      for (let i = 0; i < 300; i += 1) headers[`header ${i} 兎`] = i;
      same(await roundTrip(scene, headers), headers, "the headers");
    },
  },
  {
    name: "a header of a hundred thousand bytes comes back",
    async run(scene) {
      const headers = { long: "x".repeat(100_000) };
      same(await roundTrip(scene, headers), headers, "the headers");
    },
  },
  {
    name: "arguments of queues, bindings and consumers may hold any value",
    async run(scene) {
      const { channel } = await scene.open();
      const given = { "leveret-text": "a", "leveret-list": [1, { two: true }], "leveret-date": new Date(0) };
      const queue = await scene.queue(channel, { arguments: given });
      const binding = { queue, exchange: "amq.headers", arguments: { "x-match": "all", ...given } } as const;
      await channel.queueBind(binding);
      await channel.basicConsume({ queue, arguments: given }, () => {});
      await channel.confirmSelect();
      const message = { exchange: "amq.headers", routingKey: "", mandatory: true, body: bytes("") };
      const publish = () => channel.basicPublish({ ...message, properties: { headers: given } });
      // It gets there where all values are those of the binding.
      await publish();
      await channel.queueUnbind(binding);
      await fails(publish(), { name: "UnroutableError" }, "publishing when nothing is bound");
    },
  },
];

async function roundTrip(scene: Scene, headers: FieldTable): Promise<FieldTable | undefined> {
  const { channel } = await scene.open();
  const queue = await scene.queue(channel);
  await channel.basicPublish({ exchange: "", routingKey: queue, properties: { headers }, body: bytes("") });
  return (await channel.basicGet({ queue, noAck: true }))?.properties.headers;
}
