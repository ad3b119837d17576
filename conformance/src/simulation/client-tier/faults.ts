/** What goes wrong in a world of applications. */

import type { Random } from "../random.ts";
import type { World } from "../world.ts";
import type { Broker, BrokerDriver } from "../../broker/index.ts";
import type { Queues } from "../queues.ts";
import type { Application } from "./application.ts";
import { isPermanent } from "./messages.ts";
import type { FaultName } from "./plan.ts";
import { orderedCode, orderedText } from "./promises.ts";

const longestStall = 12_000;
const longestFreeze = 60_000;
const longestOutage = 4_000;
const longestReopening = 400;

/** What ends no connection. */
const harmless: ReadonlySet<FaultName> = new Set([
  "unblock",
  "close-channel-by-server",
  "cancel-consumer",
  "delete-queue",
]);
/** What hits everybody. */
const whole: ReadonlySet<FaultName> = new Set(["block", "restart", "crash-broker", "wipe-broker"]);

/** Whom a fault can hit. */
export interface FaultScene {
  readonly world: World;
  readonly random: Random;
  readonly broker: Broker;
  readonly driver: BrokerDriver;
  readonly applications: readonly Application[];
  readonly queues: Queues;
  /** The broker loses everything, and the book knows. */
  wipe(): void;
  /** Deletes a queue as an operator, and keeps the book. */
  deleteQueue(name: string): void;
}

/** Lets one thing go wrong. */
export function strike(fault: FaultName, scene: FaultScene): void {
  const { world, random, broker, driver, applications, queues } = scene;
  const application = random.pick(applications);
  if (application === undefined) return;
  const { session, io } = application;
  const link = io.latest;
  const brokerConnection = link?.brokerConnection;
  for (const hit of whole.has(fault) ? applications : [application]) {
    if (!harmless.has(fault)) hit.session.disturbed = true;
  }
  const duration = random.int(1, longestStall);
  const channel = random.pick([...(brokerConnection?.channels ?? [])]);
  switch (fault) {
    case "cut":
      link?.cut();
      break;
    case "stall":
      random.pick([
        () => link?.stall("up", duration),
        () => link?.stall("down", duration),
        () => link?.stopWriting(duration),
      ])();
      break;
    case "corrupt":
      session.poisoned = true;
      link?.corrupt();
      // Whoever believes a changed frame may wait for ever; the link does not.
      world.after(duration, () => link?.cut());
      break;
    case "refuse-dials":
    case "ignore-dials":
      io.dialing = fault === "refuse-dials" ? "refused" : "silent";
      world.after(random.int(1, longestOutage), () => {
        io.dialing = "open";
      });
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
    case "wipe-broker":
      scene.wipe();
      break;
    case "close-connection-by-server":
      brokerConnection?.close({ replyCode: random.pick([320, 501, 505, 530, 541]), replyText: orderedText });
      break;
    case "close-channel-by-server":
      if (channel !== undefined) {
        const replyCode = random.pick([orderedCode, 403, 404, 405, 406, 541]);
        session.closedChannels.add(channel.number);
        brokerConnection?.closeChannel(channel.number, { replyCode, replyText: orderedText });
        // Somebody asks for the very number, which may be of a channel that is about to be reopened.
        if (random.chance(0.3)) {
          world.after(random.int(0, longestReopening), () => application.openChannelOf(channel.number));
        }
      }
      break;
    case "cancel-consumer": {
      const consumerTag = random.pick([...(channel?.consumers.keys() ?? [])]);
      if (channel !== undefined && consumerTag !== undefined)
        brokerConnection?.cancelConsumer(channel.number, consumerTag);
      break;
    }
    case "delete-queue": {
      const queue = random.pick(queues.all.filter((one) => !isPermanent(one)));
      if (queue !== undefined) scene.deleteQueue(queue.name);
      break;
    }
    case "freeze":
      brokerConnection?.freeze();
      world.after(random.int(1, longestFreeze), () => {
        brokerConnection?.thaw();
        driver.pump();
      });
      break;
  }
  driver.pump();
}
