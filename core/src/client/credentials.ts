/** Credentials: what a caller gives, and the SASL mechanisms that it comes to. */

import type { Millis } from "../engine/config.ts";
import { amqplain, plain, type SaslMechanism } from "../engine/sasl.ts";
import { illegal, illegalSecret, isRecord, secretText } from "./option-checks.ts";
import type { Credentials, PasswordCredentials, ProvidedCredentials } from "./parameters.ts";

/** RabbitMQ's own default, which it accepts from this host only (rabbitmq.com/docs/access-control). */
export const guest: PasswordCredentials = { username: "guest", password: "guest" };

const legalCredentials =
  "{ username, password }, a SASL mechanism, an array of them, or a function that gives one of these";

/** Checks credentials that are there, or that are a function; what the function gives is checked when it is asked. */
export function checkCredentials(value: unknown, name: string): void {
  if (typeof value === "function") return;
  mechanismsOf(value, name);
  if (isRecord(value) && "validFor" in value) {
    throw illegalSecret(name, "given by a function where they have a validFor: it is asked for new ones");
  }
}

/**
 * The mechanisms, in order of preference. A password is good for PLAIN, which every server has, and for AMQPLAIN.
 *
 * @throws UsageError INVALID_ARGUMENT, which shows nothing of the credentials.
 */
function mechanismsOf(credentials: unknown, name = "credentials"): readonly SaslMechanism[] {
  if (Array.isArray(credentials)) {
    if (credentials.length === 0) throw illegalSecret(name, "at least one SASL mechanism, not an empty array");
    return credentials.map((mechanism: unknown, index) => checkedMechanism(mechanism, `${name}[${index}]`));
  }
  if (!isRecord(credentials)) throw illegalSecret(name, legalCredentials);
  if ("start" in credentials) return [checkedMechanism(credentials, name)];

  const { username, password, validFor } = credentials;
  if (validFor !== undefined && !(typeof validFor === "number" && validFor > 0)) {
    throw illegal(`${name}.validFor`, "a number of milliseconds, more than 0", validFor);
  }
  checkPlainText(username, `${name}.username`);
  checkPlainText(password, `${name}.password`);
  return [plain(username, password), amqplain(username, password)];
}

/** Credentials, or whoever gives them. It shows neither. */
export class CredentialsSource {
  readonly #given: Credentials | (() => ProvidedCredentials | Promise<ProvidedCredentials>);
  #validFor: Millis | undefined;

  constructor(given: Credentials | (() => ProvidedCredentials | Promise<ProvidedCredentials>)) {
    this.#given = given;
  }

  /** How long what was given last is valid, from when it was given; `undefined`: for ever, as far as is known. */
  get validFor(): Millis | undefined {
    return this.#validFor;
  }

  /** Whether they are a function, which is asked before each attempt. */
  get isAsked(): boolean {
    return typeof this.#given === "function";
  }

  /** Asks for the credentials, where they are a function. */
  async mechanisms(): Promise<readonly SaslMechanism[]> {
    if (typeof this.#given !== "function") return mechanismsOf(this.#given);
    return this.#take(await this.#given()).mechanisms;
  }

  /** Asks again, for a password that takes the place of the one that expires. */
  async renew(): Promise<string> {
    if (typeof this.#given !== "function")
      throw illegalSecret("credentials", "a function where they are to be renewed");
    const { given } = this.#take(await this.#given());
    if (!isRecord(given) || typeof given["password"] !== "string")
      throw illegalSecret(functions, "{ username, password }");
    return given["password"];
  }

  #take(given: unknown): { readonly given: unknown; readonly mechanisms: readonly SaslMechanism[] } {
    const mechanisms = mechanismsOf(given, functions);
    this.#validFor = isRecord(given) && !("start" in given) ? (given["validFor"] as Millis | undefined) : undefined;
    return { given, mechanisms };
  }
}

const functions = "what the credentials function gave";

function checkedMechanism(value: unknown, name: string): SaslMechanism {
  if (!isMechanism(value)) throw illegalSecret(name, "a SASL mechanism, an object with a name and a function start");
  return value;
}

function isMechanism(value: unknown): value is SaslMechanism {
  if (!isRecord(value)) return false;
  const { name, start, respond } = value;
  const responds = respond === undefined || typeof respond === "function";
  return typeof name === "string" && name !== "" && typeof start === "function" && responds;
}

/** PLAIN separates its parts with NUL (RFC 4616), so they cannot contain one. */
function checkPlainText(value: unknown, name: string): asserts value is string {
  secretText(value, name);
  if (value.includes("\0")) throw illegalSecret(name, "a string without NUL characters");
}
