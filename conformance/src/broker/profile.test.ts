import { frameType } from "@leveret/core/wire";
import { describe, expect, it } from "vitest";
import { Broker } from "./broker.ts";
import type { ProfileName } from "./profile.ts";
import { type TestClient, World } from "./testing/client.ts";

const versions: readonly ProfileName[] = ["3.10", "4.0", "4.3"];

/** What a client of each version hears after it has done something. */
function heardBy(act: (client: TestClient, world: World) => void): string[] {
  return versions.map((profile) => {
    const world = new World(new Broker({ profile }));
    const client = world.client();
    act(client, world);
    const heard = client.heard();
    return (heard.at(-1) ?? "nothing").slice(0, 80);
  });
}

function frame(type: number, payload: readonly number[]): Uint8Array {
  return Uint8Array.of(type, 0, 1, 0, 0, 0, payload.length, ...payload, 0xce);
}

/** `basic.publish` to the exchange "" and the key "q". */
const publish = [0, 60, 0, 40, 0, 0, 0, 1, 0x71, 0];
const headerOf = (size: readonly number[]): readonly number[] => [0, 60, 0, 0, ...size, 0, 0];

describe("versions differ in", () => {
  it("queues that are neither durable nor exclusive", () => {
    expect(heardBy((client) => client.send(1, "queue.declare", { queue: "q" }))).toEqual([
      '1 queue.declare-ok queue="q" messageCount=0 consumerCount=0',
      '1 queue.declare-ok queue="q" messageCount=0 consumerCount=0',
      expect.stringMatching(/^0 connection.close 541 "INTERNAL_ERROR - Feature/),
    ]);
  });

  it("bodies that are longer than announced", () => {
    const heard = heardBy((client) => {
      client.bytes(frame(frameType.method, publish));
      client.bytes(frame(frameType.header, headerOf([0, 0, 0, 0, 0, 0, 0, 1])));
      client.bytes(frame(frameType.body, [1, 2]));
    });
    expect(heard).toEqual(["nothing", "nothing", expect.stringMatching(/501 "FRAME_ERROR - content body frame/)]);
  });

  it("bodies that are announced too large", () => {
    const heard = heardBy((client) => {
      client.bytes(frame(frameType.method, publish));
      client.bytes(frame(frameType.header, headerOf([0, 0, 0, 0, 0x20, 0, 0, 1])));
    });
    expect(heard).toEqual([
      "nothing",
      "nothing",
      expect.stringMatching(/501 "FRAME_ERROR - content body size 536870913/),
    ]);
  });

  it("the answer to a client's cancel-ok", () => {
    const heard = heardBy((client) => client.send(1, "basic.cancel-ok", { consumerTag: "t" }));
    expect(heard.map((line) => line.slice(0, 22))).toEqual([
      "0 connection.close 503",
      "0 connection.close 503",
      "0 connection.close 541",
    ]);
  });

  it("mandatory replies", () => {
    const heard = heardBy((client, world) => {
      client.send(1, "basic.consume", { queue: "amq.rabbitmq.reply-to", consumerTag: "r", noAck: true });
      client.publish("amq.rabbitmq.reply-to.nobody", ["x"], { mandatory: true });
      expect(world.broker.connections).toHaveLength(1);
    });
    expect(heard.map((line) => line.split(" ")[1])).toEqual(["basic.return", "basic.return", "basic.consume-ok"]);
  });

  it("topic bindings with many hashes", () => {
    const heard = heardBy((client) => {
      client.send(1, "queue.declare", { queue: "q", exclusive: true });
      client.send(1, "queue.bind", { queue: "q", exchange: "amq.topic", routingKey: "#.a.#.b.#" });
    });
    expect(heard).toEqual(["1 queue.bind-ok", "1 queue.bind-ok", expect.stringMatching(/^1 channel.close 406/)]);
  });

  it("bindings of direct reply-to names", () => {
    const heard = heardBy((client) =>
      client.send(1, "queue.bind", { queue: "amq.rabbitmq.reply-to", exchange: "amq.direct", routingKey: "k" }),
    );
    expect(heard.map((line) => line.slice(0, 19))).toEqual([
      "1 channel.close 404",
      "1 channel.close 404",
      "1 channel.close 403",
    ]);
  });

  it("the smallest frames that they accept", () => {
    const phases = versions.map((profile) => {
      const world = new World(new Broker({ profile }));
      const client = world.stranger();
      client.login({ frameMax: 4096 });
      return client.connection.phase;
    });
    expect(phases).toEqual(["running", "running", "over"]);
  });

  it("what a quorum queue counts as a failed delivery", () => {
    const counts = versions.map((profile) => {
      const world = new World(new Broker({ profile }));
      const client = world.client();
      client.send(1, "queue.declare", { queue: "q", durable: true, arguments: { "x-queue-type": "quorum" } });
      client.publish("q", ["x"]);
      client.send(1, "basic.get", { queue: "q" });
      client.send(1, "basic.nack", { deliveryTag: 1, requeue: true });
      client.send(1, "basic.get", { queue: "q" });
      client.send(1, "basic.reject", { deliveryTag: 2, requeue: true });
      client.send(1, "basic.get", { queue: "q", noAck: true });
      return /\{"headers".*\}\}/.exec(client.heard().at(-1) ?? "")?.[0];
    });
    expect(counts).toEqual([
      '{"headers":{"x-delivery-count":2}}',
      '{"headers":{"x-delivery-count":2}}',
      '{"headers":{"x-acquired-count":2,"x-delivery-count":1}}',
    ]);
  });

  it("the protocol header that answers a stranger's", () => {
    const headers = versions.map((profile) => {
      const client = new World(new Broker({ profile })).stranger();
      client.bytes(new TextEncoder().encode("GET / HTTP"));
      return [...(client.connection.takeOutput()[0] ?? [])].slice(4).join("-");
    });
    expect(headers).toEqual(["0-0-9-1", "3-1-0-0", "3-1-0-0"]);
  });
});
