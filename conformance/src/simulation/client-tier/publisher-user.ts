/** What an application does with a publisher. */

import { FlushError, type Publisher } from "@leveret/core/client";
import { invariant } from "../violation.ts";
import { type Letter, readLetter, writeLetter } from "./messages.ts";
import type { Session } from "./session.ts";

const largestBurst = 8;
/** A message may exceed the window's bytes, and the window may be full when `send` is called: it waits then. */
const closePatience = 5_000;

export interface Window {
  readonly messages: number;
}

export class PublisherUser {
  readonly #session: Session;
  readonly #publisher: Publisher;
  readonly #number: number;
  readonly #window: Window;
  /** Messages of `send` that nothing is known of, oldest first. */
  readonly #sent = new Set<number>();
  #published = 0;
  #isOver = false;

  constructor(session: Session, publisher: Publisher, window: Window) {
    this.#session = session;
    this.#publisher = publisher;
    this.#window = window;
    this.#number = session.surroundings.nextPublisher();
    const { promises, book } = session.surroundings;
    publisher.on("return", (message) =>
      promises.guard(() => {
        if (session.believes) book.returned(readLetter(message));
      }),
    );
    publisher.on("failed", ({ error, message }) =>
      promises.guard(() => {
        if (!session.believes) return;
        const { messageId } = message.properties as Letter["properties"];
        invariant(this.#sent.delete(Number(messageId)), "a publish ends once", () => `message ${messageId}`);
        book.failed(Number(messageId), error);
      }),
    );
    session.watch("publisher.closed", publisher.closed, {
      kind: "life",
      done: () => {
        this.#isOver = true;
      },
    });
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  publish(): void {
    const session = this.#session;
    const { book } = session.surroundings;
    for (let left = session.random.int(1, largestBurst); left > 0; left -= 1) {
      const letter = this.#write();
      if (letter === undefined) return;
      const { id, body, ...options } = letter;
      const promise = this.#publisher.publish(body, {
        ...options,
        signal: session.signal(),
        timeout: session.timeout(),
      });
      session.watch(`publish ${id}`, promise, {
        done: () => {
          if (session.believes) book.confirmed(id);
        },
        failed: (error) => {
          if (session.believes) book.failed(id, error);
        },
      });
    }
  }

  send(): void {
    for (let left = this.#session.random.int(1, largestBurst); left > 0; left -= 1) {
      const letter = this.#write();
      if (letter === undefined) return;
      const { id, body, ...options } = letter;
      this.#sent.add(id);
      try {
        this.#publisher.send(body, options);
      } catch (error) {
        // It is told at once that nothing was sent.
        this.#sent.delete(id);
        this.#session.surroundings.promises.checkThrown("send", error, this.#session, (failure) => {
          if (this.#session.believes) this.#session.surroundings.book.failed(id, failure);
        });
        return;
      }
    }
  }

  flush(): void {
    const session = this.#session;
    this.#watchFlush("flush", this.#publisher.flush({ signal: session.signal(), timeout: session.timeout() }));
  }

  ready(): void {
    this.#session.watch("ready", this.#publisher.ready());
  }

  close(): void {
    const { random } = this.#session;
    const timeout = random.chance(0.5) ? random.int(0, closePatience) : undefined;
    this.#watchFlush("publisher.close", this.#publisher.close(timeout === undefined ? {} : { timeout }));
  }

  check(): void {
    const { unconfirmed } = this.#publisher;
    invariant(
      unconfirmed <= this.#window.messages,
      "a publisher keeps to its window",
      () => `${unconfirmed} of ${this.#window.messages}`,
    );
  }

  #write(): Letter | undefined {
    if (this.#publisher.state !== "open") return undefined;
    this.#published += 1;
    return writeLetter(this.#session, this.#number, this.#published);
  }

  /** When a flush is over, everything that was sent before it is confirmed, but for what failed. */
  #watchFlush(name: string, promise: Promise<void>): void {
    const session = this.#session;
    const before = [...this.#sent];
    const published = this.#published;
    const settled = (): void => {
      if (!session.believes) return;
      for (const id of before) if (this.#sent.delete(id)) session.surroundings.book.confirmed(id);
    };
    session.watch(name, promise, {
      done: () => {
        const { unconfirmed } = this.#publisher;
        const since = this.#published - published;
        invariant(
          unconfirmed <= since,
          "a flush waits for every confirm",
          () => `${unconfirmed} are not, ${since} are newer`,
        );
        settled();
      },
      failed: (error) => {
        // On a channel that is closing, failures are told before everything is settled.
        if (error instanceof FlushError && this.#publisher.state === "open") settled();
      },
    });
  }
}
