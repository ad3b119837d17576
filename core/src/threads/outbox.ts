/** How items leave for another thread: everything of one turn in one message, with bodies that are handed over, not cloned. */

import { copyOf } from "../wire/bytes.ts";
import type { ThreadPort } from "./port.ts";
import { type Batch, type BodyItem, protocolVersion } from "./protocol.ts";

/** Bodies from this size on travel in a buffer of their own. */
const largeBody = 16 * 1024;

/** Bytes of bodies from which on a batch leaves at once. */
const maxBatchBytes = 1024 * 1024;

/** Items from which on it does. */
const maxBatchItems = 1024;

/** Collects items, and posts them at the end of the turn. */
export class Outbox<Item extends object> {
  readonly #port: Pick<ThreadPort, "postMessage">;
  readonly #posted: () => void;
  #items: Item[] = [];
  #small: { readonly body: Uint8Array; readonly size: number }[] = [];
  #smallBytes = 0;
  #bytes = 0;
  #transfer: ArrayBuffer[] = [];
  #scheduled = false;
  #closed = false;

  /** @param posted - Called behind every message that left. */
  constructor(port: Pick<ThreadPort, "postMessage">, posted: () => void = () => {}) {
    this.#port = port;
    this.#posted = posted;
  }

  /** Sends an item without a body. */
  post(item: Item): void {
    if (this.#closed) return;
    this.#items.push(item);
    if (this.#items.length >= maxBatchItems) return this.flush();
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => this.flush());
  }

  /**
   * Sends an item with a body. A small body, and one whose memory is shared, is copied; a large one that has its buffer
   * to itself is handed over when `mayTransfer` says so, and then is empty here.
   */
  postWithBody(item: Item & BodyItem, body: Uint8Array, mayTransfer: boolean): void {
    if (this.#closed) return;
    if (body.length >= largeBody) item.body = this.#handOver(body, mayTransfer);
    else {
      item.body = body.length;
      this.#small.push({ body, size: body.length });
      this.#smallBytes += body.length;
    }
    this.#bytes += body.length;
    this.post(item);
    if (this.#bytes >= maxBatchBytes) this.flush();
  }

  /** Sends what was collected. */
  flush(): void {
    this.#scheduled = false;
    if (this.#items.length === 0 || this.#closed) return;
    const bodies = this.#joined();
    const batch: Batch<Item> = { leveret: protocolVersion, items: this.#items, bodies };
    const transfer = this.#transfer;
    this.#items = [];
    this.#transfer = [];
    this.#bytes = 0;
    this.#port.postMessage(batch, transfer);
    this.#posted();
  }

  /** Sends what was collected, and nothing more. */
  close(): void {
    this.flush();
    this.#closed = true;
  }

  #handOver(body: Uint8Array, mayTransfer: boolean): Uint8Array {
    const { buffer } = body;
    const whole = body.byteLength === buffer.byteLength && buffer instanceof ArrayBuffer;
    // Nothing can be handed over twice.
    const free = whole && !this.#transfer.includes(buffer);
    const own = mayTransfer && free ? body : copyOf(body, 0, body.length);
    this.#transfer.push(own.buffer as ArrayBuffer);
    return own;
  }

  #joined(): Uint8Array | undefined {
    if (this.#smallBytes === 0) {
      this.#small = [];
      return undefined;
    }
    const joined = new Uint8Array(this.#smallBytes);
    let at = 0;
    for (const { body, size } of this.#small) {
      // One whose memory has gone elsewhere meanwhile spoils no other.
      if (body.length === size) joined.set(body, at);
      at += size;
    }
    this.#transfer.push(joined.buffer);
    this.#small = [];
    this.#smallBytes = 0;
    return joined;
  }
}

const nothing = new Uint8Array(0);

/** Gives the items of a batch to `take`, in order, each with its body. */
export function openBatch<Item extends object>(
  { items, bodies = nothing }: Batch<Item>,
  take: (item: Item) => void,
): void {
  let at = 0;
  for (const item of items) {
    const withBody = item as Partial<BodyItem>;
    if (typeof withBody.body === "number") {
      const end = at + withBody.body;
      withBody.body = bodies.subarray(at, end);
      at = end;
    }
    take(item);
  }
}

/** Whether a message is a batch, of a release that speaks as this one does. */
export function isBatch<Item>(data: unknown): data is Batch<Item> {
  return typeof data === "object" && data !== null && "leveret" in data && data.leveret === protocolVersion;
}
