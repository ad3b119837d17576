/** A channel as a simulated client believes it to be. */

import type { Request } from "@leveret/core";
import type { SeenInOrder } from "../ledger.ts";

/** A consumer of the channel. */
export interface ConsumerModel {
  readonly queue: string;
  readonly noAck: boolean;
  readonly seen: SeenInOrder;
}

/** A message that is to be settled. */
export interface HeldMessage {
  readonly id: number;
  /** Where it came from; unknown of what came for a consumer that was cancelled. */
  readonly queue: string | undefined;
}

/** What a client remembers of one channel, from its opening to its end. */
export class ChannelModel {
  readonly number: number;
  /** Names the channel as a publisher in the ledger: numbers are used again, this is not. */
  readonly publisher: number;
  state: "opening" | "open" | "closing" = "opening";
  readonly consumers: Map<string, ConsumerModel> = new Map();
  /** Messages by delivery tag, of what is to be settled. */
  readonly unsettled: Map<number, HeldMessage> = new Map();
  /** The same of what was settled in transactions: a rollback makes it outstanding again. */
  readonly settledInTransactions: Map<number, HeldMessage> = new Map();
  /** Message ids by sequence number, of what waits for its confirm. */
  readonly unconfirmed: Map<number, number> = new Map();
  /** What happens when a request is answered, or ends with the channel. */
  readonly requests: Map<Request, RequestModel> = new Map();
  /** Message ids published in the transaction that is open. */
  uncommitted: number[] = [];
  published = 0;
  /** Between `basic.recover` and its answer nothing is settled: the tags are void. */
  recovering = false;

  constructor(number: number, publisher: number) {
    this.number = number;
    this.publisher = publisher;
  }
}

/** A request that was made. */
export interface RequestModel {
  /** The queue of a `basic.get`. */
  readonly queue?: string;
  readonly answered?: () => void;
  /** Called in any case, after `answered`. */
  readonly ended?: () => void;
}
