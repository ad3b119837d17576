/** A worker of a pool that computes for as long as a message says, and answers with how often it has. */

import { parentPort } from "node:worker_threads";
import { decodeText, encodeText, UnroutableError } from "@leveret/core/client";
import { handleDeliveries } from "@leveret/core/threads";

let handled = 0;

void handleDeliveries(parentPort, async (delivery, channel) => {
  const order = decodeText(delivery.body);
  if (order === "die") process.exit(3);
  const end = performance.now() + Number(order);
  while (performance.now() < end) handled += 0;
  handled += 1;
  const lost = { exchange: "", routingKey: "leveret.nowhere", body: new Uint8Array(1), mandatory: true };
  const failure = await channel.basicPublish(lost).catch((error: unknown) => error);
  const verdict = failure instanceof UnroutableError ? failure.code : String(failure);
  const body = encodeText(`${order} ${verdict}`);
  await channel.basicPublish({ exchange: "", routingKey: delivery.properties.replyTo ?? "", body });
});
