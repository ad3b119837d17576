import { describe, expect, it } from "vitest";
import { allAddresses } from "./addresses/all-addresses.ts";
import { webSocketAddresses } from "./addresses/websocket-addresses.ts";
import { connectWith } from "./connect.ts";
import type { ConnectOptions } from "./parameters.ts";
import { planConnection } from "./plan.ts";
import { recovery } from "./recovery.ts";
import { serve } from "./testing/fake-server.ts";
import { settled } from "./testing/fixture.ts";
import { VirtualIo } from "./testing/virtual-io.ts";

const overWebSocket = { addresses: webSocketAddresses, recovery };
const url = "wss://relay.example/a?token=1";

describe("a connect that knows WebSocket only", () => {
  it.each<[ConnectOptions | string, object]>([
    ["wss://u:p@Relay.example/a?token=1", { url }],
    [
      { uri: url, protocols: ["amqp"] },
      { url, protocols: ["amqp"] },
    ],
    [{ uri: url, tls: false }, { url }],
    [
      { endpoints: [url], protocols: ["amqp"] },
      { url, protocols: ["amqp"] },
    ],
    [{ endpoints: () => [{ transport: "websocket", url }] }, { url }],
  ])("takes %o", async (options, endpoint) => {
    const targets = await planConnection(options, overWebSocket).targets();
    expect(targets).toHaveLength(1);
    expect(targets[0]?.endpoint).toMatchObject({ transport: "websocket", ...endpoint });
  });

  it.each<[ConnectOptions | string, string, string]>([
    ["amqp://broker", "NOT_SUPPORTED", "The URI has the scheme amqp:, and only ws: and wss: are known here"],
    [{ host: "broker" }, "NOT_SUPPORTED", "host counts for TCP, and only WebSocket is known here"],
    [{ uri: url, tls: true }, "NOT_SUPPORTED", "tls counts for TCP"],
    [{ endpoints: ["amqps://broker"] }, "NOT_SUPPORTED", "endpoints[0]: The URI has the scheme amqps:"],
    [{ endpoints: [{ host: "broker" }] }, "NOT_SUPPORTED", 'endpoints[0] has another transport than "websocket"'],
    [{ endpoints: [{ transport: "unix", path: "/a" }] }, "NOT_SUPPORTED", "endpoints[0] has another transport"],
    [{}, "INVALID_ARGUMENT", "Give a uri (ws: or wss:) or endpoints"],
    ["http://broker", "INVALID_ARGUMENT", "The URI has the scheme http:"],
    ["wss://", "INVALID_ARGUMENT", "The URI has no host"],
  ])("refuses %o", (options, code, message) => {
    const planning = (): unknown => planConnection(options, overWebSocket);
    expect(planning).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });
});

describe("a connect without recovery", () => {
  const once = { addresses: allAddresses, recovery: undefined };

  it("makes a connection for which a loss is the end", async () => {
    const io = new VirtualIo();
    const servers = serve(io, () => {});
    const connection = await settled(io, connectWith(io, "amqp://broker", once));
    const channel = await settled(io, connection.openChannel());
    servers[0]?.stream.hangUp();
    await io.advance(60_000);
    expect(connection.state).toBe("closed");
    expect(await connection.closed).toMatchObject({ code: "CONNECTION_LOST" });
    expect(await channel.closed).toMatchObject({ code: "CONNECTION_LOST" });
    expect(io.timers).toBe(0);
  });

  it("refuses the option that it cannot honour", async () => {
    const code = "NOT_SUPPORTED";
    const message = "recovery is not a part of this connect: a loss is the end";
    expect(() => planConnection({ recovery: {} }, once)).toThrow(expect.objectContaining({ code, message }));
    expect(planConnection({ recovery: false }, once).recovery).toBeUndefined();
  });
});
