/** The handshake of a connection: header, SASL, tuning, virtual host. */

import { type Arguments, type Fields, type Method, type ServerMethodName } from "@leveret/core/wire";
import { boolValue, type Fields as TypedFields, lookup, nestedFields, textValue } from "../codec/fields.ts";
import { octetsOf, sameOctets } from "../codec/octets.ts";
import { Refusal } from "../failures.ts";
import type { BrokerSettings, TuningOptions } from "../options.ts";
import type { Profile } from "../profile.ts";
import type { VirtualHost } from "../topology/virtual-host.ts";
import type { User } from "../users.ts";
import { type SaslContext, type SaslOutcome, type SaslStep, startSasl } from "./sasl.ts";

/** The octets of a protocol header. */
export const headerSize = 8;

/** What was agreed on. */
export interface Agreement {
  readonly user: User;
  readonly virtualHost: VirtualHost;
}

/** What the client says about itself. */
export interface ClientFeatures {
  readonly name: string | undefined;
  readonly authenticationFailureClose: boolean;
  readonly blocked: boolean;
  readonly consumerCancelNotify: boolean;
}

/** What the handshake needs of its connection. */
export interface HandshakeHost {
  readonly settings: BrokerSettings;
  readonly profile: Profile;
  readonly sasl: SaslContext;
  readonly isLoopback: boolean;
  readonly virtualHosts: ReadonlyMap<string, VirtualHost>;
  send<M extends ServerMethodName>(name: M, fields: Arguments<M>): void;
  isFull(): boolean;
  /** The client's tuning holds: heartbeats begin. */
  tuned(tuning: TuningOptions): void;
  /** The connection is open. */
  opened(agreement: Agreement): void;
  /** Ends the connection without a word, after a while. */
  fallSilent(): void;
}

/** RabbitMQ accepts two spellings of its version. */
const acceptedHeaders: readonly Uint8Array[] = [
  Uint8Array.of(0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1),
  Uint8Array.of(0x41, 0x4d, 0x51, 0x50, 1, 1, 0, 9),
];

type Step = "start-ok" | "secure-ok" | "tune-ok" | "open" | "done";

