/** A page that shares a queue among web workers, and the program of these workers: the same file is both. */

import { connect, decodeText, encodeText } from "@leveret/websocket";
import { handleDeliveries, openWorkerPool, type WorkerLike, type WorkerScope } from "@leveret/core/threads";

/** What the page found. */
export interface ThreadsReport {
  /** The answers, in alphabetical order. */
  readonly answers: readonly string[];
  /** What `close` of the pool gave back. */
  readonly closed: unknown;
  /** Workers that were lost, by the code of their error. */
  readonly lost: readonly string[];
}

/** What the page offers to whoever drives it. */
export interface ThreadsPage {
  shareAmongWorkers(url: string): Promise<ThreadsReport>;
}

/** The types of a page are not those of the runtimes. */
const { Worker: PageWorker } = globalThis as unknown as {
  readonly Worker: new (url: string, options: { readonly type: "module" }) => WorkerLike;
};

const texts = ["one", "two", "three", "four", "five", "six"];

const page: ThreadsPage = {
  async shareAmongWorkers(url) {
    const connection = await connect({ uri: url, recovery: false });
    const channel = await connection.openChannel();
    const { queue } = await channel.queueDeclare({ exclusive: true });
    const { queue: answersTo } = await channel.queueDeclare({ exclusive: true });
    const answers: string[] = [];
    let finish: () => void;
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    await channel.basicConsume({ queue: answersTo }, ({ body }) => {
      answers.push(decodeText(body));
      if (answers.length === texts.length) finish();
    });
    const start = (): WorkerLike => new PageWorker("/program.js", { type: "module" });
    const pool = await openWorkerPool(connection, { queue, size: 2, concurrency: 1, start });
    const lost: string[] = [];
    pool.on("worker-lost", ({ error }) => lost.push(error.code));
    const publisher = await connection.openPublisher({ routingKey: queue, properties: { replyTo: answersTo } });
    for (const text of texts) await publisher.publish(encodeText(text));
    await finished;
    const closed = await pool.close();
    await connection.close();
    return { answers: answers.toSorted(), closed, lost };
  },
};

if ("document" in globalThis) Object.assign(globalThis, { threads: page });
else {
  let hasFailed = false;
  await handleDeliveries(globalThis as unknown as WorkerScope, async (delivery, channel) => {
    const text = decodeText(delivery.body);
    // The worker that gets it first is gone with it; the one that gets it again lives.
    if (text === "three" && !delivery.redelivered && !hasFailed) {
      hasFailed = true;
      setTimeout(() => {
        throw new Error("nobody catches this");
      });
      return new Promise(() => {});
    }
    const routingKey = delivery.properties.replyTo ?? "";
    await channel.basicPublish({ exchange: "", routingKey, body: encodeText(text.toUpperCase()) });
    return undefined;
  });
}
