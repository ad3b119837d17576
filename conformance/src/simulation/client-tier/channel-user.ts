/** What an application does with a channel. */

import type { Channel } from "@leveret/core/client";
import type { OwnedQueue } from "../queues.ts";
import { invariant } from "../violation.ts";
import { ConsumerUser } from "./consumer-user.ts";
import { changeExchange, type ExchangeAction } from "./exchange-user.ts";
import { DeliveryLog } from "./delivery-log.ts";
import { arrivalOf, isPermanent, type Letter, readLetter, writeLetter } from "./messages.ts";
import { OnPurpose } from "./promises.ts";
import type { Session } from "./session.ts";
import type { SimulatedLink } from "./simulated-link.ts";

const largestBurst = 8;
const largestPrefetch = 5;
/** How long a request and its answer may be on their way, mostly. */
const longestFlight = 60;
const modeWeights = { confirm: 6, plain: 2, tx: 2 } as const;

/** A message of a transaction. */
interface Uncommitted {
  readonly id: number;
  /** The link that it was handed over to; none while it waits, or when it failed. */
  link?: SimulatedLink | undefined;
}

export class ChannelUser {
  readonly #session: Session;
  readonly #channel: Channel;
  readonly #log: DeliveryLog;
  readonly #publisher: number;
  /** How publishes are treated, as far as it is known: the mode is selected when the server said so. */
  #mode: keyof typeof modeWeights;
  #selected = false;
  #published = 0;
  /** What was published since the last commit or rollback: that order is kept, also by what has to wait. */
  #uncommitted: Uncommitted[] = [];
  #gets = false;
  #consumes = false;
  #isOver = false;

  constructor(session: Session, channel: Channel) {
    this.#session = session;
    this.#channel = channel;
    this.#log = new DeliveryLog(session, channel);
    this.#publisher = session.surroundings.nextPublisher();
    this.#mode = session.random.weighted(modeWeights);
    this.#log.inTransactions = this.#mode === "tx";
    const { promises, book } = session.surroundings;
    let closings = 0;
    channel.on("return", (message) =>
      promises.guard(() => {
        if (session.believes) book.returned(readLetter(message));
        throw new OnPurpose();
      }),
    );
    channel.on("closed", () =>
      promises.guard(() => {
        closings += 1;
        invariant(closings === 1, "an end is told once", () => `${closings} times`);
      }),
    );
    session.watch("channel.closed", channel.closed, {
      kind: "life",
      done: () => {
        this.#isOver = true;
      },
    });
    if (this.#mode === "confirm") this.#select("confirmSelect", channel.confirmSelect());
    if (this.#mode === "tx") this.#select("txSelect", channel.txSelect());
  }

  #select(name: string, promise: Promise<unknown>): void {
    this.#session.watch(name, promise, {
      done: () => {
        this.#selected = true;
      },
      // The channel may come back, and is what it was.
      failed: () => {
        this.#mode = "plain";
        this.#log.inTransactions = false;
      },
    });
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get number(): number {
    return this.#channel.number;
  }

  get consumerTags(): readonly string[] {
    return this.#channel.consumerTags;
  }

