/** SASL: how a client proves who it is. */

import { lookup, MalformedTable, parseFields, textValue } from "../codec/fields.ts";
import { octetsOf, textOf } from "../codec/octets.ts";
import type { User } from "../users.ts";

/** What mechanisms need to know. */
export interface SaslContext {
  readonly users: ReadonlyMap<string, User>;
  /** The name that the transport vouches for: a client certificate's. */
  readonly peerName: string | undefined;
  readonly anonymousUser: string;
}

/** How a step of a mechanism ended. */
export type SaslOutcome =
  | { readonly kind: "accepted"; readonly user: User }
  /** Wrong credentials: the client may be told. */
  | { readonly kind: "refused" }
  /** The response is not what the mechanism wants: the client is told nothing. */
  | { readonly kind: "malformed" }
  | { readonly kind: "challenge"; readonly challenge: Uint8Array; readonly next: SaslStep };

/** Takes a response of the client. */
export type SaslStep = (response: Uint8Array) => SaslOutcome;

const refused: SaslOutcome = { kind: "refused" };
const malformed: SaslOutcome = { kind: "malformed" };

/** Every mechanism that the broker knows. */
const mechanisms: Readonly<Record<string, (context: SaslContext) => SaslStep>> = {
  PLAIN: (context) => (response) => {
    // authzid NUL authcid NUL password; RabbitMQ wants the first one empty.
    const [authorize, name, password, ...more] = textOf(response).split("\0");
    if (authorize !== "" || name === undefined || password === undefined || more.length > 0) return malformed;
    return login(context, name, password);
  },

  AMQPLAIN: (context) => (response) => {
    try {
      // The response's own length stands in for the table's.
      const table = parseFields(response);
      const name = textValue(lookup(table, "LOGIN"));
      const password = textValue(lookup(table, "PASSWORD"));
      return name === undefined || password === undefined ? malformed : login(context, name, password);
    } catch (error) {
      if (error instanceof MalformedTable) return malformed;
      throw error;
    }
  },

  EXTERNAL: (context) => () => {
    const user = context.peerName === undefined ? undefined : context.users.get(context.peerName);
    return user === undefined ? refused : { kind: "accepted", user };
  },

  ANONYMOUS: (context) => () => {
    const user = context.users.get(context.anonymousUser);
    return user === undefined ? refused : { kind: "accepted", user };
  },

  "RABBIT-CR-DEMO": (context) => (first) => ({
    kind: "challenge",
    challenge: octetsOf("Please tell me your password"),
    next: (second) => {
      const prefix = "My password is ";
      const answer = textOf(second);
      return answer.startsWith(prefix) ? login(context, textOf(first), answer.slice(prefix.length)) : malformed;
    },
  }),
};

/** The first step of a mechanism; `undefined` when the broker does not know it. */
export function startSasl(mechanism: string, context: SaslContext): SaslStep | undefined {
  return Object.hasOwn(mechanisms, mechanism) ? mechanisms[mechanism]?.(context) : undefined;
}

function login(context: SaslContext, name: string, password: string): SaslOutcome {
  const user = context.users.get(name);
  return user?.hasPassword(password) === true ? { kind: "accepted", user } : refused;
}
