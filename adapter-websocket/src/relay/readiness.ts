/** Whether the relay can do its work: whether it reaches a broker. Asked often, so an answer counts for a while. */

import { type Clock, type Millis, startTimeout } from "./clock.ts";
import { encodeLocalHeader } from "./write-proxy-header.ts";
import { dial, type Upstream, type UpstreamTls } from "./upstream.ts";

const answerCounts: Millis = 5_000;

export interface ReadinessOptions {
  readonly upstreams: Iterable<Upstream>;
  readonly upstreamTls: () => UpstreamTls;
  readonly proxyProtocol: boolean;
  /** For one broker; 0 for none. */
  readonly timeout: Millis;
  readonly clock: Clock;
}

export class Readiness {
  readonly #options: ReadinessOptions;
  #answer: Promise<boolean> | undefined;
  #askedAt: Millis = 0;

  constructor(options: ReadinessOptions) {
    this.#options = options;
  }

  /**
   * Whether at least one broker accepts connections: with one of several down, the relay is still of use to the clients
   * of the others.
   */
  check(): Promise<boolean> {
    const now = this.#options.clock.now();
    if (this.#answer === undefined || now - this.#askedAt >= answerCounts) {
      this.#askedAt = now;
      this.#answer = this.#ask();
    }
    return this.#answer;
  }

  async #ask(): Promise<boolean> {
    const answers = await Promise.all([...this.#options.upstreams].map((upstream) => this.#reaches(upstream)));
    return answers.includes(true);
  }

  async #reaches(upstream: Upstream): Promise<boolean> {
    const { clock, timeout, upstreamTls, proxyProtocol } = this.#options;
    const giveUp = new AbortController();
    const cancel = startTimeout(clock, timeout, () => giveUp.abort());
    try {
      const preamble = proxyProtocol ? encodeLocalHeader() : undefined;
      const socket = await dial(upstream, { tls: upstreamTls(), preamble, signal: giveUp.signal });
      socket.destroy();
      return true;
    } catch {
      return false;
    } finally {
      cancel();
    }
  }
}
