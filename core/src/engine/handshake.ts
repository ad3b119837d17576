/** The handshake: from the server's greeting to `connection.open-ok`, and what to tell a user when it fails. */

import { joined } from "../wire/bytes.ts";
import { protocolHeader } from "../wire/constants.ts";
import type { FieldTable } from "../wire/field-values.ts";
import { type Greeting, recogniseGreeting } from "../wire/greeting.ts";
import type { Fields } from "../wire/method-types.ts";
import { decodeText } from "../wire/text.ts";
import { clientProperties } from "./client-properties.ts";
import type { ConnectionConfig } from "./config.ts";
import {
  type CloseReason,
  ConnectionError,
  type ConnectionErrorCode,
  type ConnectionErrorOptions,
  type ConnectPhase,
} from "./errors.ts";
import type { FrameWriter } from "./frame-writer.ts";
import type { ConnectionPhase } from "./phases.ts";
import type { SaslMechanism } from "./sasl.ts";
import { negotiate, type Tuning } from "./tuning.ts";

export const defaultVirtualHost = "/";
export const defaultLocale = "en_US";

/** RabbitMQ before 4.1 drops a connection whose start-ok is larger, without a word. */
const safeStartOkSize = 4096;

/** RabbitMQ 4.1 and newer drop a connection that asks for less, without a word. */
const safeFrameMax = 8192;

/** The client's part of a handshake. It writes the answers, and knows how far things had come. */
export class Handshake {
  readonly #config: ConnectionConfig;
  readonly #writer: FrameWriter;
  /** The first octets of the server, until they decide: as many as a protocol header has are always enough. */
  #greeting: Uint8Array = new Uint8Array(0);
  #speaksAmqp = false;
  #mechanism: SaslMechanism | undefined;
  #startOkSize = 0;
  #tuning: Tuning | undefined;
  /** What the server says of itself. */
  serverProperties: FieldTable = {};

  constructor(config: ConnectionConfig, writer: FrameWriter) {
    this.#config = config;
    this.#writer = writer;
    writer.header();
  }

  /** The mechanism that was chosen. */
  get mechanism(): string {
    return this.#mechanism?.name ?? "";
  }

  /**
   * Looks at the server's first octets. Returns whether frames follow, of which `chunk` is the beginning: the very first
   * octet tells a frame. What may become something else is held back until it is decided.
   *
   * @throws ConnectionError NOT_AMQP, PROTOCOL_VERSION_REFUSED or TLS_EXPECTED.
   */
  greet(chunk: Uint8Array): boolean {
    this.#greeting = joined([this.#greeting, chunk.subarray(0, protocolHeader.length)]);
    const greeting = recogniseGreeting(this.#greeting);
    if (greeting === undefined) return false;
    if (greeting.kind !== "frame") throw refusedGreeting(greeting);
    this.#speaksAmqp = true;
    return true;
  }

  /**
   * Answers `connection.start`.
   *
   * @throws ConnectionError PROTOCOL_VERSION_REFUSED, NO_COMMON_MECHANISM, AUTHENTICATION_FAILED.
   */
  start(fields: Fields<"connection.start">): void {
    const { versionMajor, versionMinor } = fields;
    if (versionMajor !== 0 || versionMinor !== 9) throw wrongVersion(`${versionMajor}-${versionMinor}`);
    this.serverProperties = fields.serverProperties;
    const offered = decodeText(fields.mechanisms, 0, fields.mechanisms.length).split(" ");
    const mechanism = this.#config.mechanisms.find(({ name }) => offered.includes(name));
    if (mechanism === undefined) {
      const wanted = this.#config.mechanisms.map(({ name }) => name).join(", ");
      const message = `The server offers the SASL mechanisms ${offered.join(", ")}; the client may use ${wanted}`;
      throw failed("sasl", "NO_COMMON_MECHANISM", message);
    }
    this.#mechanism = mechanism;
    saslTurn(mechanism.name, () => {
      const response = mechanism.start();
      const before = this.#writer.size;
      this.#writer.method(0, "connection.start-ok", {
        clientProperties: clientProperties(this.#config),
        mechanism: mechanism.name,
        response,
        locale: this.#config.locale ?? defaultLocale,
      });
      this.#startOkSize = this.#writer.size - before;
    });
  }

