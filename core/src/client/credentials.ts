/** Credentials: what a caller gives, and the SASL mechanisms that it comes to. */

import { amqplain, plain, type SaslMechanism } from "../engine/sasl.ts";
import { illegalSecret, isRecord } from "./option-checks.ts";
import type { Credentials, PasswordCredentials } from "./parameters.ts";

/** RabbitMQ's own default, which it accepts from this host only (rabbitmq.com/docs/access-control). */
export const guest: PasswordCredentials = { username: "guest", password: "guest" };

const legalCredentials =
  "{ username, password }, a SASL mechanism, an array of them, or a function that gives one of these";

/** Checks credentials that are there, or that are a function; what the function gives is checked when it is asked. */
export function checkCredentials(value: unknown, name: string): void {
  if (typeof value !== "function") mechanismsOf(value, name);
}

/**
 * The mechanisms, in order of preference. A password is good for PLAIN, which every server has, and for AMQPLAIN.
 *
 * @throws UsageError INVALID_ARGUMENT, which shows nothing of the credentials.
 */
export function mechanismsOf(credentials: unknown, name = "credentials"): readonly SaslMechanism[] {
  if (Array.isArray(credentials)) {
    if (credentials.length === 0) throw illegalSecret(name, "at least one SASL mechanism, not an empty array");
    return credentials.map((mechanism: unknown, index) => checkedMechanism(mechanism, `${name}[${index}]`));
  }
  if (!isRecord(credentials)) throw illegalSecret(name, legalCredentials);
  if ("start" in credentials) return [checkedMechanism(credentials, name)];

  const { username, password } = credentials;
  checkPlainText(username, `${name}.username`);
  checkPlainText(password, `${name}.password`);
  return [plain(username, password), amqplain(username, password)];
}

/** Asks for the credentials, where they are a function. */
export async function resolveCredentials(
  given: Credentials | (() => Credentials | Promise<Credentials>),
): Promise<readonly SaslMechanism[]> {
  if (typeof given === "function") return mechanismsOf(await given(), "what the credentials function gave");
  return mechanismsOf(given);
}

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
  if (typeof value !== "string") throw illegalSecret(name, `a string, not of type ${typeof value}`);
  if (value.includes("\0")) throw illegalSecret(name, "a string without NUL characters");
}
