import { describe, expect, expectTypeOf, it } from "vitest";
import { methods } from "../wire/methods.ts";
import type { ChannelRequestName, NoWaitName, OneWayName } from "./channel-engine.ts";
import { isChannelRequest, isNeverAnswered } from "./channel-methods.ts";

describe("the methods of a channel", () => {
  it("are these requests", () => {
    expect(Object.keys(methods).filter(isChannelRequest)).toEqual([
      "channel.flow",
      "access.request",
      "exchange.declare",
      "exchange.delete",
      "exchange.bind",
      "exchange.unbind",
      "queue.declare",
      "queue.bind",
      "queue.purge",
      "queue.delete",
      "queue.unbind",
      "basic.qos",
      "basic.consume",
      "basic.cancel",
      "basic.get",
      "basic.recover",
      "confirm.select",
      "tx.select",
      "tx.commit",
      "tx.rollback",
    ] satisfies ChannelRequestName[]);
  });

  it("are these that are never answered", () => {
    expect(Object.keys(methods).filter(isNeverAnswered)).toEqual([
      "basic.ack",
      "basic.reject",
      "basic.recover-async",
      "basic.nack",
    ] satisfies OneWayName[]);
  });

  it("are one-way with no-wait where the table has the bit", () => {
    expectTypeOf<NoWaitName>().toEqualTypeOf<
      | "exchange.declare"
      | "exchange.delete"
      | "exchange.bind"
      | "exchange.unbind"
      | "queue.declare"
      | "queue.bind"
      | "queue.purge"
      | "queue.delete"
      | "basic.consume"
      | "basic.cancel"
      | "confirm.select"
    >();
    expect(isChannelRequest("channel.open")).toBe(false);
    expect(isChannelRequest("toString")).toBe(false);
  });
});
