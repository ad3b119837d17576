/**
 * Connecting: rounds through the endpoints, one attempt at a time, until a link is open, nothing is left to try, or the
 * caller gives up.
 */

import type { Millis } from "../engine/config.ts";
import { ConnectionError, type ConnectionErrorCode, type ConnectPhase } from "../engine/errors.ts";
import type { ConnectionEvent, OpenEvent } from "../engine/events.ts";
import { isDown } from "../recovery/causes.ts";
import { AmqpError, UsageError } from "../wire/errors.ts";
import { ConnectAttemptError, type ConnectAttemptErrorCode, ConnectError, reasonOf, TimeoutError } from "./errors.ts";
import { Future, onAbort } from "./futures.ts";
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
export async function dial(
  io: IoServices,
  plan: ConnectPlan,
  adopt: Adopt,
  { triesAllTargets = false }: DialOptions = {},
): Promise<void> {
  const abort = new Abort(plan.signal);
  const failures: ConnectAttemptError[] = [];
  try {
    for (let round = 1; ; round += 1) {
      abort.check();
      const targets = await findTargets(io, plan, abort, round);
      if (targets instanceof ConnectAttemptError) {
        keep(failures, targets);
      } else {
        for (const target of targets) {
          const failure = await attempt(io, plan, target, round, abort, adopt);
          if (failure === undefined) return;
          keep(failures, failure);
          abort.check();
          if (incurable.has(failure.code) && !isDown(failure.cause) && !triesAllTargets)
            throw refused(failure, failures);
        }
      }
      if (round >= plan.connectionAttempts) throw exhausted(failures, round);
      await delay(io, plan.retryDelay, abort);
    }
  } catch (error) {
    if (error instanceof Aborted) throw aborted(error.reason, failures);
    throw error;
  } finally {
    abort.dispose();
  }
}

async function findTargets(
  io: IoServices,
  plan: ConnectPlan,
  abort: Abort,
  round: number,
): Promise<readonly ConnectTarget[] | ConnectAttemptError> {
  try {
    return await inTime(io, plan.openTimeout, "The endpoints", plan.targets(), abort);
  } catch (cause) {
    if (cause instanceof UsageError || cause instanceof Aborted) throw cause;
    return new ConnectAttemptError("ENDPOINTS_FAILED", { endpoint: "endpoints", round, phase: undefined }, cause);
  }
}

/** One attempt at one endpoint, as the application's hooks see it. */
async function attempt(
  io: IoServices,
  plan: ConnectPlan,
  target: ConnectTarget,
  round: number,
  abort: Abort,
  adopt: Adopt,
): Promise<ConnectAttemptError | undefined> {
  const { endpoint } = target;
  const ended = plan.observer?.connecting({ endpoint, address: endpointName(endpoint), round, at: io.now() });
  try {
    const failure = await attemptOnce(io, plan, target, round, abort, adopt);
    ended?.(failure);
    return failure;
  } catch (error) {
    ended?.(error);
    throw error;
  }
}

/** Resolves with its failure, or with nothing when the link was adopted. */
async function attemptOnce(
  io: IoServices,
  plan: ConnectPlan,
  target: ConnectTarget,
  round: number,
  abort: Abort,
  adopt: Adopt,
): Promise<ConnectAttemptError | undefined> {
  const endpoint = endpointName(target.endpoint);
  const fail = (code: ConnectAttemptErrorCode, phase: ConnectPhase | undefined, cause: unknown): ConnectAttemptError =>
    new ConnectAttemptError(code, { endpoint, round, phase }, cause);

  let config;
  try {
    config = await inTime(io, plan.openTimeout, "The credentials", target.engineConfig(), abort);
  } catch (cause) {
    if (cause instanceof UsageError || cause instanceof Aborted) throw cause;
    return fail("CREDENTIALS_FAILED", undefined, cause);
  }

  const credentialsAt = io.now();
  const { tap } = config;
  const safeTap =
    tap === undefined ? undefined : (frame: Parameters<typeof tap>[0]) => contain(() => tap(frame), ignore);
  const outcome = new Future<ConnectAttemptError | undefined>();
  const adoptHere: Adopter = (opened, event) => adopt(opened, event, { target, credentialsAt });
  const owner = new DialOwner(adoptHere, (link, error) => outcome.resolve(explain(link, error, plan, fail)));
  const link = new Link(io, { ...config, tap: safeTap, handshakeTimeout: plan.openTimeout }, owner);
  owner.link = link;
  owner.adopted = () => outcome.resolve(undefined);
  const stopTimer =
    plan.connectTimeout === 0 ? ignore : io.setTimer(plan.connectTimeout, () => owner.connectTimedOut());
  const stopListening = abort.listen(() => owner.giveUp());
  try {
    link.connect(target.endpoint);
    return await outcome.promise;
  } finally {
    stopTimer();
    stopListening();
  }
}

type Adopter = (link: Link, event: OpenEvent) => LinkOwner;

/** Owns a link from the first byte until it is open, or gone. */
class DialOwner implements LinkOwner {
  link: Link | undefined;
  adopted: () => void = ignore;
  readonly #adopt: Adopter;
  readonly #failed: (link: Link | undefined, error: AmqpError | undefined) => void;
  #error: AmqpError | undefined;
  #givenUp = false;

  constructor(adopt: Adopter, failed: (link: Link | undefined, error: AmqpError | undefined) => void) {
    this.#adopt = adopt;
    this.#failed = failed;
  }