  publish(): void {
    for (let left = this.#session.random.int(1, largestBurst); left > 0; left -= 1) {
      if (this.#channel.state !== "open") return;
      this.#published += 1;
      const letter = writeLetter(this.#session, this.#publisher, this.#published);
      if (letter !== undefined) this.#publish(letter);
    }
  }

  #publish(letter: Letter): void {
    const session = this.#session;
    const { book } = session.surroundings;
    const { id, ...message } = letter;
    const uncommitted: Uncommitted = { id };
    if (this.#mode === "tx") this.#uncommitted.push(uncommitted);
    const promise = this.#channel.basicPublish({ ...message, signal: session.signal(), timeout: session.timeout() });
    // Whether it is confirmed, or only handed over. What is returned comes back before the confirm.
    session.watch(`basicPublish ${id}`, promise, {
      done: () => {
        if (!session.believes) return;
        if (this.#mode === "confirm") book.confirmed(id);
        else uncommitted.link = session.io.latest;
      },
      failed: (error) => {
        if (session.believes) book.failed(id, error);
      },
    });
  }

  commit(): void {
    if (this.#mode !== "tx" || !this.#selected) return;
    const session = this.#session;
    const published = this.#uncommitted;
    this.#uncommitted = [];
    if (session.random.chance(0.3)) return session.watch("txRollback", this.#channel.txRollback());
    session.watch("txCommit", this.#channel.txCommit(), {
      done: () => {
        if (!session.believes) return;
        for (const { id, link } of published) {
          if (link === undefined) continue;
          invariant(
            link === session.io.latest,
            "what was lost with a connection is not committed",
            () => `message ${id} was published on the one before`,
          );
          session.surroundings.book.ledger.settle(id, "ack");
        }
      },
    });
  }

  get(): void {
    const session = this.#session;
    const queue = session.random.pick(session.surroundings.queues.all);
    if (queue === undefined || this.#log.recovering) return;
    if (!this.#gets) this.#log.sources += 1;
    this.#gets = true;
    session.watch("basicGet", this.#channel.basicGet({ queue: queue.name, signal: session.signal() }), {
      done: (message) => {
        if (message === undefined || !session.believes) return;
        const id = readLetter(message);
        session.surroundings.book.delivered(id, { ...arrivalOf(message, queue.name), redelivered: true }, new Map());
        this.#log.add(message, { id, queue: queue.name });
        this.#log.hold(message);
      },
    });
  }

  /** Settles something, if there is anything to settle: mostly for the first time. */
  settle(): void {
    if (!this.#log.recovering) this.#log.settleSome();
  }

  changeExchange(action: ExchangeAction): void {
    changeExchange(this.#session, this.#channel, action);
  }

  changeQueue(action: "declare" | "delete" | "purge"): void {
    const session = this.#session;
    const { queues, book } = session.surroundings;
    const { exchanges } = session.surroundings;
    const isBinding = (queue: OwnedQueue): boolean => exchanges.bindingsTo(queue).some(({ busy }) => busy);
    const mine = queues.ownedBy(session.owner).filter((one) => !one.busy && !(action === "delete" && isBinding(one)));
    const queue = session.random.pick(action === "declare" ? mine : mine.filter((one) => !isPermanent(one)));
    if (queue === undefined) return;
    const before = queue.state;
    queue.busy = true;
    // What is there stays there when it is declared again.
    if (action !== "purge" && !(isPermanent(queue) && before === "present")) queue.state = "unknown";
    const bindings = action === "delete" ? exchanges.bindingsTo(queue) : [];
    const bound = bindings.map(({ state }) => state);
    for (const binding of bindings) binding.state = "unknown";
    const emptied = action === "declare" ? undefined : book.ledger.emptying(queue.name);
    const ended = (): void => {
      queue.busy = false;
      queue.disturbed = false;
      emptied?.();
    };
    if (action === "delete") this.#cutSoon();
    session.watch(`queue.${action}`, this.#requestOn(action, queue), {
      done: () => {
        if (session.believes) {
          queue.state = action === "purge" ? before : action === "declare" ? "present" : "absent";
          if (action === "declare") session.surroundings.keepers.declared(queue, session);
          if (queue.disturbed) queue.state = "unknown";
          for (const binding of bindings) binding.state = binding.disturbed ? "unknown" : "absent";
        }
        ended();
      },
      failed: (error) => {
        // The request may be on its way still when its caller has given up.
        if (error.outcome === "not-sent" && !queue.disturbed) {
          queue.state = before;
          for (const [index, binding] of bindings.entries()) binding.state = bound[index] ?? "unknown";
        }
        if (error.outcome === "not-sent") ended();
        else session.io.whenForgotten(ended);
      },
    });
  }

  /** Nobody hears what becomes of a deletion: a connection that recovers has to make up its mind. */
  #cutSoon(): void {
    const session = this.#session;
    const { world, recovers } = session.surroundings;
    if (!recovers || !session.random.chance(0.3)) return;
    session.disturbed = true;
    world.after(session.random.int(0, longestFlight), () => session.io.latest?.cut());
  }

  #requestOn(action: "declare" | "delete" | "purge", { name }: OwnedQueue): Promise<unknown> {
    switch (action) {
      case "declare":
        return this.#channel.queueDeclare({ queue: name });
      case "delete":
        return this.#channel.queueDelete({ queue: name });
      case "purge":
        return this.#channel.queuePurge({ queue: name });
    }
  }

  consume(): void {
    if (this.#log.recovering) return;
    this.#consumes = true;
    this.#log.sources += 1;
    ConsumerUser.start(this.#session, this.#log, {
      handled: (options, handler) => this.#channel.basicConsume(options, handler),
      iterated: (options) => this.#channel.basicConsume(options),
    });
  }

  qos(): void {
    const prefetchCount = this.#session.random.int(0, largestPrefetch);
    this.#session.watch("basicQos", this.#channel.basicQos({ prefetchCount, signal: this.#session.signal() }));
  }

  /** Has everything put back that was got. With a consumer, what is in its buffer would be void, and be handed out. */
  recover(): void {
    // In a transaction, acknowledgements that are not committed come back in ways of their own.
    if (this.#mode === "tx" || this.#consumes || this.#log.recovering) return;
    this.#log.recovering = true;
    this.#session.watch("basicRecover", this.#channel.basicRecover(), {
      done: () => {
        this.#log.recovering = false;
      },
    });
  }

  misuse(): void {
    const calls: readonly [() => Promise<unknown>, ...(() => Promise<unknown>)[]] = [
      () => this.#channel.queueDeclare({ queue: "x".repeat(256) }),
      () => this.#channel.basicPublish({ exchange: "\udfff", routingKey: "", body: new Uint8Array(5000) }),
      () => this.#channel.basicQos({ prefetchCount: 65_536 }),
      () => this.#channel.basicQos({ prefetchCount: 1, prefetchSize: 1 }),
      () => this.#channel.basicConsume({ queue: "q", prefetch: -1 }),
      () => this.#channel.basicRecover({ requeue: false }),
      () => this.#channel.close({ replyText: "x".repeat(256) }),
    ];
    if (this.#channel.state !== "open") return;
    const { connection } = this.#session;
    const before = connection?.bufferedBytes ?? 0;
    const promise = this.#session.random.pick(calls)();
    const sent = (connection?.bufferedBytes ?? 0) - before;
    this.#session.surroundings.promises.expectUsageError(promise);
    invariant(sent === 0, "bad input sends nothing", () => `${sent} bytes`);
  }

  close(): void {
    this.#session.watch("channel.close", this.#channel.close());
    // Too late: the server takes everything back.
    if (this.#session.random.chance(0.5)) this.settle();
  }
}
