import { describe, expect, it } from "vitest";
import type { ConnectionConfig } from "./config.ts";
import { closedBy, Driver, only, start, types } from "./testing/driver.ts";
import { ServerBytes } from "./testing/server.ts";

function open(config: Partial<ConnectionConfig> = {}, proposal = {}): Driver {
  return new Driver(config).open(proposal);
}

describe("heartbeats", () => {
  it("are sent after half an interval, when nothing else was", () => {
    const driver = open({}, { heartbeat: 10 });
    expect(driver.engine.heartbeat).toBe(10);
    expect(driver.engine.nextDeadline()).toBe(6000);
    driver.pass(4999);
    expect(driver.sentNames()).toEqual([]);
    driver.pass(1);
    expect(driver.sentNames()).toEqual(["heartbeat"]);
    expect(driver.engine.nextDeadline()).toBe(11_000);
  });

  it("are put off by other output, from when it leaves", () => {
    const driver = open({}, { heartbeat: 10 });
    const channel = driver.channel();
    driver.pass(2000);
    channel.ack(1, false);
    driver.pass(1000);
    expect(driver.sentNames()).toEqual(["basic.ack"]);
    expect(driver.engine.nextDeadline()).toBe(driver.now + 5000);
    driver.pass(4999);
    expect(driver.sentNames()).toEqual([]);
  });

  it("begin with tuning, before the connection is open", () => {
    const driver = new Driver({ heartbeat: 10, handshakeTimeout: 0 });
    expect(driver.engine.nextDeadline()).toBeUndefined();
    driver.serve((server) =>
      server
        .method(0, "connection.start", start)
        .method(0, "connection.tune", { channelMax: 0, frameMax: 0, heartbeat: 60 }),
    );
    expect(driver.engine.nextDeadline()).toBe(6000);
  });

  it("are not piled up when nobody takes the output, and make no hot loop", () => {
    const driver = open({}, { heartbeat: 10 });
    let wakeUps = 0;
    const heard = (): void => void driver.serve((server) => server.heartbeat());
    while (driver.now < 1_000_000) {
      driver.pass((driver.engine.nextDeadline() ?? 0) - driver.now);
      heard();
      wakeUps += 1;
    }
    expect(wakeUps).toBeLessThan(205);
    expect(driver.engine.outputSize).toBe(8);
  });

  it("are over with interval 0", () => {
    const driver = open({ heartbeat: 0 }, { heartbeat: 60 });
    expect(driver.engine.nextDeadline()).toBeUndefined();
    expect(driver.pass(1e9)).toEqual([]);
  });

  it("are not the only proof that the server lives: any byte is, also of a frame that takes for ever", () => {
    const driver = open({}, { heartbeat: 10 });
    driver.channel();
    const frames = new ServerBytes()
      .method(1, "basic.deliver", { consumerTag: "c", deliveryTag: 1, exchange: "", routingKey: "" })
      .content(1, new Uint8Array(50))
      .take();
    const events = Array.from(frames, (_, at) => [
      ...driver.pass(15_000),
      ...driver.receive(frames.subarray(at, at + 1)),
    ]);
    expect(types(events.flat())).toEqual(["basic.deliver"]);
  });

  it("are missed: two silent intervals and a moment's grace end the connection", () => {
    const driver = open({}, { heartbeat: 10 });
    for (let i = 0; i < 4; i += 1) expect(driver.pass(5000)).toEqual([]);
    expect(driver.pass(999)).toEqual([]);
    const error = closedBy(driver.pass(1));
    expect(error).toMatchObject({ code: "HEARTBEAT_TIMEOUT", retryable: true });
    expect(driver.engine.nextDeadline()).toBeUndefined();
  });

  it("are not missed by a reader that is paused, and requests are not late then", () => {
    const driver = open({ requestTimeout: 1000 }, { heartbeat: 10 });
    driver.channel().request("basic.qos", { prefetchSize: 0, prefetchCount: 1 });
    driver.pass(0);
    driver.engine.setReading(false, driver.now);
    for (let i = 0; i < 20; i += 1) expect(driver.pass(5000)).toEqual([]);
    driver.engine.setReading(true, driver.now);
    expect(driver.pass(999)).toEqual([]);
    expect(only(driver.pass(1), "channel-closed").error?.code).toBe("REQUEST_TIMEOUT");
    driver.pass(14_000);
    driver.pass(5000);
    expect(closedBy(driver.pass(1000))?.code).toBe("HEARTBEAT_TIMEOUT");
  });

  it("are not missed by a reader that was paused before tuning", () => {
    const driver = new Driver({ heartbeat: 10 });
    driver.engine.setReading(false, driver.now);
    driver.open();
    for (let i = 0; i < 20; i += 1) expect(driver.pass(5000)).toEqual([]);
  });

  it("are not missed because our own loop stalled", () => {
    const driver = open({}, { heartbeat: 10 });
    expect(driver.pass(300_000)).toEqual([]);
    driver.serve((server) => server.heartbeat());
    expect(driver.pass(5000)).toEqual([]);
    expect(driver.engine.state).toBe("open");
  });
});
