/** The services of a runtime whose time is virtual and whose network is made of pipes. One for each application. */

import type { ByteStream, Endpoint, IoCapabilities, IoServices, Millis, StreamHandler } from "@leveret/core/client";
import type { Random } from "../random.ts";
import { invariant } from "../violation.ts";
import type { Promises } from "./promises.ts";
import { type DialFate, type LinkSurroundings, SimulatedLink } from "./simulated-link.ts";

/** The services as one connection has them: when it has ended, it asks for nothing that goes on. */
export class SessionIo implements IoServices {
  readonly runtime = "simulation";
  readonly capabilities: IoCapabilities;
  readonly #io: SimulatedIo;
  readonly #promises: Promises;
  /** The connection was closed, or given up. */
  isOver = false;

  constructor(io: SimulatedIo, promises: Promises) {
    this.#io = io;
    this.#promises = promises;
    this.capabilities = io.capabilities;
  }

  now(): Millis {
    return this.#io.now();
  }

  random(): number {
    return this.#io.random();
  }

  post(task: () => void): void {
    this.#io.post(task);
  }

  setTimer(delay: Millis, fire: () => void): () => void {
    return this.#io.setTimer(delay, fire);
  }

  connect(endpoint: Endpoint, handler: StreamHandler): ByteStream {
    // Whoever dials takes an exception for a failed dial.
    this.#promises.guard(() => invariant(!this.isOver, "nothing is dialled after the end", () => "another dial"));
    return this.#io.connect(endpoint, handler);
  }
}

export class SimulatedIo implements IoServices {
  readonly runtime = "simulation";
  readonly capabilities: IoCapabilities = { tcp: true, tls: false, unix: false, websocket: false, pause: "held" };
  readonly #surroundings: LinkSurroundings;
  readonly #random: Random;
  /** What becomes of dials from now on. */
  dialing: DialFate = "open";
  /** The stream that was dialled last. */
  latest: SimulatedLink | undefined;
  /** Timers that have neither fired nor been cancelled. */
  timers = 0;
  /** Streams whose end was not told. */
  streams = 0;
  dials = 0;
  #links: SimulatedLink[] = [];

  constructor(surroundings: LinkSurroundings, random: Random) {
    this.#surroundings = surroundings;
    this.#random = random;
  }

  now(): Millis {
    return this.#surroundings.world.now;
  }

  random(): number {
    return this.#random.next();
  }

  post(task: () => void): void {
    this.#surroundings.world.after(0, task);
  }

  setTimer(delay: Millis, fire: () => void): () => void {
    invariant(delay >= 0 && delay < Infinity, "timers are set to a time", () => `${delay} ms`);
    let pending = true;
    this.timers += 1;
    const over = (): void => {
      if (pending) this.timers -= 1;
      pending = false;
    };
    const cancel = this.#surroundings.world.after(delay, () => {
      over();
      fire();
    });
    return () => {
      over();
      cancel();
    };
  }

  connect(_: Endpoint, handler: StreamHandler): ByteStream {
    this.streams += 1;
    this.dials += 1;
    let isClosed = false;
    const counting: StreamHandler = {
      opened: () => handler.opened(),
      received: (chunk) => handler.received(chunk),
      writable: () => handler.writable(),
      closed: (cause) => {
        invariant(!isClosed, "a stream ends once", () => String(cause));
        isClosed = true;
        this.streams -= 1;
        handler.closed(cause);
      },
    };
    this.#links = this.#links.filter((link) => !link.isForgotten);
    const dialling = this.#links.filter((link) => link.isOpening).length;
    invariant(dialling === 0, "one dial at a time", () => `${dialling + 1}`);
    this.latest = new SimulatedLink(this.#surroundings, counting, this.#random.fork(), this.dialing);
    this.#links.push(this.latest);
    return this.latest;
  }

  /** Calls back when the broker has read the last of what was sent by now. */
  whenForgotten(callback: () => void): void {
    const links = this.#links.filter((link) => !link.isForgotten);
    let left = links.length;
    if (left === 0) return callback();
    for (const link of links) {
      link.whenForgotten(() => {
        left -= 1;
        if (left === 0) callback();
      });
    }
  }
}
