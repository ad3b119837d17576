/** One run of the engine tier: a few clients, a broker, and everything that goes wrong between them. */

import { type ConnectionConfig, plain } from "@leveret/core";
import { chooseBroker } from "../chosen-broker.ts";
import { Ledger } from "../ledger.ts";
import { Random } from "../random.ts";
import { styles } from "../style.ts";
import { invariant, InvariantViolation } from "../violation.ts";
import { World } from "../world.ts";
import { checkTopology } from "../agreement.ts";
import { BrokerSide } from "./broker-side.ts";
import { SimulatedClient } from "./client.ts";
import type { Surroundings } from "./connection-model.ts";
import { type FaultScene, strike } from "./faults.ts";
import { type ActionName, actionWeights, type FaultName, faultWeights, type SimulationPlan } from "./plan.ts";
import { Exchanges } from "../exchanges.ts";
import { Queues } from "../queues.ts";

/** What happened in a run that found nothing. */
export interface SimulationReport {
  readonly connections: number;
  readonly faults: number;
  readonly published: number;
  readonly confirmed: number;
  /** Messages that are dead letters at rest. */
  readonly buried: number;
  /** Frames that clients sent and received. */
  readonly frames: number;
}

const recordedShare = 0.1;
/** Virtual time for everything to come to its end: longer than any timeout of the configuration. */
const settlingTime = 400_000;
const mostHappenings = 200_000;

/**
 * Runs a plan.
 *
 * @throws InvariantViolation when a rule does not hold. Any other exception is a bug too.
 */
export function simulateEngines(plan: SimulationPlan): SimulationReport {
  const random = new Random(plan.seed);
  const world = new World();
  const broker = chooseBroker(random.fork());
  const brokerSide = new BrokerSide(broker, world);
  const clientCount = random.int(1, 3);
  const queues = new Queues(clientCount, random);
  const exchanges = new Exchanges(queues, clientCount, random);
  const ledger = new Ledger(queues.graves);
  let publishers = 0;
  const surroundings: Surroundings = {
    world,
    brokerSide,
    ledger,
    random,
    config: clientConfig(random),
    pipes: { latency: random.int(0, 50), largestPiece: random.pick([20, 200, 2_000, 20_000] as const) },
    recorded: random.chance(recordedShare),
  };
  const { faultShare, longestBreath } = random.pick(styles);
  const clients = Array.from(
    { length: clientCount },
    (_, number) => new SimulatedClient(number, queues, exchanges, surroundings, () => publishers++),
  );
  const scene: FaultScene = {
    world,
    random,
    brokerSide,
    clients,
    queues,
    deleteQueue: (name) => {
      ledger.emptying(name)();
      for (const queue of queues.all) {
        if (queue.name !== name) continue;
        queue.state = "unknown";
        queue.disturbed = queue.busy;
        for (const binding of exchanges.bindingsTo(queue)) {
          binding.state = binding.busy ? "unknown" : "absent";
          binding.disturbed = binding.busy;
        }
      }
      broker.deleteQueue(name);
    },
  };

  let faults = 0;
  for (let step = 0; step < plan.steps; step += 1) {
    world.runUntil(world.now + random.int(0, longestBreath));
    for (const client of clients) client.live();
    if (random.chance(faultShare)) {
      const fault: FaultName = random.weighted(faultWeights);
      if (plan.without.has(fault)) continue;
      faults += 1;
      strike(fault, scene);
    } else {
      const action: ActionName = random.weighted(actionWeights);
      const client = random.pick(clients);
      if (!plan.without.has(action)) client?.act(action);
    }
  }

  comeToRest(scene);
  ledger.checkAtRest(broker.queues());
  checkTopology(broker, queues, exchanges);
  const connections = clients.flatMap((client) => client.connections);
  for (const connection of connections) connection.checkReplica();
  return {
    connections: connections.length,
    faults,
    published: ledger.published,
    confirmed: ledger.confirmed,
    buried: ledger.buried,
    frames: connections.reduce(
      (sum, { engine: { counters } }) => sum + counters.framesSent + counters.framesReceived,
      0,
    ),
  };
}

function clientConfig(random: Random): ConnectionConfig {
  return {
    mechanisms: [plain("guest", "guest")],
    frameMax: random.pick([8192, 131_072, 0] as const),
    channelMax: random.pick([0, 7, 2047] as const),
    closeTimeout: 5_000,
  };
}

/** Nothing goes wrong any more, everybody leaves, and all timers run out. */
function comeToRest({ world, brokerSide, clients }: FaultScene): void {
  brokerSide.broker.unblock();
  brokerSide.pump();
  const quiet = world.now + settlingTime;
  let happenings = 0;
  const letTimePass = (until: number): void => {
    while (world.step(until)) {
      happenings += 1;
      invariant(happenings < mostHappenings, "the world comes to rest", () => `at ${world.now}`);
    }
  };
  letTimePass(world.now + settlingTime / 4);
  for (const { connection } of clients) connection.checkAnswered();
  for (const client of clients) client.retire();
  letTimePass(quiet);
  for (const connection of clients.flatMap((client) => client.connections)) {
    invariant(connection.ended, "every connection ends", () => `state ${connection.engine.state}`);
    invariant(connection.engine.nextDeadline() === undefined, "nothing is due after the end", () => "a deadline");
  }
  const left = brokerSide.broker.connectionSnapshots();
  invariant(left.length === 0, "the broker knows that everybody left", () => JSON.stringify(left));
}

/** Runs a plan, and returns what it found, if anything. */
export function findViolation(plan: SimulationPlan): Error | undefined {
  try {
    simulateEngines(plan);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new InvariantViolation("only errors are thrown", String(error));
  }
}
