/** Options of a connection on their way to the worker: all but the functions. */

import { illegal, isRecord } from "../client/option-checks.ts";
import type { ConnectOptions, Credentials } from "../client/parameters.ts";
import { anonymous, external, type SaslMechanism } from "../engine/sasl.ts";
import type { Millis } from "../engine/config.ts";
import { UsageError } from "../wire/errors.ts";

/** Mechanisms that have no secret, and can be made anew by their name. */
const byName: Readonly<Record<string, () => SaslMechanism>> = { EXTERNAL: external, ANONYMOUS: anonymous };

/** What cannot be done in a thread that blocks. */
const impossible = ["signal", "tap", "readFile"] as const;

/**
 * What the blocking `connect()` takes: what the other one does, without functions, which cannot go to the thread that
 * has the connection. Of SASL mechanisms, `external()` and `anonymous()` can; a user name and a password go as such.
 */
export interface BlockingConnectOptions extends Omit<ConnectOptions, (typeof impossible)[number]> {
  /**
   * How long any call may block, unless it is told itself. Default: for ever, where nothing else limits it; most calls
   * end after `requestTimeout` anyway.
   */
  readonly timeout?: Millis | undefined;
}

/** @throws UsageError INVALID_ARGUMENT for what are no options; NOT_SUPPORTED for what cannot go to another thread. */
export function sendableOptions(options: BlockingConnectOptions): object {
  const given: unknown = options;
  if (!isRecord(given)) throw illegal("what connect() takes", "an object", given);
  for (const name of impossible) {
    if ((options as ConnectOptions)[name] !== undefined) throw notSupported(name);
  }
  const { timeout: _, credentials, ...rest } = options;
  for (const [name, value] of Object.entries(rest)) if (typeof value === "function") throw notSupported(name);
  if (typeof options.recovery === "object") {
    for (const [name, value] of Object.entries(options.recovery)) {
      if (typeof value === "function") throw notSupported(`recovery.${name}`);
    }
  }
  return credentials === undefined ? rest : { ...rest, credentials: sendableCredentials(credentials) };
}

/** Undoes {@link sendableOptions}, in the worker. */
export function receivedOptions(sent: object): ConnectOptions {
  const { credentials, ...rest } = sent as ConnectOptions & { credentials?: SentCredentials };
  if (credentials === undefined) return rest;
  if (!Array.isArray(credentials)) return { ...rest, credentials: credentials as Credentials };
  return { ...rest, credentials: (credentials as readonly string[]).map((name) => (byName[name] ?? external)()) };
}

/** A user name with a password, or names of mechanisms. */
type SentCredentials = object | readonly string[];

function sendableCredentials(credentials: NonNullable<ConnectOptions["credentials"]>): SentCredentials {
  if (typeof credentials === "function") throw notSupported("credentials");
  if (typeof credentials !== "object" || credentials === null) return credentials;
  if (!Array.isArray(credentials) && "username" in credentials) {
    const { username, password } = credentials;
    return { username, password };
  }
  const mechanisms = (Array.isArray(credentials) ? credentials : [credentials]) as readonly SaslMechanism[];
  return mechanisms.map(({ name }) => {
    if (!Object.hasOwn(byName, name)) {
      throw new UsageError(
        "NOT_SUPPORTED",
        `The SASL mechanism ${String(name)} cannot go to another thread; give a user name and a password, external() or anonymous()`,
      );
    }
    return name;
  });
}

function notSupported(name: string): UsageError {
  return new UsageError("NOT_SUPPORTED", `A blocking connection has no ${name}: functions cannot go to another thread`);
}