/** Everything before a connection is open. A method out of order ends it without a word. */
export class Handshake {
  readonly #host: HandshakeHost;
  #step: Step = "start-ok";
  #sasl: SaslStep | undefined;
  #mechanism = "";
  #user: User | undefined;
  #features: ClientFeatures = {
    name: undefined,
    authenticationFailureClose: false,
    blocked: false,
    consumerCancelNotify: false,
  };

  constructor(host: HandshakeHost) {
    this.#host = host;
  }

  get features(): ClientFeatures {
    return this.#features;
  }

  /** The user, once known. */
  get user(): User | undefined {
    return this.#user;
  }

  /** True once the limits of frames are those of tuning. */
  get isTuned(): boolean {
    return this.#step === "open" || this.#step === "done";
  }

  /** Greets a client by its protocol header; false when it speaks something else. */
  greet(header: Uint8Array): boolean {
    if (!acceptedHeaders.some((accepted) => sameOctets(accepted, header))) return false;
    const { settings, profile } = this.#host;
    this.#host.send("connection.start", {
      versionMajor: 0,
      versionMinor: 9,
      serverProperties: serverProperties(profile, settings.clusterName),
      mechanisms: octetsOf(settings.mechanisms.join(" ")),
      locales: octetsOf("en_US"),
    });
    return true;
  }

  /**
   * Takes a method of the handshake.
   *
   * @throws Refusal what the client is told before the connection ends.
   */
  method({ name, fields }: Method, table: TypedFields): void {
    switch (this.#step) {
      case "start-ok":
        if (name === "connection.start-ok") return this.#startOk(fields, table);
        break;
      case "secure-ok":
        if (name === "connection.secure-ok") return this.#respond(fields.response);
        break;
      case "tune-ok":
        if (name === "connection.tune-ok") return this.#tuneOk(fields);
        break;
      case "open":
        if (name === "connection.open") return this.#open(fields);
        break;
      case "done":
        break;
    }
    this.#host.fallSilent();
  }

  #startOk({ mechanism, response }: Fields<"connection.start-ok">, clientProperties: TypedFields): void {
    this.#features = featuresOf(clientProperties);
    this.#mechanism = mechanism;
    const isOffered = this.#host.settings.mechanisms.includes(mechanism);
    this.#sasl = isOffered ? startSasl(mechanism, this.#host.sasl) : undefined;
    if (this.#sasl === undefined) this.#host.fallSilent();
    else this.#respond(response);
  }

  #respond(response: Uint8Array): void {
    const outcome = this.#sasl?.(response) ?? ({ kind: "malformed" } satisfies SaslOutcome);
    switch (outcome.kind) {
      case "accepted":
        if (outcome.user.loopbackOnly && !this.#host.isLoopback) return this.#refuseLogin();
        this.#user = outcome.user;
        this.#step = "tune-ok";
        return this.#host.send("connection.tune", this.#host.settings.tuning);
      case "challenge":
        this.#sasl = outcome.next;
        this.#step = "secure-ok";
        return this.#host.send("connection.secure", { challenge: outcome.challenge });
      case "refused":
        return this.#refuseLogin();
      case "malformed":
        return this.#host.fallSilent();
    }
  }

  #refuseLogin(): void {
    if (!this.#features.authenticationFailureClose) return this.#host.fallSilent();
    throw new Refusal(
      "ACCESS_REFUSED",
      `Login was refused using authentication mechanism ${this.#mechanism}. For details see the broker logfile.`,
      { blames: "none" },
    );
  }

  #tuneOk(answer: Fields<"connection.tune-ok">): void {
    const { tuning } = this.#host.settings;
    const suits =
      isWithin(answer.frameMax, tuning.frameMax, this.#host.profile.frameMin) &&
      isWithin(answer.channelMax, tuning.channelMax, 1);
    if (!suits) return this.#host.fallSilent();
    this.#step = "open";
    this.#host.tuned(answer);
  }

  #open({ virtualHost: name }: Fields<"connection.open">): void {
    const user = this.#user as User;
    const { maxConnections } = this.#host.settings.limits;
    if (this.#host.isFull()) {
      throw new Refusal("NOT_ALLOWED", `connection refused: node connection limit (${maxConnections}) is reached`);
    }
    const virtualHost = this.#host.virtualHosts.get(name);
    if (virtualHost === undefined) throw new Refusal("NOT_ALLOWED", `vhost ${name} not found`);
    if (!virtualHost.isUp) {
      const text = `access to vhost '${name}' refused for user '${user.name}': vhost '${name}' is down`;
      throw new Refusal("INTERNAL_ERROR", text);
    }
    if (!user.mayEnter(name)) {
      throw new Refusal("NOT_ALLOWED", `access to vhost '${name}' refused for user '${user.name}'`);
    }
    this.#step = "done";
    this.#host.opened({ user, virtualHost });
    this.#host.send("connection.open-ok", {});
  }
}

/** Zero stands for no limit, so it is refused where the server has one. */
function isWithin(answer: number, proposed: number, least: number): boolean {
  if (answer === 0) return proposed === 0;
  return answer >= least && (proposed === 0 || answer <= proposed);
}

function featuresOf(clientProperties: TypedFields): ClientFeatures {
  const field = lookup(clientProperties, "capabilities");
  const capabilities = field?.type === "table" ? nestedFields(field) : [];
  const has = (name: string): boolean => boolValue(lookup(capabilities, name)) === true;
  return {
    name: textValue(lookup(clientProperties, "connection_name")),
    authenticationFailureClose: has("authentication_failure_close"),
    blocked: has("connection.blocked"),
    consumerCancelNotify: has("consumer_cancel_notify"),
  };
}

function serverProperties(profile: Profile, clusterName: string): Arguments<"connection.start">["serverProperties"] {
  return {
    capabilities: {
      publisher_confirms: true,
      exchange_exchange_bindings: true,
      "basic.nack": true,
      consumer_cancel_notify: true,
      "connection.blocked": true,
      consumer_priorities: true,
      authentication_failure_close: true,
      per_consumer_qos: true,
      direct_reply_to: true,
    },
    cluster_name: clusterName,
    copyright: "",
    information: "An embedded broker that behaves as RabbitMQ does",
    platform: "JavaScript",
    // Clients look for this name before they use RabbitMQ's extensions.
    product: "RabbitMQ",
    version: profile.version,
  };
}
