import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { replyCodes } from "../wire/constants.ts";
import { encodeText } from "../wire/text.ts";
import type { ConnectionConfig } from "./config.ts";
import { ConnectionError } from "./errors.ts";
import { amqplain, anonymous, external, plain, type SaslMechanism } from "./sasl.ts";
import { closedBy, Driver, only, start, tune } from "./testing/driver.ts";

const offeringAll = { ...start, mechanisms: encodeText("RABBIT-CR-DEMO ANONYMOUS EXTERNAL AMQPLAIN PLAIN") };

/** RabbitMQ's own demonstration of a challenge (rabbit_auth_mechanism_cr_demo). */
function challengeResponse(username: string, password: string): SaslMechanism {
  return {
    name: "RABBIT-CR-DEMO",
    start: () => encodeText(username),
    respond: (challenge) => encodeText(`${Buffer.from(challenge).toString()} My password is ${password}`),
  };
}

/** A driver whose server has started. */
function started(config: Partial<ConnectionConfig> = {}, fields = start): Driver {
  const driver = new Driver(config);
  driver.sent();
  driver.method(0, "connection.start", fields);
  return driver;
}

/** A driver whose server has proposed its limits. */
function tuned(config: Partial<ConnectionConfig> = {}, proposal: Partial<typeof tune> = {}): Driver {
  const driver = started(config);
  driver.sent();
  driver.method(0, "connection.tune", { ...tune, ...proposal });
  return driver;
}

const refusal = {
  replyCode: replyCodes.accessRefused,
  replyText: "ACCESS_REFUSED - Login was refused",
  classId: 0,
  methodId: 0,
};

