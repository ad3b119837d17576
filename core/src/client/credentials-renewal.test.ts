import { describe, expect, it } from "vitest";
import type { ConnectOptions, ExpiringCredentials } from "./parameters.ts";
import type { FakeServer } from "./testing/fake-server.ts";
import { bytes, connected, failure, settled } from "./testing/fixture.ts";
import { recovering } from "./testing/recovering.ts";
import { connect } from "./connect.ts";
import { VirtualIo } from "./testing/virtual-io.ts";

const minute = 60_000;

/** Credentials that are valid for a minute, numbered. */
function tokens(validFor: number | undefined = minute): { asked: number; options: ConnectOptions } {
  const all = {
    asked: 0,
    options: {
      credentials: () => {
        all.asked += 1;
        return { username: "u", password: `token ${all.asked}`, validFor };
      },
    },
  };
  return all;
}

/** Credentials of which the first are good for a minute, and the next come when the test gives them. */
function heldCredentials(): {
  readonly credentials: () => ExpiringCredentials | Promise<ExpiringCredentials>;
  readonly give: (password: string) => void;
  readonly asked: () => number;
} {
  let give: (password: string) => void = () => {};
  let asked = 0;
  const credentials = (): ExpiringCredentials | Promise<ExpiringCredentials> => {
    asked += 1;
    if (asked === 1) return { username: "u", password: "first", validFor: minute };
    return new Promise((resolve) => {
      give = (password) => resolve({ username: "u", password });
    });
  };
  return { credentials, give: (password) => give(password), asked: () => asked };
}

const secrets = (server: FakeServer): unknown[] =>
  server.sentOf("connection.update-secret").map(({ fields }) => fields["newSecret"]);

describe("credentials that expire", () => {
  it("are renewed in time, again and again, and no longer when the connection is closed", async () => {
    const { asked, options } = tokens();
    expect(asked).toBe(0);
    const { io, server, connection } = await connected(options);
    const renewed: unknown[] = [];
    connection.on("credentials-renewed", (event) => renewed.push(event));
    // 0.7 of its life, with the virtual services' idea of chance.
    await io.advance(0.69 * minute);
    expect(secrets(server)).toEqual([]);
    await io.advance(0.02 * minute);
    expect(secrets(server)).toEqual([bytes("token 2")]);
    await io.advance(0.71 * minute);
    expect(secrets(server)).toEqual([bytes("token 2"), bytes("token 3")]);
    expect(renewed).toEqual([{ validFor: minute }, { validFor: minute }]);
    await settled(io, connection.close());
    await io.advance(10 * minute);
    expect(secrets(server)).toHaveLength(2);
    expect(io.timers).toBe(0);
  });

  it("are not asked for again when they do not say that they expire", async () => {
    const all = tokens(Infinity);
    const { io, server } = await connected(all.options);
    await io.advance(1000 * minute);
    expect(all.asked).toBe(1);
    expect(secrets(server)).toEqual([]);
  });

  it("are asked for again and again when they are not given, with longer and longer waits", async () => {
    let asked = 0;
    const failures: { attempt: number; delay: number; error: unknown }[] = [];
    const { io, server, connection } = await connected({
      credentials: () => {
        asked += 1;
        if (asked > 1 && asked < 8) throw new Error(`no token ${asked}`);
        return { username: "u", password: `token ${asked}`, validFor: minute };
      },
    });
    connection.on("credentials-failed", (event) => failures.push(event));
    await io.advance(10 * minute);
    expect(failures.map(({ delay }) => delay)).toEqual([1_500, 3_000, 6_000, 12_000, 22_500, 22_500]);
    expect(failures.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(failures[0]?.error).toMatchObject({ message: "no token 2" });
    expect(secrets(server)[0]).toEqual(bytes("token 8"));
    expect(connection.state).toBe("open");
  });

  it("may take so long, and no longer; late ones are not used", async () => {
    const { credentials, give } = heldCredentials();
    const { io, server, connection } = await connected({ openTimeout: 5_000, credentials });
    const failures: unknown[] = [];
    connection.on("credentials-failed", ({ error }) => failures.push(error));
    await io.advance(0.7 * minute + 5_000);
    expect(failures).toMatchObject([{ code: "TIMEOUT", outcome: "not-sent" }]);
    give("late");
    await io.settle();
    expect(secrets(server)).toEqual([]);
    await io.advance(2_000);
    give("in time");
    await io.settle();
    expect(secrets(server)).toEqual([bytes("in time")]);
    await settled(io, connection.close());
    expect(io.timers).toBe(0);
  });

  it("that are given when the connection is closed are not sent", async () => {
    const { credentials, give, asked } = heldCredentials();
    const { io, server, connection } = await connected({ credentials });
    const failures: unknown[] = [];
    connection.on("credentials-failed", ({ error }) => failures.push(error));
    await io.advance(0.7 * minute);
    await settled(io, connection.close());
    give("late");
    await io.advance(10 * minute);
    expect(asked()).toBe(2);
    expect(secrets(server)).toEqual([]);
    expect(failures).toEqual([]);
    expect(io.timers).toBe(0);
  });

  it("are new ones for a new connection, which counts their life anew", async () => {
    const all = tokens();
    const { io, servers, cut, comeBack, connection } = await recovering(all.options);
    await io.advance(0.5 * minute);
    await cut();
    await io.advance(700);
    expect(all.asked).toBe(1);
    await comeBack();
    expect(all.asked).toBe(2);
    await io.advance(0.68 * minute);
    expect(servers.flatMap(secrets)).toEqual([]);
    await io.advance(0.03 * minute);
    expect(secrets(servers[1] as FakeServer)).toEqual([bytes("token 3")]);
    await settled(io, connection.close());
  });

  it("are refused where nobody can be asked for others, and where the time is none", async () => {
    const io = new VirtualIo();
    const error = await failure(
      io,
      connect(io, { credentials: { username: "u", password: "hush", validFor: 5 } as never }),
    );
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(String(error)).toContain("given by a function");
    expect(String(error)).not.toContain("hush");
    const nothing = await failure(
      io,
      connect(io, { credentials: () => ({ username: "u", password: "p", validFor: 0 }) }),
    );
    expect(String(nothing)).toContain("validFor is a number of milliseconds, more than 0, not 0");
  });
});
