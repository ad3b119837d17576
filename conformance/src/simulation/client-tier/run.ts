/** One run of the client tier: a few applications, a broker, and everything that goes wrong between them. */

import type { ConnectOptions, RecoveryOptions } from "@leveret/core/client";
import { type Broker, BrokerDriver } from "../../broker/index.ts";
import { checkTopology } from "../agreement.ts";
import { chooseBroker } from "../chosen-broker.ts";
import { Exchanges } from "../exchanges.ts";
import { type Owned, Queues } from "../queues.ts";
import { Random } from "../random.ts";
import { type Style, styles } from "../style.ts";
import { invariant, InvariantViolation } from "../violation.ts";
import { World } from "../world.ts";
import { Application } from "./application.ts";
import { type FaultScene, strike } from "./faults.ts";
import { Keepers } from "./keepers.ts";
import { MessageBook } from "./message-book.ts";
import { actionWeights, type ClientPlan, type FaultName, faultWeights } from "./plan.ts";
import { Promises } from "./promises.ts";
import type { Surroundings } from "./session.ts";
import { type Breathe, settle } from "./settle.ts";
import { SimulatedIo } from "./simulated-io.ts";
import type { LinkSurroundings } from "./simulated-link.ts";

/** What happened in a run that found nothing. */
export interface ClientReport {
  readonly connections: number;
  readonly faults: number;
  readonly published: number;
  readonly confirmed: number;
  /** Promises that were given out, and all settled. */
  readonly promises: number;
  /** Things that happened in virtual time. */
  readonly happenings: number;
}

/** Those of connections that recover: how they do it shows when they have to, and more than once. */
const recoveryStyles: readonly [Style, ...Style[]] = [
  { faultShare: 0.16, longestBreath: 120 },
  { faultShare: 0.08, longestBreath: 400 },
  { faultShare: 0.03, longestBreath: 1_500 },
];
/** Virtual time for everything to come to its end: longer than any timeout of the options. */
const settlingTime = 400_000;
const mostHappenings = 300_000;

/**
 * Runs a plan.
 *
 * @param breathe - Called after every happening. Nothing depends on it but that the runtime notices a rejection that
 * nobody handles, and says so by a rejection of its own.
 * @throws InvariantViolation when a rule does not hold. Any other exception is a bug too.
 */
export async function simulateClients(plan: ClientPlan, breathe?: Breathe): Promise<ClientReport> {
  return new ClientRun(plan, breathe).run();
}

class ClientRun {
  readonly #plan: ClientPlan;
  readonly #breathe: Breathe | undefined;
  readonly #world = new World();
  readonly #random: Random;
  readonly #broker: Broker;
  readonly #driver: BrokerDriver;
  readonly #book = new MessageBook();
  readonly #promises = new Promises();
  readonly #queues: Queues;
  readonly #exchanges: Exchanges;
  readonly #keepers = new Keepers();
  readonly #applications: Application[] = [];
  #faults = 0;
  #happenings = 0;

