import { describe, expect, it } from "vitest";
import { methods } from "./methods.ts";
import { definitions, methodNames } from "./testing/arbitraries.ts";

/**
 * Class and method ids, copied by hand from the specification and from RabbitMQ's list of its extensions, and not from the
 * table. S: the server sends it, C: the client does. An answered method names its answer.
 */
const listing = `
  10 10 connection.start S start-ok
  10 11 connection.start-ok C
  10 20 connection.secure S secure-ok
  10 21 connection.secure-ok C
  10 30 connection.tune S tune-ok
  10 31 connection.tune-ok C
  10 40 connection.open C open-ok
  10 41 connection.open-ok S
  10 50 connection.close CS close-ok
  10 51 connection.close-ok CS
  10 60 connection.blocked S
  10 61 connection.unblocked S
  10 70 connection.update-secret C update-secret-ok
  10 71 connection.update-secret-ok S
  20 10 channel.open C open-ok
  20 11 channel.open-ok S
  20 20 channel.flow CS flow-ok
  20 21 channel.flow-ok CS
  20 40 channel.close CS close-ok
  20 41 channel.close-ok CS
  30 10 access.request C request-ok
  30 11 access.request-ok S
  40 10 exchange.declare C declare-ok
  40 11 exchange.declare-ok S
  40 20 exchange.delete C delete-ok
  40 21 exchange.delete-ok S
  40 30 exchange.bind C bind-ok
  40 31 exchange.bind-ok S
  40 40 exchange.unbind C unbind-ok
  40 51 exchange.unbind-ok S
  50 10 queue.declare C declare-ok
  50 11 queue.declare-ok S
  50 20 queue.bind C bind-ok
  50 21 queue.bind-ok S
  50 30 queue.purge C purge-ok
  50 31 queue.purge-ok S
  50 40 queue.delete C delete-ok
  50 41 queue.delete-ok S
  50 50 queue.unbind C unbind-ok
  50 51 queue.unbind-ok S
  60 10 basic.qos C qos-ok
  60 11 basic.qos-ok S
  60 20 basic.consume C consume-ok
  60 21 basic.consume-ok S
  60 30 basic.cancel CS cancel-ok
  60 31 basic.cancel-ok CS
  60 40 basic.publish C
  60 50 basic.return S
  60 60 basic.deliver S
  60 70 basic.get C get-ok get-empty
  60 71 basic.get-ok S
  60 72 basic.get-empty S
  60 80 basic.ack CS
  60 90 basic.reject C
  60 100 basic.recover-async C
  60 110 basic.recover C recover-ok
  60 111 basic.recover-ok S
  60 120 basic.nack CS
  85 10 confirm.select C select-ok
  85 11 confirm.select-ok S
  90 10 tx.select C select-ok
  90 11 tx.select-ok S
  90 20 tx.commit C commit-ok
  90 21 tx.commit-ok S
  90 30 tx.rollback C rollback-ok
  90 31 tx.rollback-ok S
`
  .trim()
  .split("\n")
  .map((line) => {
    const [classId, methodId, name, peers, ...answers] = line.trim().split(" ") as [string, string, string, string];
    const prefix = name.slice(0, name.indexOf(".") + 1);
    return {
      id: Number(classId) * 65_536 + Number(methodId),
      name,
      peers,
      answers: (answers as string[]).map((a) => prefix + a),
    };
  });

describe("the table of methods", () => {
  it("has exactly the methods of the listing", () => {
    expect(methodNames).toEqual(listing.map(({ name }) => name));
  });

  it.each(listing)("has the right line for $name", ({ id, name, peers, answers }) => {
    const definition = definitions[name as keyof typeof methods];
    expect(definition.id).toBe(id);
    expect(definition.from).toBe({ C: "client", S: "server", CS: "both" }[peers]);
    expect(definition.replies ?? []).toEqual(answers);
  });

  it("has no more adjacent bits than fit one octet, which the codec relies on", () => {
    for (const name of methodNames) {
      const kinds = Object.values(definitions[name].fields).map((type) => (type.endsWith("bit") ? "b" : "."));
      expect(kinds.join("")).not.toMatch(/b{9}/);
    }
  });

  it("has a content for the four methods that carry one", () => {
    const withContent = methodNames.filter((name) => definitions[name].content === true);
    expect(withContent).toEqual(["basic.publish", "basic.return", "basic.deliver", "basic.get-ok"]);
  });
});
