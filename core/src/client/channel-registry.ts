/** The channels of one connection, by number. They keep their numbers while they are lost, and nobody else gets them. */

import type { ChannelEngine } from "../engine/channel-engine.ts";
import type { ConnectionEngine } from "../engine/connection-engine.ts";
import { UsageError } from "../wire/errors.ts";
import { ChannelCore } from "./channel-core.ts";
import type { ChannelHost } from "./channel-host.ts";
import type { PublishWindow } from "./publishing.ts";

/** Channels that are not publishers have no window: their senders wait for confirms, or do not. */
const noWindow: PublishWindow = { messages: Infinity, bytes: Infinity };

export class ChannelRegistry {
  /** How many channels there were. */
  #opened = 0;
  /** By number. A literal has no room to spare: most connections have one channel, or few. */
  readonly #channels: (ChannelCore | undefined)[] = [undefined, undefined];
  /** Channels of recovery's own, by number, which may be that of one that is lost. */
  #private: (ChannelCore | undefined)[] | undefined;
  /** Whether a channel was lost, and may be lost still: looking at all of them for each new one would cost too much. */
  #mayBeLost = false;

  /** The application's channels that are not closed, by number. */
  get all(): ChannelCore[] {
    return this.#channels.filter((core) => core !== undefined);
  }

  /** And those of recovery's own. */
  get withPrivate(): ChannelCore[] {
    return [...(this.#private ?? []), ...this.#channels].filter((core) => core !== undefined);
  }

  /** Whose events those of a number are: a channel that is lost gets none. */
  find(number: number): ChannelCore | undefined {
    return this.#private?.[number] ?? this.#channels[number];
  }

  /**
   * Opens a channel, with the lowest free number unless one is asked for.
   *
   * @throws UsageError LIMIT_REACHED when there is none; INVALID_ARGUMENT for a number that is in use, or none that a
   * channel can have.
   */
  open(host: ChannelHost, number: number | undefined, window: PublishWindow = noWindow): ChannelCore {
    const { engine } = host.link;
    const core = this.#begin(
      host,
      number === undefined ? this.#openNext(engine) : this.#openNumber(engine, number),
      window,
    );
    this.#channels[core.number] = core;
    return core;
  }

  /** Opens a channel of recovery's own. When everything is lost the numbers of all channels are free for it. */
  openPrivate(host: ChannelHost, othersHaveNumbers: boolean): ChannelCore {
    const { engine } = host.link;
    const core = this.#begin(host, othersHaveNumbers ? this.#openNext(engine) : engine.openChannel(), noWindow, true);
    (this.#private ??= [])[core.number] = core;
    return core;
  }

  #begin(host: ChannelHost, engine: ChannelEngine, window: PublishWindow, isPrivate?: boolean): ChannelCore {
    this.#opened += 1;
    const core = new ChannelCore(host, engine, this.#opened, window, isPrivate);
    core.link.touch();
    // Whoever opens it waits for that, or for the answer of the first call.
    core.opened.catch(() => {});
    return core;
  }

  remove(core: ChannelCore): void {
    if (this.#channels[core.number] === core) this.#channels[core.number] = undefined;
    if (this.#private?.[core.number] === core) this.#private[core.number] = undefined;
  }

  /** A channel was lost, and comes back. */
  lost(): void {
    this.#mayBeLost = true;
  }

  /** Also the number of a channel which is about to be reopened is in use. */
  #openNumber(engine: ConnectionEngine, number: number): ChannelEngine {
    if (this.find(number) !== undefined) {
      throw new UsageError("INVALID_ARGUMENT", `Channel ${number} is in use`);
    }
    return engine.openChannel(number);
  }

  /** The lowest number that is free, and not that of a channel which is about to be reopened. */
  #openNext(engine: ConnectionEngine): ChannelEngine {
    this.#mayBeLost &&= this.#channels.some((core) => core?.live === false);
    if (!this.#mayBeLost) return engine.openChannel();
    const { channelMax } = engine;
    for (let number = 1; number <= channelMax; number += 1) {
      if (this.find(number) !== undefined) continue;
      try {
        return engine.openChannel(number);
      } catch (error) {
        // The server has not agreed yet that it is closed.
        if (!(error instanceof UsageError) || error.code !== "INVALID_ARGUMENT") throw error;
      }
    }
    throw new UsageError("LIMIT_REACHED", `All ${channelMax} channels of the connection are in use (channelMax)`);
  }
}