describe("the handshake", () => {
  it("begins with the protocol header", () => {
    const [frame] = new Driver().sent();
    expect(frame).toEqual({ type: "protocol-header", bytes: Uint8Array.of(65, 77, 81, 80, 0, 0, 9, 1) });
  });

  it("answers start, tune and open-ok, and tells what was agreed", () => {
    const driver = started({ connectionName: "orders", virtualHost: "shop", heartbeat: 7 });
    expect(driver.sentMethods()).toEqual([
      {
        name: "connection.start-ok",
        fields: {
          clientProperties: expect.objectContaining({
            connection_name: "orders",
            capabilities: expect.objectContaining({ authentication_failure_close: true }),
          }),
          mechanism: "PLAIN",
          response: encodeText("\0guest\0secret"),
          locale: "en_US",
        },
      },
    ]);
    expect(driver.method(0, "connection.tune", { channelMax: 10, frameMax: 8192, heartbeat: 60 })).toEqual([]);
    expect(driver.sentMethods()).toEqual([
      { name: "connection.tune-ok", fields: { channelMax: 10, frameMax: 8192, heartbeat: 7 } },
      { name: "connection.open", fields: { virtualHost: "shop" } },
    ]);
    expect(driver.engine.state).toBe("handshaking");
    const agreed = { serverProperties: start.serverProperties, channelMax: 10, frameMax: 8192, heartbeat: 7 };
    expect(driver.method(0, "connection.open-ok", {})).toEqual([{ type: "open", mechanism: "PLAIN", ...agreed }]);
    expect(driver.engine).toMatchObject({ state: "open", ...agreed });
  });

  it("uses the smaller frame size from then on", () => {
    const driver = tuned({}, { frameMax: 4096 });
    driver.method(0, "connection.open-ok", {});
    const channel = driver.channel();
    channel.publish({ exchange: "", routingKey: "", body: new Uint8Array(5000) });
    const sizes = driver.sent().flatMap((frame) => (frame.type === "body" ? [frame.bytes.length] : []));
    expect(sizes).toEqual([4088, 912]);
  });

  it("asks for the empty virtual host and another locale, where told", () => {
    const driver = started({ virtualHost: "", locale: "de_DE" });
    expect(driver.sentMethods()[0]?.fields).toMatchObject({ locale: "de_DE" });
    driver.method(0, "connection.tune", tune);
    expect(driver.sentMethods()[1]?.fields).toEqual({ virtualHost: "" });
  });

  describe("SASL", () => {
    it.each<[string, SaslMechanism, Uint8Array]>([
      ["PLAIN", plain("u", "p"), encodeText("\0u\0p")],
      ["AMQPLAIN", amqplain("u", "p"), encodeText("\x05LOGINS\0\0\0\x01u\x08PASSWORDS\0\0\0\x01p")],
      ["EXTERNAL", external(), new Uint8Array(0)],
      ["ANONYMOUS", anonymous(), new Uint8Array(0)],
      ["RABBIT-CR-DEMO", challengeResponse("u", "p"), encodeText("u")],
    ])("speaks %s", (name, mechanism, response) => {
      const driver = started({ mechanisms: [mechanism] }, offeringAll);
      expect(driver.sentMethods()[0]?.fields).toMatchObject({ mechanism: name, response });
      driver.method(0, "connection.tune", tune);
      expect(only(driver.method(0, "connection.open-ok", {}), "open").mechanism).toBe(name);
    });

    it("prefers by our order, not the server's", () => {
      const driver = started({ mechanisms: [external(), amqplain("u", "p"), plain("u", "p")] });
      expect(driver.sentMethods()[0]?.fields).toMatchObject({ mechanism: "AMQPLAIN" });
    });

    it("answers any number of challenges", () => {
      const driver = started({ mechanisms: [challengeResponse("u", "p")] }, offeringAll);
      driver.sent();
      for (const challenge of ["one", "two"]) {
        driver.method(0, "connection.secure", { challenge: encodeText(challenge) });
        expect(driver.sentMethods()).toEqual([
          { name: "connection.secure-ok", fields: { response: encodeText(`${challenge} My password is p`) } },
        ]);
      }
      expect(driver.method(0, "connection.tune", tune)).toEqual([]);
    });

    it("keeps `this` of a mechanism that is an object of a class", () => {
      class Counting implements SaslMechanism {
        readonly name = "PLAIN";
        turns = 0;
        start(): Uint8Array {
          return Uint8Array.of(++this.turns);
        }
        respond(): Uint8Array {
          return Uint8Array.of(++this.turns);
        }
      }
      const driver = started({ mechanisms: [new Counting()] });
      driver.method(0, "connection.secure", { challenge: new Uint8Array(0) });
      expect(driver.sentMethods().map(({ fields }) => "response" in fields && fields.response)).toEqual([
        Uint8Array.of(1),
        Uint8Array.of(2),
      ]);
    });

    it("ends when the server offers nothing that we may use", () => {
      const driver = new Driver({ mechanisms: [plain("u", "p"), external()] });
      const events = driver.method(0, "connection.start", { ...start, mechanisms: encodeText("AMQPLAIN ANONYMOUS") });
      const error = closedBy(events);
      expect(error).toMatchObject({ code: "NO_COMMON_MECHANISM", phase: "sasl" });
      expect(error?.message).toBe(
        "The server offers the SASL mechanisms AMQPLAIN, ANONYMOUS; the client may use PLAIN, EXTERNAL",
      );
      expect(driver.sentNames()).toEqual(["protocol-header"]);
    });

    const failing: [string, Partial<SaslMechanism>][] = [
      [
        "throws",
        {
          start: () => {
            throw new Error("No token");
          },
        },
      ],
      ["gives no bytes", { start: () => "secret" as never }],
      ["gives a promise", { start: () => Promise.resolve(new Uint8Array(0)) as never }],
      ["gives more than a frame takes", { start: () => new Uint8Array(17_000_000) }],
    ];
    it.each(failing)("ends when a mechanism of the user %s", (_, mechanism) => {
      const driver = new Driver({ mechanisms: [{ name: "PLAIN", ...mechanism } as SaslMechanism] });
      const error = closedBy(driver.method(0, "connection.start", start));
      expect(error).toMatchObject({ code: "AUTHENTICATION_FAILED", phase: "sasl", cause: expect.any(Error) });
      expect(inspect(error, { depth: 9 })).not.toContain("secret");
      expect(driver.sentNames()).toEqual(["protocol-header"]);
    });

    it.each<[string, Partial<SaslMechanism>]>([
      ["a mechanism expects none", {}],
      [
        "a mechanism fails at it",
        {
          respond: () => {
            throw new Error("Not that");
          },
        },
      ],
      ["a mechanism answers nothing", { respond: () => undefined as never }],
    ])("ends at a challenge when %s", (_, more) => {
      const driver = started({ mechanisms: [{ name: "PLAIN", start: () => new Uint8Array(0), ...more }] });
      const error = closedBy(driver.method(0, "connection.secure", { challenge: encodeText("?") }));
      expect(error).toMatchObject({ code: "AUTHENTICATION_FAILED", phase: "sasl", cause: expect.any(Error) });
    });
  });

  describe("refused", () => {
    it("for bad credentials, answers and says so", () => {
      const driver = started();
      driver.sent();
      const error = closedBy(driver.method(0, "connection.close", refusal));
      expect(error).toMatchObject({ code: "AUTHENTICATION_FAILED", phase: "sasl", replyCode: 403, retryable: false });
      expect(inspect(error, { depth: 9 })).not.toContain("secret");
      expect(driver.sentNames()).toEqual(["connection.close-ok"]);
    });

    it("for the virtual host, names it", () => {
      const driver = tuned({ virtualHost: "nope" });
      const error = closedBy(
        driver.method(0, "connection.close", {
          replyCode: 530,
          replyText: "NOT_ALLOWED - vhost nope not found",
          classId: 10,
          methodId: 40,
        }),
      );
      expect(error).toMatchObject({
        code: "VIRTUAL_HOST_REFUSED",
        phase: "open",
        replyCode: 530,
        replyText: "NOT_ALLOWED - vhost nope not found",
        method: "connection.open",
      });
      expect(error?.message).toContain('"nope"');
    });

    it.each([
      ["before the start", () => new Driver(), "header"],
      ["during the login", () => started(), "sasl"],
      ["at the end", () => tuned(), "open"],
    ])("for another reason %s, says where", (_, make, phase) => {
      const driver = make();
      driver.sent();
      const error = closedBy(driver.method(0, "connection.close", { ...refusal, replyCode: 320 }));
      expect(error).toMatchObject({ code: "CONNECTION_CLOSED_BY_SERVER", phase, replyCode: 320, retryable: true });
      expect(driver.sentNames()).toEqual(["connection.close-ok"]);
    });
  });

  describe("with a peer that is no AMQP 0-9-1 server", () => {
    it.each<[string, string | readonly number[], Partial<ConnectionError>]>([
      [
        "answers with AMQP 1.0",
        [65, 77, 81, 80, 3, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        { code: "PROTOCOL_VERSION_REFUSED", message: "The server speaks AMQP 1-0-0; this client speaks 0-9-1" },
      ],
      ["answers with AMQP 0-9-1", "AMQP\0\0\x09\x01", { code: "PROTOCOL_VERSION_REFUSED" }],
      ["answers with a TLS alert", [0x15, 3, 1, 0, 2, 2, 70], { code: "TLS_EXPECTED" }],
      [
        "speaks HTTP",
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        { code: "NOT_AMQP", message: expect.stringContaining("HTTP") as never },
      ],
      ["speaks SSH", "SSH-2.0-OpenSSH_9.6\r\n", { code: "NOT_AMQP" }],
      ["begins with a heartbeat", [8, 0, 0, 0, 0, 0, 0, 0xce], { code: "NOT_AMQP" }],
    ])("which %s", (_, said, expected) => {
      const bytes = typeof said === "string" ? encodeText(said) : Uint8Array.from(said);
      for (const size of [bytes.length, 4, 1]) {
        const driver = new Driver();
        const events = [];
        for (let at = 0; at < bytes.length; at += size) events.push(...driver.receive(bytes.slice(at, at + size)));
        expect(events).toHaveLength(1);
        expect(closedBy(events)).toMatchObject({ phase: "header", ...expected });
        expect(driver.sentNames()).toEqual(["protocol-header"]);
      }
    });

    it("which begins to speak and hangs up", () => {
      const driver = new Driver();
      expect(driver.receive(encodeText("HT"))).toEqual([]);
      expect(closedBy(driver.hangUp())).toMatchObject({ code: "NOT_AMQP", phase: "header" });
    });

    it.each([
      [0, 8],
      [8, 0],
      [1, 9],
    ])("which starts version %i-%i", (versionMajor, versionMinor) => {
      const driver = new Driver();
      const events = driver.method(0, "connection.start", { ...start, versionMajor, versionMinor });
      expect(closedBy(events)).toMatchObject({ code: "PROTOCOL_VERSION_REFUSED", phase: "header" });
    });
  });

  describe("when the server hangs up", () => {
    const cause = new Error("ECONNRESET");
    it.each<[string, () => Driver, Partial<ConnectionError>]>([
      ["before it said anything", () => new Driver(), { code: "CONNECTION_LOST", phase: "header" }],
      [
        "after start-ok",
        () => started(),
        { code: "CONNECTION_LOST", phase: "sasl", message: expect.stringContaining("SASL") as never },
      ],
      [
        "after tune-ok",
        () => tuned(),
        { code: "CONNECTION_LOST", phase: "open", message: expect.stringContaining("tuned values") as never },
      ],
      [
        "after tune-ok with a small frame-max",
        () => tuned({ frameMax: 4096 }),
        { code: "TUNING_FAILED", phase: "tune", message: expect.stringContaining("8192") as never },
      ],
      [
        "after a start-ok that older servers find too large",
        () => started({ clientProperties: { token: "x".repeat(5000) } }),
        { code: "CONNECTION_LOST", phase: "sasl", message: expect.stringContaining("4096") as never },
      ],
    ])("%s, says what that may mean", (_, make, expected) => {
      const caused = closedBy(make().hangUp(cause));
      expect(caused).toMatchObject({ ...expected, cause });
      if (expected.code === "CONNECTION_LOST") expect(caused?.message).toMatch(/: ECONNRESET$/);
      const error = closedBy(make().hangUp());
      expect(error).toMatchObject(expected);
      expect(Object.hasOwn(error ?? {}, "cause")).toBe(false);
    });
  });

  it("blames neither a frame-max nor a start-ok that servers of every version take", () => {
    const large = { clientProperties: { token: "x".repeat(5000) } };
    for (const driver of [tuned({ frameMax: 8192 }), tuned(large)]) {
      const error = closedBy(driver.hangUp());
      expect(error).toMatchObject({ code: "CONNECTION_LOST", phase: "open" });
      expect(error?.message).not.toContain("4096");
    }
  });

  describe("takes nothing out of order:", () => {
    it.each([
      ["tune before start", () => new Driver(), "connection.tune", tune],
      ["a second start", () => started(), "connection.start", start],
      ["open-ok before tune", () => started(), "connection.open-ok", {}],
      ["a second tune", () => tuned(), "connection.tune", tune],
      ["secure after tune", () => tuned(), "connection.secure", { challenge: new Uint8Array(0) }],
      ["close-ok", () => tuned(), "connection.close-ok", {}],
      ["blocked", () => tuned(), "connection.blocked", { reason: "" }],
      ["a method that only clients send", () => started(), "connection.open", { virtualHost: "/" }],
    ] as const)("%s", (_, make, name, fields) => {
      const driver = make();
      driver.sent();
      const error = closedBy(driver.method(0, name, fields as never));
      expect(error).toMatchObject({ code: "PROTOCOL_ERROR", phase: expect.any(String) });
      expect(error?.cause).toMatchObject({ code: "COMMAND_INVALID" });
      // A farewell would be one more mistake: RabbitMQ takes no close before the connection is open.
      expect(driver.sentNames().filter((name) => name !== "protocol-header")).toEqual([]);
    });

    it("a frame on a channel", () => {
      const error = closedBy(tuned().method(1, "channel.open-ok", {}));
      expect(error?.cause).toMatchObject({ code: "CHANNEL_ERROR" });
    });

    it("a frame larger than a handshake needs", () => {
      const driver = new Driver();
      const events = driver.method(0, "connection.start", { ...start, locales: new Uint8Array(40_000) });
      expect(closedBy(events)?.cause).toMatchObject({ code: "FRAME_ERROR" });
    });
  });

  it("ends where the values cannot be brought together", () => {
    const driver = started();
    driver.sent();
    expect(closedBy(driver.method(0, "connection.tune", { ...tune, frameMax: 100 }))).toMatchObject({
      code: "TUNING_FAILED",
      phase: "tune",
    });
    expect(driver.sentNames()).toEqual([]);
  });

  describe("has a deadline", () => {
    it.each<[string, () => Driver, string]>([
      ["before start", () => new Driver(), "header"],
      ["before tune", () => started(), "sasl"],
      ["before open-ok", () => tuned(), "open"],
    ])("%s", (_, make, phase) => {
      const driver = make();
      expect(driver.engine.nextDeadline()).toBe(11_000);
      expect(driver.pass(9999)).toEqual([]);
      const error = closedBy(driver.pass(1));
      expect(error).toMatchObject({ code: "HANDSHAKE_TIMEOUT", phase, retryable: true });
      expect(driver.engine.nextDeadline()).toBeUndefined();
    });

    it("that can be set, or left out, and that ends with the handshake", () => {
      expect(new Driver({ handshakeTimeout: 5 }).engine.nextDeadline()).toBe(1005);
      expect(new Driver({ handshakeTimeout: 0 }).engine.nextDeadline()).toBeUndefined();
      expect(new Driver().open().engine.nextDeadline()).toBeUndefined();
    });
  });

  it("ends at once when it is closed, without a word", () => {
    for (const make of [() => new Driver(), () => started(), () => tuned()]) {
      const driver = make();
      driver.sent();
      driver.engine.close();
      expect(driver.events()).toEqual([{ type: "closed", error: undefined, requests: [] }]);
      expect(driver.sentNames().filter((name) => name !== "protocol-header")).toEqual([]);
      expect(driver.engine.wantsClose).toBe(true);
    }
  });
});