  /**
   * Answers `connection.secure`.
   *
   * @throws ConnectionError AUTHENTICATION_FAILED when the mechanism expects no challenge, or fails.
   */
  secure({ challenge }: Fields<"connection.secure">): void {
    saslTurn(this.mechanism, () => {
      if (this.#mechanism?.respond === undefined) throw new Error("The server sent a challenge, and none was expected");
      this.#writer.method(0, "connection.secure-ok", { response: this.#mechanism.respond(challenge) });
    });
  }

  /**
   * Answers `connection.tune`, and asks for the virtual host in the same breath: two small writes would lose 40 ms to
   * Nagle's algorithm and delayed acknowledgements.
   *
   * @throws ConnectionError TUNING_FAILED.
   */
  tune(proposed: Fields<"connection.tune">): Tuning {
    const tuning = negotiate(this.#config, proposed);
    this.#tuning = tuning;
    this.#writer.method(0, "connection.tune-ok", tuning);
    this.#writer.frameMax = tuning.frameMax;
    this.#writer.method(0, "connection.open", { virtualHost: this.#config.virtualHost ?? defaultVirtualHost });
    return tuning;
  }

  /** What a `connection.close` of the server means in this phase. */
  refused(phase: ConnectionPhase, reason: CloseReason): ConnectionError {
    const said = `${reason.replyCode} ${reason.replyText}`;
    if (phase === "sasl" && reason.replyCode === 403) {
      return failed("sasl", "AUTHENTICATION_FAILED", `The server refused the login: ${said}`, { reason });
    }
    if (phase === "opening" && reason.method === "connection.open") {
      const virtualHost = JSON.stringify(this.#config.virtualHost ?? defaultVirtualHost);
      return failed("open", "VIRTUAL_HOST_REFUSED", `The server refused virtual host ${virtualHost}: ${said}`, {
        reason,
      });
    }
    const message = `The server closed the connection during the handshake: ${said}`;
    return failed(connectPhase(phase), "CONNECTION_CLOSED_BY_SERVER", message, { reason });
  }

  /** What the end of the transport means in this phase: RabbitMQ refuses several things by just hanging up. */
  lost(phase: ConnectionPhase, cause: unknown): ConnectionError {
    const step = connectPhase(phase);
    const options = { cause };
    if (this.#greeting.length > 0 && !this.#speaksAmqp) {
      return failed(step, "NOT_AMQP", "The server hung up after a few octets that are not AMQP", options);
    }
    const { frameMax = 0 } = this.#tuning ?? {};
    if (phase === "opening" && frameMax !== 0 && frameMax < safeFrameMax) {
      const message = `The server hung up after a frame-max of ${frameMax}; RabbitMQ 4.1 and newer refuse less than ${safeFrameMax}`;
      return failed("tune", "TUNING_FAILED", message, options);
    }
    const said = cause instanceof Error ? `: ${cause.message}` : "";
    return failed(step, "CONNECTION_LOST", `${lostBecause[step]}${this.#startOkHint(phase)}${said}`, options);
  }

  /** What it means that the server said nothing for too long. */
  timedOut(phase: ConnectionPhase): ConnectionError {
    const step = connectPhase(phase);
    const message = `The handshake was not finished in time, in phase ${step}`;
    return failed(step, "HANDSHAKE_TIMEOUT", message);
  }

  #startOkHint(phase: ConnectionPhase): string {
    if (phase !== "sasl" || this.#startOkSize <= safeStartOkSize) return "";
    return `; connection.start-ok had ${this.#startOkSize} bytes, and RabbitMQ before 4.1 takes ${safeStartOkSize}`;
  }
}

/** The phase of connecting that a phase of the engine belongs to. */
export function connectPhase(phase: ConnectionPhase): "header" | "sasl" | "open" {
  return phase === "header" ? "header" : phase === "sasl" ? "sasl" : "open";
}

const lostBecause: Readonly<Record<ReturnType<typeof connectPhase>, string>> = {
  header: "The server hung up before it spoke AMQP",
  sasl: "The server hung up during the login, as RabbitMQ does for a malformed SASL response",
  open: "The server hung up after the login, as RabbitMQ does when it refuses the tuned values",
};

function refusedGreeting(greeting: Exclude<Greeting, { kind: "frame" }>): ConnectionError {
  switch (greeting.kind) {
    case "amqp":
      return wrongVersion(greeting.version.slice(1).join("-"));
    case "tls":
      return failed("header", "TLS_EXPECTED", "The server answered with TLS: use TLS on this port");
    case "http":
      return failed("header", "NOT_AMQP", "The server speaks HTTP on this port, not AMQP");
    default:
      return failed("header", "NOT_AMQP", "The server does not speak AMQP on this port");
  }
}

function wrongVersion(version: string): ConnectionError {
  return failed("header", "PROTOCOL_VERSION_REFUSED", `The server speaks AMQP ${version}; this client speaks 0-9-1`);
}

function failed(
  phase: ConnectPhase,
  code: ConnectionErrorCode,
  message: string,
  options?: Omit<ConnectionErrorOptions, "phase">,
): ConnectionError {
  return new ConnectionError(code, message, { ...options, phase });
}

/** A turn of a mechanism that a user may have written: it may throw, or return what cannot be sent. */
function saslTurn(name: string, turn: () => void): void {
  try {
    turn();
  } catch (cause) {
    throw failed("sasl", "AUTHENTICATION_FAILED", `The SASL mechanism ${name} failed`, { cause });
  }
}
