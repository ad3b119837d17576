import { describe, expect, it } from "vitest";
import { clientProperties } from "./client-properties.ts";
import { plain } from "./sasl.ts";

const mechanisms = [plain("guest", "secret")];

describe("clientProperties", () => {
  it("names every extension that changes what RabbitMQ does", () => {
    expect(clientProperties({ mechanisms })["capabilities"]).toMatchObject({
      authentication_failure_close: true,
      "connection.blocked": true,
      consumer_cancel_notify: true,
      publisher_confirms: true,
      "basic.nack": true,
      exchange_exchange_bindings: true,
    });
  });

  it("has the connection's name", () => {
    expect(clientProperties({ mechanisms, connectionName: "orders" })["connection_name"]).toBe("orders");
    expect(clientProperties({ mechanisms })).not.toHaveProperty("connection_name");
  });

  it("lets the caller's properties win, and merges capabilities", () => {
    const properties = clientProperties({
      mechanisms,
      clientProperties: { product: "Shop", region: 5, capabilities: { "connection.blocked": false, extra: true } },
    });
    expect(properties).toMatchObject({ product: "Shop", region: 5, platform: "JavaScript" });
    expect(properties["capabilities"]).toMatchObject({
      "connection.blocked": false,
      extra: true,
      consumer_cancel_notify: true,
    });
  });
});
