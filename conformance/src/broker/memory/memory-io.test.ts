import { connect } from "@leveret/core/client";
import { nodeIo } from "@leveret/node";
import { describe, expect, it } from "vitest";
import { Broker } from "../broker.ts";
import { memoryIo } from "./memory-io.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (body: Uint8Array): string => new TextDecoder().decode(body);

describe("the client on a broker in memory", () => {
  it("publishes, confirms and consumes", async () => {
    const io = memoryIo(new Broker(), nodeIo());
    const connection = await connect(io, "amqp://127.0.0.1");
    const channel = await connection.openChannel();
    await channel.queueDeclare({ queue: "q", durable: true });
    await channel.confirmSelect();
    const sent = Array.from({ length: 50 }, (_each, index) => `message ${index}`);
    await Promise.all(sent.map((body) => channel.basicPublish({ exchange: "", routingKey: "q", body: bytes(body) })));
    expect(io.broker.queue("q")?.messageCount).toBe(50);
    const received: string[] = [];
    const consumer = await channel.basicConsume({ queue: "q" }, (delivery) => received.push(text(delivery.body)));
    await expect.poll(() => received).toEqual(sent);
    await expect.poll(() => io.broker.queue("q")?.unsettledCount).toBe(0);
    await consumer.cancel();
    await connection.close();
    expect(io.broker.connections).toEqual([]);
    io.close();
  });

  it("sees what a test does to the broker", async () => {
    const io = memoryIo(new Broker(), nodeIo());
    const connection = await connect(io, { uri: "amqp://127.0.0.1", recovery: false });
    io.broker.closeConnections("maintenance");
    io.flush();
    const reason = await connection.closed;
    expect(reason).toMatchObject({ replyCode: 320, replyText: "CONNECTION_FORCED - maintenance" });
    io.close();
  });

  it("is refused by what it says, not by what it lacks", async () => {
    const io = memoryIo(new Broker(), nodeIo());
    await expect(connect(io, "amqp://guest:wrong@127.0.0.1")).rejects.toMatchObject({
      code: "AUTHENTICATION_FAILED",
    });
    await expect(connect(io, "amqps://127.0.0.1")).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
    io.close();
  });
});
