/** SASL: how a client proves who it is. A mechanism is a value; its secret lives in a closure and is never shown. */

import { encodeTable } from "../wire/table.ts";
import { encodeText } from "../wire/text.ts";
import { invalid } from "../wire/values.ts";

/** One SASL mechanism, as one connection uses it. */
export interface SaslMechanism {
  /** The name that the server offers it by, such as `"PLAIN"`. */
  readonly name: string;
  /** The response that opens the exchange, in `connection.start-ok`. */
  start(): Uint8Array;
  /** The response to a challenge (`connection.secure`). A mechanism without it does not expect one. */
  respond?(challenge: Uint8Array): Uint8Array;
}

/**
 * PLAIN (RFC 4616): user name and password, readable by anyone on the way; use it over TLS.
 *
 * @throws UsageError INVALID_ARGUMENT for text that is not well-formed, or has the NUL that separates the two.
 */
export function plain(username: string, password: string): SaslMechanism {
  if (`${username}${password}`.includes("\0")) {
    throw invalid("A user name and a password of PLAIN", "have no NUL character");
  }
  const response = encodeText(`\0${username}\0${password}`);
  return { name: "PLAIN", start: () => response };
}

/**
 * AMQPLAIN: the same in the form of a field table.
 *
 * @throws UsageError INVALID_ARGUMENT for text that is not well-formed.
 */
export function amqplain(username: string, password: string): SaslMechanism {
  // The response's own length takes the place of the table's: the four octets in front are left out.
  const response = encodeTable({ LOGIN: username, PASSWORD: password }).subarray(4);
  return { name: "AMQPLAIN", start: () => response };
}

/** EXTERNAL: the server takes the identity from the TLS client certificate (plugin rabbitmq_auth_mechanism_ssl). */
export function external(): SaslMechanism {
  return { name: "EXTERNAL", start: () => new Uint8Array(0) };
}

/** ANONYMOUS (RabbitMQ 4.0 and newer): logs in as the server's anonymous user. Used only when it is asked for. */
export function anonymous(): SaslMechanism {
  return { name: "ANONYMOUS", start: () => new Uint8Array(0) };
}
