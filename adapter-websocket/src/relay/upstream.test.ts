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

  it.each([
    ["amqp://user:hidden@rabbit", "has no user and no password: each client gives its own"],
    ["amqp://user:hid/den@rabbit", "has no user and no password: each client gives its own"],
    ["amqp://rabbit/hidden", "has no virtual host and no parameters: each client gives its own"],
    ["amqp://rabbit?hidden=1", "has no virtual host and no parameters: each client gives its own"],
    ["amqp://rabbit:0", "has a port from 1 to 65535"],
    ["amqp://rabbit:65536", "has a port from 1 to 65535"],
    ["amqp://rabbit:hidden", "has a port from 1 to 65535"],
    ["amqp://", "names a host; an IPv6 address is written in brackets"],
    ["amqp://[rabbit]", "names a host; an IPv6 address is written in brackets"],
    ["amqp://fd00::1", "names a host; an IPv6 address is written in brackets"],
    ["amqp://a b", "names a host; an IPv6 address is written in brackets"],
    ["http://rabbit", "begins with amqp://, amqps:// or unix:/"],
    ["tcp://rabbit:5672", "begins with amqp://, amqps:// or unix:/"],
    ["rabbit:5672", "begins with amqp://, amqps:// or unix:/"],
    ["unix:relative", "begins with amqp://, amqps:// or unix:/"],
    ["", "begins with amqp://, amqps:// or unix:/"],
  ])("what is wrong with %j is said, and nothing of it shown", (text, problem) => {
    expect(parseUpstream(text)).toBe(problem);
  });
});
