/** The constants of AMQP 0-9-1 (amqp0-9-1.xml, `constant`), and the limits of this codec. */

/** The types a frame can have. The "4" for heartbeats in section 4.2.7 of the specification is an error. */
export const frameType = { method: 1, header: 2, body: 3, heartbeat: 8 } as const;

/** The octet behind every frame. */
export const frameEnd = 0xce;

/** The octets in front of every payload: type, channel, size. */
export const frameHeaderSize = 7;

/** What a frame needs besides its payload. A frame size (`frameMax`) counts these octets in. */
export const frameOverhead = 8;

/** The frame size that every peer has to accept, and the smallest that may be negotiated. RabbitMQ 4.1 asks for 8192. */
export const frameMinSize = 4096;

/** The highest channel number. */
export const maxChannelNumber = 0xffff;

/** The longest short string, in bytes of UTF-8. */
export const maxShortStringSize = 255;

/**
 * The largest payload of a method, header or heartbeat frame that is read or written, whatever frame size was negotiated:
 * 16 MiB. Such a frame has to be held in one piece. Body frames have no limit of their own, because they are handed on as
 * they arrive.
 */
export const maxFramePayload = 16_777_216;

/**
 * How deep tables and arrays may be nested in each other; a table by itself has depth 1.
 *
 * AMQP sets no limit, and RabbitMQ forwards headers that are thousands of levels deep. What people mean is never that deep
 * (`x-death` has 3 levels), while recursion over such a value would exhaust the stack, here and in the application.
 */
export const maxTableDepth = 128;

/** What a client sends first: `AMQP`, 0, and version 0-9-1. Copy it, never change it. */
export const protocolHeader: Uint8Array = Uint8Array.of(0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1);

/** The reply codes of `connection.close`, `channel.close` and `basic.return`. */
export const replyCodes = {
  success: 200,
  contentTooLarge: 311,
  noRoute: 312,
  noConsumers: 313,
  connectionForced: 320,
  invalidPath: 402,
  accessRefused: 403,
  notFound: 404,
  resourceLocked: 405,
  preconditionFailed: 406,
  frameError: 501,
  syntaxError: 502,
  commandInvalid: 503,
  channelError: 504,
  unexpectedFrame: 505,
  resourceError: 506,
  notAllowed: 530,
  notImplemented: 540,
  internalError: 541,
} as const;

/** The name of a reply code as RabbitMQ's reply texts begin with it, such as `"NOT_FOUND"` for 404. */
export function replyName(code: number): string | undefined {
  const [name] = Object.entries(replyCodes).find(([, known]) => known === code) ?? [];
  return name?.replace(/[A-Z]/g, "_$&").toUpperCase();
}
