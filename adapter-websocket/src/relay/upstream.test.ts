import { describe, expect, it } from "vitest";
import { parseUpstream } from "./upstream.ts";

describe("upstreams", () => {
  it("are host and port, with or without TLS, or a socket", () => {
    expect(parseUpstream("amqp://rabbit")).toEqual({
      transport: "tcp",
      name: "amqp://rabbit:5672",
      host: "rabbit",
      port: 5672,
      tls: false,
    });
    expect(parseUpstream("amqps://rabbit.example.com/")).toMatchObject({
      host: "rabbit.example.com",
      port: 5671,
      tls: true,
    });
    expect(parseUpstream("AMQP://10.0.0.1:5673")).toMatchObject({ name: "amqp://10.0.0.1:5673", port: 5673 });
    expect(parseUpstream("amqp://[fd00::1]:5673")).toMatchObject({ name: "amqp://[fd00::1]:5673", host: "fd00::1" });
    expect(parseUpstream("unix:/run/rabbit.sock")).toMatchObject({ transport: "unix", path: "/run/rabbit.sock" });
    expect(parseUpstream("unix:///run/rabbit.sock")).toMatchObject({ path: "/run/rabbit.sock" });
  });

  it("have no user, virtual host or parameters, which are the client's business", () => {
    for (const text of [
      "amqp://user:secret@rabbit",
      "amqp://rabbit/vhost",
      "amqp://rabbit?heartbeat=1",
      "amqp://rabbit:0",
      "amqp://rabbit:65536",
      "amqp://",
      "amqp://[rabbit]",
      "http://rabbit",
      "tcp://rabbit:5672",
      "rabbit:5672",
      "unix:relative",
      "",
    ]) {
      expect(parseUpstream(text)).toBeUndefined();
    }
  });
});
