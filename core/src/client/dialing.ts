/**
 * Connecting: rounds through the endpoints, one attempt at a time, until a link is open, nothing is left to try, or the
 * caller gives up.
 */

import type { Millis } from "../engine/config.ts";
import { ConnectionError, type ConnectionErrorCode, type ConnectPhase } from "../engine/errors.ts";
import type { OpenEvent } from "../engine/events.ts";
import { isDown } from "../recovery/causes.ts";
import { type AmqpError, UsageError } from "../wire/errors.ts";
import { ConnectAttemptError, type ConnectAttemptErrorCode, ConnectError, reasonOf, TimeoutError } from "./errors.ts";
import { Future, onAbort, unlessAborted } from "./futures.ts";
import { type Endpoint, type IoServices, TransportError } from "./io-services.ts";
import { Link, type LinkOwner } from "./link.ts";
import { contain } from "./listeners.ts";
import type { ConnectPlan, ConnectTarget } from "./parameters.ts";

/** Failures that are kept of a series that does not end. */
const keptFailures = 100;

/**
 * What no other endpoint and no later attempt can cure: the same credentials and the same virtual host would be refused
 * there too, and a user who mistyped a password wants to hear of it at once, not to have an account locked.
 */
const incurable: ReadonlySet<ConnectAttemptErrorCode> = new Set([
  "AUTHENTICATION_FAILED",
  "NO_COMMON_MECHANISM",
  "VIRTUAL_HOST_REFUSED",
]);

/** How to dial, besides the plan. */
export interface DialOptions {
  /** Do not take a refusal at one endpoint for a refusal at all of them. Default false. */
  readonly triesAllTargets?: boolean;
}

/** Where an attempt succeeded. */
export interface Dialed {
  readonly target: ConnectTarget;
  /** When the credentials were given. */
  readonly credentialsAt: Millis;
}

/** Takes over a link that has just opened, before anything else arrives on it. */
export type Adopt = (link: Link, event: OpenEvent, dialed: Dialed) => LinkOwner;

/**
 * Connects as planned.
 *
 * The order is that of the endpoints, all of them in every round; `retryDelay` passes between rounds only. Two attempts
 * are never under way at once, and when the promise settles nothing is left of those that failed.
 *
 * @throws ConnectError with every attempt's failure; UsageError when the options turn out to be wrong.
 */
export async function dial(io: IoServices, plan: ConnectPlan, adopt: Adopt, options: DialOptions = {}): Promise<void> {
  const dialing = new Dialing(io, plan, adopt);
  for (let round = 1; ; round += 1) {
    if (await dialing.round(round, options.triesAllTargets === true)) return;
    if (round >= plan.connectionAttempts) throw dialing.exhausted(round);
    await dialing.pause();
  }
}

class Dialing {
  readonly #io: IoServices;
  readonly #plan: ConnectPlan;
  readonly #adopt: Adopt;
  readonly #failures: ConnectAttemptError[] = [];

  constructor(io: IoServices, plan: ConnectPlan, adopt: Adopt) {
    this.#io = io;
    this.#plan = plan;
    this.#adopt = adopt;
  }

  /** Tries one endpoint after the other. Whether a link was adopted. */
  async round(round: number, triesAllTargets: boolean): Promise<boolean> {
    this.#check();
    for (const target of await this.#targets(round)) {
      const failure = await this.#observed(target, round);
      if (failure === undefined) return true;
      this.#keep(failure);
      this.#check();
      if (incurable.has(failure.code) && !isDown(failure.cause) && !triesAllTargets) throw this.#refused(failure);
    }
    return false;
  }

