import { expect, it } from "vitest";
import type { DeliverItem } from "../threads/protocol.ts";
import { BlockingConsumerDelivery } from "./blocking-delivery.ts";
import { Intake } from "./intake.ts";

function delivery(tag: number, noAck: boolean): BlockingConsumerDelivery {
  const item: DeliverItem = {
    type: "deliver",
    lane: 1,
    consumer: 1,
    consumerTag: "c",
    tag,
    exchange: "",
    routingKey: "q",
    redelivered: false,
    channel: 1,
    noAck,
    properties: new Uint8Array(2),
    body: new Uint8Array(1),
  };
  const settler = {
    isClosed: false,
    isStale: () => false,
    isOutstanding: () => !noAck,
    settle: () => "settled" as const,
  };
  return new BlockingConsumerDelivery(item, settler);
}

it("keeps what needs no acknowledgement when its channel is closed: nobody delivers it again", () => {
  const intake = new Intake("q", true, () => {});
  intake.push(delivery(1, true));
  intake.push(delivery(2, false));
  intake.push(delivery(3, true));
  intake.channelClosed();
  expect(intake.isOver).toBe(true);
  expect([intake.shift(), intake.shift(), intake.shift()].map((one) => one?.deliveryTag)).toEqual([1, 3, undefined]);
});
