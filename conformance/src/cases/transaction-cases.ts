/** Transactions. */

import type { ConformanceCase } from "./case.ts";
import { fails, same } from "./expect.ts";
import { bytes, text } from "./scene.ts";

export const transactionCases: readonly ConformanceCase[] = [
  {
    name: "publishes are seen after the commit, and not before",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const other = await connection.openChannel();
      const queue = await scene.queue(channel);
      await channel.txSelect();
      same(channel.mode, "tx", "the mode");
      await channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("a") });
      same(await channel.basicGet({ queue }), undefined, "before");
      await channel.txCommit();
      same(await scene.messageCount(other, queue), 1, "after");
    },
  },
  {
    name: "publishes are never seen after a rollback",
    async run(scene) {
      const { channel } = await scene.open();
      const queue = await scene.queue(channel);
      await channel.txSelect();
      await channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("a") });
      await channel.txRollback();
      await channel.txCommit();
      same(await scene.drain(channel, queue), [], "messages");
    },
  },
  {
    name: "acknowledgements count from the commit, and not after a rollback",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const queue = await scene.queue(channel);
      await scene.fill(queue, "a", "b");
      const worker = await connection.openChannel();
      await worker.txSelect();
      (await worker.basicGet({ queue }))?.ack();
      await worker.txCommit();
      (await worker.basicGet({ queue }))?.ack();
      await worker.txRollback();
      await worker.close();
      same(await scene.drain(channel, queue, 1), ["b"], "what is in the queue");
    },
  },
  {
    name: "a publish that is made while a commit is under way belongs to the next one",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const other = await connection.openChannel();
      const queue = await scene.queue(other);
      await channel.txSelect();
      await channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("first") });
      const committing = channel.txCommit();
      await channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("second") });
      await committing;
      same(text(await other.basicGet({ queue, noAck: true })), "first", "after the first commit");
      await channel.txCommit();
      same(text(await other.basicGet({ queue, noAck: true })), "second", "after the second");
      same(connection.state, "open", "the connection's state");
    },
  },
  {
    name: "a commit or a rollback outside a transaction is refused",
    async run(scene) {
      const { connection, channel } = await scene.open();
      await fails(channel.txCommit(), { replyCode: 406, method: "tx.commit" }, "the commit");
      const other = await connection.openChannel();
      await fails(other.txRollback(), { replyCode: 406, method: "tx.rollback" }, "the rollback");
    },
  },
  {
    name: "a commit behind a publish that is refused does not happen",
    async run(scene) {
      const { connection, channel } = await scene.open();
      const other = await connection.openChannel();
      const queue = await scene.queue(other);
      await channel.txSelect();
      await channel.basicPublish({ exchange: "", routingKey: queue, body: bytes("good") });
      await channel.basicPublish({ exchange: scene.name("none"), routingKey: "", body: bytes("bad") });
      const refused = { name: "ChannelError", replyCode: 404, method: "basic.publish", outcome: "refused" };
      await fails(channel.txCommit(), refused, "the commit");
      same(await scene.drain(other, queue), [], "what is in the queue");
    },
  },
  {
    name: "confirms and transactions do not go together",
    async run(scene) {
      const { connection, channel } = await scene.open();
      await channel.confirmSelect();
      await fails(channel.txSelect(), { replyCode: 406 }, "tx after confirm");
      const other = await connection.openChannel();
      await other.txSelect();
      await fails(other.confirmSelect(), { replyCode: 406 }, "confirm after tx");
    },
  },
];