  /** The endpoints of a round. None when they cannot be told: that is a failure as well. */
  async #targets(round: number): Promise<readonly ConnectTarget[]> {
    try {
      return await this.#given("The endpoints", this.#plan.targets());
    } catch (cause) {
      this.#check();
      if (cause instanceof UsageError) throw cause;
      this.#keep(
        new ConnectAttemptError("ENDPOINTS_FAILED", { endpoint: "endpoints", round, phase: undefined }, cause),
      );
      return [];
    }
  }

  /** One attempt at one endpoint, as the application's hooks see it. */
  async #observed(target: ConnectTarget, round: number): Promise<ConnectAttemptError | undefined> {
    const { endpoint } = target;
    const address = endpointName(endpoint);
    const ended = this.#plan.observer?.connecting({ endpoint, address, round, at: this.#io.now() });
    const fail: Fail = (code, phase, cause) =>
      new ConnectAttemptError(code, { endpoint: address, round, phase }, cause);
    try {
      const failure = await this.#attempt(target, fail);
      ended?.(failure);
      return failure;
    } catch (error) {
      ended?.(error);
      throw error;
    }
  }

  /** Resolves with its failure, or with nothing when the link was adopted. */
  async #attempt(target: ConnectTarget, fail: Fail): Promise<ConnectAttemptError | undefined> {
    let config;
    try {
      config = await this.#given("The credentials", target.engineConfig());
    } catch (cause) {
      this.#check();
      if (cause instanceof UsageError) throw cause;
      return fail("CREDENTIALS_FAILED", undefined, cause);
    }
    const io = this.#io;
    const { connectTimeout, openTimeout, signal } = this.#plan;
    const dialed: Dialed = { target, credentialsAt: io.now() };
    const { tap } = config;
    const safeTap: typeof tap = tap && ((frame) => contain(() => tap(frame), ignore));
    const outcome = new Future<ConnectAttemptError | undefined>();
    let error: AmqpError | undefined;
    let isGivenUp = false;

    /** Owns the link from the first byte until it is open, or gone. */
    const owner: LinkOwner = {
      handle: (event) => {
        if (event.type === "closed") error ??= event.error;
        // Nobody is there to end its side, so it is not waited for.
        if (error?.code === "HANDSHAKE_TIMEOUT") link.abort();
        if (event.type !== "open" || isGivenUp) return;
        link.owner = this.#adopt(link, event, dialed);
        outcome.resolve(undefined);
      },
      expectsAnswers: () => true,
      ended: () => outcome.resolve(explain(link, error, openTimeout, fail)),
    };
    const { cheapArraySize } = io;
    const link = new Link(io, { ...config, tap: safeTap, handshakeTimeout: openTimeout, cheapArraySize }, owner);
    const connectTimedOut = (): void => {
      if (link.wasOpen) return;
      error = timedOut("connectTimeout");
      link.abort();
    };
    const stopTimer = connectTimeout === 0 ? ignore : io.setTimer(connectTimeout, connectTimedOut);
    const stopListening = onAbort(signal, () => {
      if (link.owner !== owner) return;
      isGivenUp = true;
      link.abort();
    });
    try {
      link.connect(target.endpoint);
      return await outcome.promise;
    } finally {
      stopTimer();
      stopListening();
    }
  }

  // Waiting

  /** Between two rounds. */
  async pause(): Promise<void> {
    const passed = new Future<void>();
    const cancel = this.#io.setTimer(this.#plan.retryDelay, () => passed.resolve());
    try {
      await this.#unlessAborted(passed.promise);
    } finally {
      cancel();
    }
  }

  /** What a function of the application's gives. It may be this function that has the caller give up. */
  async #given<T>(what: string, given: Promise<T>): Promise<T> {
    const value = await inTime(this.#io, this.#plan.openTimeout, what, this.#unlessAborted(given));
    this.#check();
    return value;
  }

  #unlessAborted<T>(promise: Promise<T>): Promise<T> {
    return unlessAborted(promise, this.#plan.signal, (reason) => this.#aborted(reason));
  }

  /** Throws when the caller has given up. */
  #check(): void {
    const { signal } = this.#plan;
    if (signal?.aborted === true) throw this.#aborted(signal.reason);
  }

  // What the caller is told

  #keep(failure: ConnectAttemptError): void {
    if (this.#failures.length === keptFailures) this.#failures.shift();
    this.#failures.push(failure);
  }

  exhausted(rounds: number): ConnectError {
    const last = this.#failures.at(-1);
    const said = [...new Set(this.#failures.map((failure) => failure.message))].join("; ");
    const message = `Could not connect${rounds === 1 ? "" : ` in ${rounds} rounds`}: ${said}`;
    return new ConnectError("CONNECT_FAILED", message, this.#failures, { phase: last?.phase, cause: last });
  }

  #refused({ code, message, phase, cause }: ConnectAttemptError): ConnectError {
    const reason = cause instanceof ConnectionError ? reasonOf(cause) : undefined;
    return new ConnectError(code as ConnectionErrorCode, message, this.#failures, { phase, cause, reason });
  }

  #aborted(cause: unknown): ConnectError {
    return new ConnectError("CONNECT_ABORTED", "Connecting was aborted by the caller's signal", this.#failures, {
      cause,
    });
  }
}

type Fail = (code: ConnectAttemptErrorCode, phase: ConnectPhase | undefined, cause: unknown) => ConnectAttemptError;

/** What a failed attempt comes to. A transport that never opened explains itself better than the engine above it can. */
function explain(link: Link, error: AmqpError | undefined, openTimeout: Millis, fail: Fail): ConnectAttemptError {
  const failed = (cause: TransportError): ConnectAttemptError => fail(cause.code, cause.phase ?? "tcp", cause);
  if (error instanceof TransportError) return failed(error);
  if (!(error instanceof ConnectionError)) {
    return failed(new TransportError("TRANSPORT_FAILED", "The transport ended at once"));
  }
  if (link.wasOpen) return fail(error.code, error.phase, error);
  if (error.cause instanceof TransportError) return failed(error.cause);
  if (error.code === "HANDSHAKE_TIMEOUT") return failed(timedOut(`openTimeout, ${openTimeout} ms`));
  return fail(error.code, "tcp", error);
}

function timedOut(option: string): TransportError {
  return new TransportError("CONNECT_TIMEOUT", `The connection was not established in time (${option})`, {
    phase: "tcp",
  });
}

/** Where an endpoint is, without anything secret. */
export function endpointName(endpoint: Endpoint): string {
  switch (endpoint.transport) {
    case "tcp":
      return `${endpoint.host.includes(":") ? `[${endpoint.host}]` : endpoint.host}:${endpoint.port}`;
    case "unix":
      return endpoint.path;
    case "websocket":
      return withoutSecrets(endpoint.url);
  }
}

/** The URL of a relay, less its user, its query and its fragment: all three may hold a token. */
function withoutSecrets(url: string): string {
  return url.replace(/^(\w+:\/\/)[^/?#]*@/, "$1").replace(/[?#].*$/s, "");
}

function ignore(): void {}

/** What a function of the application's gives, which may never come to an end, unless the time comes first. */
export async function inTime<T>(io: IoServices, timeout: Millis, what: string, given: T | Promise<T>): Promise<T> {
  const late = new Future<never>();
  const expire = (): void => late.fail(() => new TimeoutError(`${what} were not given in time`, "not-sent"));
  const cancel = timeout === 0 ? ignore : io.setTimer(timeout, expire);
  try {
    return await Promise.race([given, late.promise]);
  } finally {
    cancel();
  }
}
