/** What becomes of channels: those that were open when the connection was lost, and those that the server closes. */

import { describe, expect, it } from "vitest";
import { bytes, errorOf, failure, settled } from "./testing/fixture.ts";
import { declared, firstDelay, recovering, recoveringChannel } from "./testing/recovering.ts";

describe("channels", () => {
  it("that are being opened are opened after recovery", async () => {
    const { io, connection, cut, comeBack } = await recovering({}, (server, number) => {
      if (number === 0) server.on("channel.open");
    });
    const opening = connection.openChannel();
    await io.settle();
    await cut();
    const later = connection.openChannel();
    await comeBack();
    expect((await settled(io, opening)).state).toBe("open");
    expect((await settled(io, later)).number).toBe(2);
  });

  it("that are closed while down are not opened again", async () => {
    const { io, connection, channel, cut, comeBack, server } = await recoveringChannel();
    await settled(
      io,
      channel.basicConsume({ queue: "q" }, () => {}),
    );
    await cut();
    await settled(io, channel.close());
    expect(channel.state).toBe("closed");
    expect([connection.recordedCount, connection.channelCount]).toEqual([0, 0]);
    await comeBack();
    expect(server().log).toEqual([]);
    expect((await settled(io, connection.openChannel())).number).toBe(1);
  });

  it("that the server has closed keep their numbers until they are reopened", async () => {
    const { io, connection, server } = await recovering();
    const publisher = await settled(io, connection.openPublisher());
    server().closeChannel(1, 406, "PRECONDITION_FAILED");
    await io.settle();
    expect(publisher.state).toBe("recovering");
    expect(await failure(io, connection.openChannel({ number: 1 }))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect((await settled(io, connection.openChannel())).number).toBe(2);
    await io.advance(firstDelay);
    expect(publisher.state).toBe("open");
    await settled(io, connection.close());
    expect(await publisher.closed).toBeUndefined();
  });

  it("whose close was sent are closed by the loss", async () => {
    const { io, channel, cut, comeBack, server } = await recoveringChannel({}, (prepared) =>
      prepared.on("channel.close"),
    );
    const closing = channel.close();
    await io.settle();
    await cut();
    await settled(io, closing);
    await comeBack();
    expect(server().log).toEqual([]);
  });

  it("keep their numbers, and those with too high a number end", async () => {
    const { io, connection, cut, comeBack, server } = await recovering({}, (prepared, number) => {
      if (number === 1) prepared.tune = { ...prepared.tune, channelMax: 5 };
    });
    const five = await settled(io, connection.openChannel({ number: 5 }));
    const seven = await settled(io, connection.openChannel({ number: 7 }));
    await cut();
    await comeBack();
    expect(server().log).toEqual(["5 channel.open"]);
    expect(five.state).toBe("open");
    expect(await seven.closed).toMatchObject({ code: "CHANNEL_LIMIT" });
  });
});

describe("a channel that the server closes", () => {
  it("in the same breath as it is restored, is reopened", async () => {
    const { io, connection, cut, comeBack, server } = await recovering({}, (prepared, number) => {
      if (number !== 1) return;
      prepared.on("basic.consume", ({ channel: on }) => {
        prepared.on("basic.consume", () => prepared.method(on, "basic.consume-ok", { consumerTag: "c" }));
        prepared.together((answer) => {
          answer.method(on, "basic.consume-ok", { consumerTag: "c" });
          answer.method(on, "channel.close", { replyCode: 406, replyText: "", classId: 0, methodId: 0 });
        });
      });
    });
    const handled: string[] = [];
    const take = ({ consumerTag }: { readonly consumerTag: string }): void => void handled.push(consumerTag);
    await settled(io, connection.openConsumer({ queue: "q", consumerTag: "c" }, take));
    await cut();
    await comeBack();
    await io.advance(firstDelay);
    expect(server().sentOf("basic.consume")).toHaveLength(2);
    server().deliver(1, "c", ["m"]);
    await io.settle();
    expect(handled).toEqual(["c"]);
  });

  it("is dead when it is the application's, and leaves what it declared", async () => {
    const { io, connection, channel, cut, comeBack, server } = await recoveringChannel();
    await settled(io, channel.queueDeclare({ queue: "q" }));
    await settled(
      io,
      channel.basicConsume({ queue: "q" }, () => {}),
    );
    server().closeChannel(1, 406, "PRECONDITION_FAILED");
    await io.settle();
    expect(channel.state).toBe("closed");
    expect(connection.recordedCount).toBe(1);
    await cut();
    await comeBack();
    expect(declared(server())).toEqual(["queue.declare q"]);
    expect(server().sentOf("channel.open")).toHaveLength(1);
  });

  it("is opened again for a publisher, and only the guilty message fails", async () => {
    const { io, connection, server } = await recovering();
    const publisher = await settled(io, connection.openPublisher());
    const guilty = errorOf(publisher.publish(bytes("guilty"), { exchange: "missing" }));
    await io.settle();
    server().closeChannel(1, 404, "NOT_FOUND - no exchange 'missing'", "basic.publish");
    await io.settle();
    expect(await guilty).toMatchObject({ code: "CHANNEL_CLOSED_BY_SERVER", replyCode: 404, outcome: "refused" });
    expect(publisher.state).toBe("recovering");
    const next = publisher.publish(bytes("next"));
    await io.advance(firstDelay);
    expect(publisher.state).toBe("open");
    server().confirm(1, 1);
    await settled(io, next);
    expect(connection.state).toBe("open");
  });

  it("is opened again and again for a publisher with longer and longer waits", async () => {
    const { io, connection, server } = await recovering();
    const publisher = await settled(io, connection.openPublisher());
    server().on("basic.publish", ({ channel }) => server().closeChannel(channel, 404, "NOT_FOUND", "basic.publish"));
    let failed = 0;
    const stop = io.now() + 600_000;
    while (io.now() < stop) {
      await errorOf(
        Promise.race([publisher.publish(bytes("m")), io.advance(30_000).then(() => Promise.reject(new Error()))]),
      );
      failed += 1;
    }
    expect(failed).toBeLessThan(60);
    expect(server().sentOf("channel.open").length).toBeLessThan(40);
  });

  it("is opened again for a consumer that was too slow, and its number is nobody else's meanwhile", async () => {
    const { io, connection, server } = await recovering();
    const consumer = await settled(
      io,
      connection.openConsumer({ queue: "q", consumerTag: "c" }, () => {}),
    );
    server().closeChannel(1, 406, "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out");
    await io.settle();
    expect((await settled(io, connection.openChannel())).number).toBe(2);
    await io.advance(firstDelay);
    expect(consumer.state).toBe("consuming");
    expect(server().log.filter((line) => line.startsWith("1 "))).toEqual([
      "1 channel.open",
      "1 basic.qos 256",
      "1 basic.consume c",
      "1 channel.close-ok",
      "1 channel.open",
      "1 basic.qos 256",
      "1 basic.consume c",
    ]);
  });

  it("comes back with the connection when that is lost meanwhile", async () => {
    const { io, connection, cut, comeBack, server } = await recovering();
    const consumer = await settled(
      io,
      connection.openConsumer({ queue: "q", consumerTag: "c" }, () => {}),
    );
    server().closeChannel(1, 404, "NOT_FOUND");
    await io.settle();
    await cut();
    await comeBack();
    await io.advance(60_000);
    expect(consumer.state).toBe("consuming");
    expect(server().sentOf("basic.consume")).toHaveLength(1);
    expect(connection.state).toBe("open");
  });
});