  constructor(plan: ClientPlan, breathe: Breathe | undefined) {
    this.#plan = plan;
    this.#breathe = breathe;
    this.#random = new Random(plan.seed);
    this.#broker = chooseBroker(this.#random.fork());
    const world = this.#world;
    this.#driver = new BrokerDriver(this.#broker, {
      now: () => world.now,
      setTimer: (delay, fire) => world.after(delay, fire),
    });
    const count = this.#random.int(1, 3);
    this.#queues = new Queues(count);
    this.#exchanges = new Exchanges(this.#queues, count, this.#random);
  }

  async run(): Promise<ClientReport> {
    const random = this.#random;
    this.#createApplications(this.#queues.all.length / 2);
    const { faultShare, longestBreath } = random.pick(this.#plan.recovery === true ? recoveryStyles : styles);
    const scene = this.#scene();
    for (let step = 0; step < this.#plan.steps; step += 1) {
      await this.#passTime(random.int(0, longestBreath));
      for (const application of this.#applications) application.live();
      if (random.chance(faultShare)) {
        const fault = random.weighted(faultWeights);
        if (this.#leavesOut(fault)) continue;
        this.#faults += 1;
        strike(fault, scene);
      } else {
        const action = random.weighted(actionWeights);
        const application = random.pick(this.#applications);
        if (!this.#plan.without.has(action)) application?.act(action);
      }
      await this.#settle();
    }
    await this.#comeToRest();
    this.#checkAtRest();
    return {
      connections: this.#applications.reduce((sum, { sessions }) => sum + sessions.length, 0),
      faults: this.#faults,
      published: this.#book.ledger.published,
      confirmed: this.#book.ledger.confirmed,
      promises: this.#promises.made,
      happenings: this.#happenings,
    };
  }

  /**
   * Who recovers would go on with a connection after bits were changed on it, and no book could be kept of that; who
   * does not has nothing to do with a broker that is new.
   */
  #leavesOut(fault: FaultName): boolean {
    const belongsElsewhere = this.#plan.recovery === true ? "corrupt" : "wipe-broker";
    return this.#plan.without.has(fault) || fault === belongsElsewhere;
  }

  #createApplications(count: number): void {
    let publishers = 0;
    const random = this.#random;
    const surroundings: Surroundings = {
      world: this.#world,
      queues: this.#queues,
      exchanges: this.#exchanges,
      keepers: this.#keepers,
      book: this.#book,
      promises: this.#promises,
      nextPublisher: () => publishers++,
      keepsOrder: this.#plan.recovery !== true,
      recovers: this.#plan.recovery === true,
      isBlocked: () => this.#broker.alarm !== undefined,
    };
    const links: LinkSurroundings = {
      world: this.#world,
      driver: this.#driver,
      pipes: { latency: random.int(0, 50), largestPiece: random.pick([20, 200, 2_000, 20_000] as const) },
      highWater: random.pick([500, 20_000, 1_000_000] as const),
    };
    for (let number = 0; number < count; number += 1) {
      const io = new SimulatedIo(links, random.fork());
      this.#applications.push(
        new Application(number, surroundings, clientOptions(random, this.#plan.recovery === true), random.fork(), io),
      );
    }
  }

  #scene(): FaultScene {
    const broker = this.#broker;
    return {
      world: this.#world,
      random: this.#random,
      broker,
      driver: this.#driver,
      applications: this.#applications,
      queues: this.#queues,
      wipe: () => {
        for (const { name } of this.#queues.all) this.#book.ledger.fleeting(name);
        this.#keepers.allLost(this.#queues, this.#exchanges);
        broker.restart({ keepDurable: false, isGraceful: this.#random.chance(0.5) });
      },
      deleteQueue: (name) => {
        this.#book.ledger.emptying(name)();
        for (const queue of this.#queues.all) {
          if (queue.name !== name) continue;
          queue.state = "unknown";
          queue.disturbed = queue.busy;
          for (const binding of this.#exchanges.bindingsTo(queue)) {
            // Who recovers may bind it again.
            binding.state = "unknown";
            binding.disturbed = binding.busy;
          }
        }
        broker.deleteQueue(name);
      },
    };
  }

  async #passTime(time: number): Promise<void> {
    const until = this.#world.now + time;
    while (this.#world.step(until)) {
      this.#happenings += 1;
      invariant(this.#happenings < mostHappenings, "the world comes to rest", () => `at ${this.#world.now}`);
      await this.#settle();
    }
    this.#world.runUntil(until);
  }

  async #settle(): Promise<void> {
    await settle();
    await this.#breathe?.();
    this.#promises.throwFailure();
    for (const { session } of this.#applications) session.check();
  }

  /** Nothing goes wrong any more, everybody leaves, and all timers run out. */
  async #comeToRest(): Promise<void> {
    this.#broker.unblock();
    this.#driver.pump();
    await this.#passTime(settlingTime / 4);
    const { overdue } = this.#promises;
    invariant(overdue.length === 0, "every call is answered", () => overdue.join(", "));
    for (const { session } of this.#applications) session.checkAtRest();
    this.#checkTopology();
    this.#book.checkAcknowledged(this.#broker.queues());
    for (const application of this.#applications) application.retire();
    await this.#settle();
    const dials = this.#applications.map(({ io }) => io.dials).join();
    await this.#passTime(settlingTime);
    const { pending } = this.#promises;
    invariant(pending.length === 0, "every promise settles", () => pending.join(", "));
    for (const { io } of this.#applications) {
      invariant(io.streams === 0, "no stream is left after the end", () => `${io.streams}`);
      invariant(io.timers === 0, "no timer is left after the end", () => `${io.timers}`);
    }
    const dialled = this.#applications.map(({ io }) => io.dials).join();
    invariant(dialled === dials, "nothing is dialled after the end", () => `${dials} became ${dialled}`);
    const left = this.#broker.connectionSnapshots();
    invariant(left.length === 0, "the broker knows that everybody left", () => JSON.stringify(left));
  }

  #checkAtRest(): void {
    this.#book.checkAtRest(this.#broker.queues());
    this.#checkTopology();
  }

  #checkTopology(): void {
    const isDoubtful = (one: Owned): boolean => this.#keepers.isDoubtful(one);
    checkTopology(this.#broker, this.#queues, this.#exchanges, this.#plan.recovery, isDoubtful);
  }
}

function clientOptions(random: Random, recovery: boolean): ConnectOptions {
  return {
    recovery: recovery && recoveryOptions(random),
    host: "broker",
    frameMax: random.pick([8192, 131_072, 0] as const),
    channelMax: random.pick([0, 7, 2047] as const),
    connectionAttempts: random.int(1, 3),
    retryDelay: random.int(0, 2_000),
    connectTimeout: random.pick([0, 1_000, 10_000] as const),
    openTimeout: random.pick([3_000, 15_000] as const),
    requestTimeout: random.pick([0, 5_000, 60_000] as const),
    blockedTimeout: random.pick([0, 0, 10_000] as const),
    closeTimeout: 5_000,
    limits: random.chance(0.3) ? { outputHighWater: 2_000, maxOutput: 60_000, maxWaitingRequests: 8 } : {},
  };
}

function recoveryOptions(random: Random): RecoveryOptions {
  return {
    backoff: { base: 100, max: random.pick([500, 5_000] as const), maxAttempts: random.pick([3, Infinity] as const) },
    whenDown: random.pick(["wait", "wait", "fail"] as const),
    // A message that is published again may be there twice, which the ledger does not allow.
    republish: false,
  };
}

/** Runs a plan, and returns what it found, if anything. */
export async function findViolation(plan: ClientPlan, breathe?: Breathe): Promise<Error | undefined> {
  try {
    await simulateClients(plan, breathe);
    return undefined;
  } catch (error) {
    // What is left of a world that stood still in the middle must not be taken for something of the next one.
    await breathe?.().catch(() => {});
    return error instanceof Error ? error : new InvariantViolation("only errors are thrown", String(error));
  }
}
