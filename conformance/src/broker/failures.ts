/** What goes wrong by AMQP's rules: reply codes, whether each ends a channel or the connection, and the words. */

import { AmqpError, type MethodName } from "@leveret/core/wire";

/** AMQP's reply codes by name (amqp0-9-1.xml, constants). */
export const replyCodes = {
  NO_ROUTE: 312,
  NO_CONSUMERS: 313,
  CONNECTION_FORCED: 320,
  INVALID_PATH: 402,
  ACCESS_REFUSED: 403,
  NOT_FOUND: 404,
  RESOURCE_LOCKED: 405,
  PRECONDITION_FAILED: 406,
  FRAME_ERROR: 501,
  SYNTAX_ERROR: 502,
  COMMAND_INVALID: 503,
  CHANNEL_ERROR: 504,
  UNEXPECTED_FRAME: 505,
  RESOURCE_ERROR: 506,
  NOT_ALLOWED: 530,
  NOT_IMPLEMENTED: 540,
  INTERNAL_ERROR: 541,
} as const;

/** The name of a reply code. */
export type ReplyCodeName = keyof typeof replyCodes;

/** The codes that end one channel; every other code ends the connection. */
const softCodes: ReadonlySet<ReplyCodeName> = new Set([
  "NO_ROUTE",
  "NO_CONSUMERS",
  "ACCESS_REFUSED",
  "NOT_FOUND",
  "RESOURCE_LOCKED",
  "PRECONDITION_FAILED",
]);

/**
 * The client did what the broker refuses. It is thrown where the rule is, caught by the connection, and answered there
 * by `channel.close` or `connection.close`.
 */
export class Refusal extends AmqpError {
  override name = "Refusal";
  declare readonly code: ReplyCodeName;

  /** The words after the name of the code. */
  readonly explanation: string;
  /** The method to blame; `undefined` for the one that is being handled, `"none"` for none (class and method id 0). */
  readonly blames: MethodName | "none" | undefined;

  constructor(code: ReplyCodeName, explanation: string, options: { readonly blames?: MethodName | "none" } = {}) {
    super(code, explanation === "" ? code : `${code} - ${explanation}`);
    this.explanation = explanation;
    this.blames = options.blames;
  }

  /** The same, with a method to blame unless it blames one already. */
  blaming(method: MethodName): Refusal {
    return new Refusal(this.code, this.explanation, { blames: this.blames ?? method });
  }

  get replyCode(): number {
    return replyCodes[this.code];
  }

  /** True: the channel ends, and the connection lives on. */
  get isSoft(): boolean {
    return softCodes.has(this.code);
  }
}

/** `queue 'q' in vhost '/'`, as RabbitMQ says it. */
export function describe(kind: "queue" | "exchange", name: string, virtualHost: string): string {
  return `${kind} '${name}' in vhost '${virtualHost}'`;
}
