import { expect, it } from "vitest";
import { Outstanding } from "./lent-message.ts";
import type { DeliverItem } from "./protocol.ts";
import { type DeliveryLane, WorkerConsumerDelivery } from "./worker-delivery.ts";

/** Makes deliveries of a lane whose settlements nobody takes. */
function lane(): { readonly outstanding: Outstanding; deliver(tag: number, noAck?: boolean): WorkerConsumerDelivery } {
  const outstanding = new Outstanding();
  const guest = { ask: () => Promise.resolve("settled") } as unknown as DeliveryLane["guest"];
  const deliver = (tag: number, noAck = false): WorkerConsumerDelivery => {
    const item: DeliverItem = {
      ...{ type: "deliver", lane: 1, consumer: 1, consumerTag: "c", tag, exchange: "", routingKey: "q" },
      ...{ redelivered: false, channel: 1, noAck, properties: new Uint8Array(2), body: new Uint8Array(1) },
    };
    return new WorkerConsumerDelivery(item, { guest, lane: 1, outstanding, allowsMultiple: true });
  };
  return { outstanding, deliver };
}

it("a delivery that was lost with its connection is stale, whether it was settled before or not, as in the client", async () => {
  const { outstanding, deliver } = lane();
  const settled = deliver(1);
  const unsettled = deliver(2);
  expect(await settled.ack()).toBe("settled");
  expect(() => settled.ack()).toThrow(expect.objectContaining({ code: "ALREADY_SETTLED" }));
  outstanding.lose();
  expect([await settled.ack(), await unsettled.nack()]).toEqual(["stale", "stale"]);
  const next = deliver(3);
  expect([unsettled.outstanding, next.outstanding, outstanding.count]).toEqual([false, true, 1]);
  expect(await next.ack()).toBe("settled");
});

it("a delivery that needs no settling is settled, also when its connection is lost", () => {
  const { outstanding, deliver } = lane();
  const delivery = deliver(1, true);
  outstanding.lose();
  expect(() => delivery.ack()).toThrow(expect.objectContaining({ code: "ALREADY_SETTLED" }));
});
