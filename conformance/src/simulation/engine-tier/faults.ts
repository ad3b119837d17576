/** What goes wrong in a simulated world. */

import type { Random } from "../random.ts";
import type { World } from "../world.ts";
import type { BrokerSide } from "./broker-side.ts";
import type { SimulatedClient } from "./client.ts";
import { orderedClose } from "./expectations.ts";
import type { FaultName } from "./plan.ts";
import type { Queues } from "../queues.ts";

const longestStall = 12_000;
const longestFreeze = 60_000;

/** What ends no connection. */
const harmless: readonly FaultName[] = ["unblock", "close-channel", "cancel-consumer", "delete-queue"];

/** Whom a fault can hit. */
export interface FaultScene {
  readonly world: World;
  readonly random: Random;
  readonly brokerSide: BrokerSide;
  readonly clients: readonly SimulatedClient[];
  readonly queues: Queues;
  /** Deletes a queue as an operator, and keeps the book. */
  deleteQueue(name: string): void;
}

/** Lets one thing go wrong. */
export function strike(fault: FaultName, scene: FaultScene): void {
  const { world, random, brokerSide, clients, queues } = scene;
  const { broker } = brokerSide;
  const connection = random.pick(clients)?.connection;
  if (connection === undefined) return;
  const { brokerConnection } = connection;
  const whole: readonly FaultName[] = ["block", "restart", "crash-broker", "close-connections"];
  for (const hit of whole.includes(fault) ? clients.map((client) => client.connection) : [connection]) {
    if (!harmless.includes(fault)) hit.disturb();
  }
  const duration = random.int(1, longestStall);
  switch (fault) {
    case "cut":
      connection.cut();
      break;
    case "stall":
      random.pick([
        () => connection.up.stall(duration),
        () => connection.down.stall(duration),
        () => connection.stopWriting(duration),
      ])();
      break;
    case "corrupt":
      connection.corrupt();
      // Whoever believes a changed frame may wait for ever; the link does not.
      world.after(duration, () => connection.cut());
      break;
    case "block":
      broker.block();
      break;
    case "unblock":
      broker.unblock();
      break;
    case "restart":
    case "crash-broker":
      broker.restart({ isGraceful: fault === "restart" });
      break;
    case "close-connections":
      broker.closeConnections("simulated");
      break;
    case "close-channel": {
      const channel = random.pick([...connection.channels.keys()]);
      if (channel !== undefined)
        brokerConnection.closeChannel(channel, { replyCode: orderedClose, replyText: "ordered" });
      break;
    }
    case "cancel-consumer": {
      const channel = random.pick([...connection.channels.values()]);
      const consumerTag = random.pick([...(channel?.consumers.keys() ?? [])]);
      if (channel !== undefined && consumerTag !== undefined)
        brokerConnection.cancelConsumer(channel.number, consumerTag);
      break;
    }
    case "delete-queue": {
      const queue = random.pick(queues.all.filter(({ isGraveyard }) => !isGraveyard));
      if (queue !== undefined) scene.deleteQueue(queue.name);
      break;
    }
    case "freeze":
      brokerConnection.freeze();
      world.after(random.int(1, longestFreeze), () => {
        brokerConnection.thaw();
        brokerSide.pump();
      });
      break;
  }
  brokerSide.pump();
}