  handle(event: ConnectionEvent): void {
    if (event.type === "closed") this.#error ??= event.error;
    if (event.type !== "open" || this.#givenUp || this.link === undefined) return;
    this.link.owner = this.#adopt(this.link, event);
    this.adopted();
  }

  expectsAnswers(): boolean {
    return true;
  }

  ended(): void {
    this.#failed(this.link, this.#error);
  }

  connectTimedOut(): void {
    if (this.link?.wasOpen !== false) return;
    this.#error = new TransportError("CONNECT_TIMEOUT", "The connection was not established in time (connectTimeout)", {
      phase: "tcp",
    });
    this.link.abort();
  }

  giveUp(): void {
    if (this.link?.owner !== this) return;
    this.#givenUp = true;
    this.link.abort();
  }
}

/** What a failed attempt comes to. A transport that never opened explains itself better than the engine above it can. */
function explain(
  link: Link | undefined,
  error: AmqpError | undefined,
  plan: ConnectPlan,
  fail: (code: ConnectAttemptErrorCode, phase: ConnectPhase | undefined, cause: unknown) => ConnectAttemptError,
): ConnectAttemptError {
  if (error instanceof TransportError) return fail(error.code, error.phase ?? "tcp", error);
  if (!(error instanceof ConnectionError)) {
    return fail("TRANSPORT_FAILED", "tcp", new TransportError("TRANSPORT_FAILED", "The transport ended at once"));
  }
  if (link?.wasOpen === true) return fail(error.code, error.phase, error);
  if (error.cause instanceof TransportError) return fail(error.cause.code, error.cause.phase ?? "tcp", error.cause);
  if (error.code === "HANDSHAKE_TIMEOUT") {
    const text = `The connection was not established in time (openTimeout, ${plan.openTimeout} ms)`;
    return fail("CONNECT_TIMEOUT", "tcp", new TransportError("CONNECT_TIMEOUT", text, { phase: "tcp" }));
  }
  return fail(error.code, "tcp", error);
}

// What the caller is told

function keep(failures: ConnectAttemptError[], failure: ConnectAttemptError): void {
  if (failures.length === keptFailures) failures.shift();
  failures.push(failure);
}

function exhausted(failures: readonly ConnectAttemptError[], rounds: number): ConnectError {
  const last = failures.at(-1);
  const said = [...new Set(failures.map((failure) => failure.message))].join("; ");
  const message = `Could not connect${rounds === 1 ? "" : ` in ${rounds} rounds`}: ${said}`;
  return new ConnectError("CONNECT_FAILED", message, failures, { phase: last?.phase, cause: last });
}

function refused(failure: ConnectAttemptError, failures: readonly ConnectAttemptError[]): ConnectError {
  const { cause } = failure;
  const reason =
    cause instanceof ConnectionError && cause.replyCode !== undefined
      ? { replyCode: cause.replyCode, replyText: "", ...reasonOf(cause) }
      : undefined;
  const code = failure.code as ConnectionErrorCode;
  return new ConnectError(code, failure.message, failures, { phase: failure.phase, cause, reason });
}

function aborted(reason: unknown, failures: readonly ConnectAttemptError[]): ConnectError {
  return new ConnectError("CONNECT_ABORTED", "Connecting was aborted by the caller's signal", failures, {
    cause: reason,
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

// Waiting

function ignore(): void {}

/** Takes the way out through everything that is under way. It does not reach the caller. */
class Aborted extends Error {
  readonly reason: unknown;

  constructor(reason: unknown) {
    super("aborted");
    this.reason = reason;
  }
}

/** The caller's signal, as something that a wait can race with. */
class Abort {
  readonly #signal: AbortSignal | undefined;
  readonly #future = new Future<never>();
  readonly #listeners = new Set<() => void>();
  readonly #stop: () => void;

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
    this.#future.promise.catch(ignore);
    this.#stop = onAbort(signal, (reason) => this.#aborted(reason));
  }

  /** Throws when the signal is aborted. */
  check(): void {
    if (this.#signal?.aborted === true) throw new Aborted(this.#signal.reason);
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The value of `promise`, unless the signal comes first. */
  async race<T>(promise: Promise<T>): Promise<T> {
    this.check();
    return Promise.race([promise, this.#future.promise]);
  }

  dispose(): void {
    this.#stop();
  }

  #aborted(reason: unknown): void {
    for (const listener of this.#listeners) listener();
    this.#future.resolve(Promise.reject(new Aborted(reason)));
  }
}

/** Waits, unless the signal comes first. */
async function delay(io: IoServices, time: Millis, abort: Abort): Promise<void> {
  const passed = new Future<void>();
  const cancel = io.setTimer(time, () => passed.resolve());
  try {
    await abort.race(passed.promise);
  } finally {
    cancel();
  }
}

/** What a function of the application's gives, which may never come to an end, unless the time or the signal comes first. */
export async function inTime<T>(
  io: IoServices,
  timeout: Millis,
  what: string,
  given: T | Promise<T>,
  abort?: Abort,
): Promise<T> {
  const late = new Future<never>();
  const expire = (): void => late.fail(() => new TimeoutError(`${what} were not given in time`, "not-sent"));
  const cancel = timeout === 0 ? ignore : io.setTimer(timeout, expire);
  const first = Promise.race([given, late.promise]);
  try {
    return await (abort?.race(first) ?? first);
  } finally {
    cancel();
  }
}
