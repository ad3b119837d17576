/** How streams end: by our end, the peer's, an abort, a broken connection, or an owner that throws. */

import { TransportError } from "@leveret/core/client";
import type { StreamProbe } from "./bench.ts";
import { equal, ok } from "./expect.ts";
import type { StreamCase } from "./stream-cases.ts";

const mib = 1_048_576;
const segment = 64_000;

export const endingCases: readonly StreamCase[] = [
  {
    name: "closed comes after everything that the peer said before its end, without a cause",
    async run(bench, listen) {
      const peer = await listen({ do: "say", bytes: mib }, { do: "end" });
      const probe = bench.connect(peer.endpoint);
      equal(await probe.closed(), undefined, "the cause");
      equal(probe.received, mib, "bytes before the end");
    },
  },
  {
    name: "closed comes when the peer ends without a word",
    async run(bench, listen) {
      const peer = await listen({ do: "end" });
      const probe = bench.connect(peer.endpoint);
      equal(await probe.closed(), undefined, "the cause");
      ok(probe.isOpen, "the stream had opened");
    },
  },
  {
    name: "end sends what was written, and the peer's answer still arrives",
    needs: ["half-close"],
    async run(bench, listen) {
      const peer = await listen({ do: "hear-end" }, { do: "say", bytes: mib }, { do: "end" });
      const probe = await bench.open(peer.endpoint);
      for (let count = 0; count < 50; count += 1) probe.writePattern(segment);
      probe.end();
      await peer.hearsEnd();
      equal(await peer.received(), 50 * segment, "bytes that the peer received");
      equal(await probe.closed(), undefined, "the cause");
      equal(probe.received, mib, "bytes of the answer");
    },
  },
  {
    name: "end is followed by closed",
    async run(bench, listen) {
      const peer = await listen({ do: "echo" });
      const probe = await bench.open(peer.endpoint);
      probe.writePattern(1_000);
      probe.end();
      equal(await probe.closed(), undefined, "the cause");
      // There may be a relay on the way.
      await peer.hears(1_000);
    },
  },
  {
    name: "end is followed by closed when the peer has said all that it has to say",
    async run(bench, listen) {
      const peer = await listen({ do: "echo" });
      const probe = await bench.open(peer.endpoint);
      probe.writePattern(1_000);
      await probe.until(() => probe.received === 1_000, "the answer");
      probe.end(true);
      equal(await probe.closed(), undefined, "the cause");
      await peer.hears(1_000);
    },
  },
  {
    name: "end sends everything that was written, also to a peer that reads late",
    async run(bench, listen) {
      const peer = await listen({ do: "stall" }, { do: "wait" }, { do: "listen" }, { do: "hear-end" });
      const probe = await bench.open(peer.endpoint);
      for (let count = 0; count < 200; count += 1) probe.writePattern(segment);
      probe.end();
      await bench.quiet();
      await peer.go();
      await peer.hears(200 * segment);
    },
  },
  {
    name: "a write after end is ignored, and so is a second end",
    async run(bench, listen) {
      const peer = await listen({ do: "echo" });
      const probe = await bench.open(peer.endpoint);
      probe.writePattern(10);
      probe.end();
      equal(probe.writePattern(10), true, "a write that is ignored");
      probe.end();
      equal(await probe.closed(), undefined, "the cause");
      await peer.hears(10);
      equal(await peer.received(), 10, "bytes that the peer received");
    },
  },
  {
    name: "end inside of opened and inside of received",
    async run(bench, listen) {
      const peer = await listen({ do: "echo" });
      const silent = bench.connect(peer.endpoint, { opened: (stream) => stream.end() });
      equal(await silent.closed(), undefined, "the cause");
      const brief = bench.connect(peer.endpoint, {
        opened: (stream) => stream.writePattern(1),
        received: (stream) => stream.end(),
      });
      equal(await brief.closed(), undefined, "the cause");
    },
  },
  {
    name: "abort is followed by closed without a cause, and by nothing else",
    async run(bench, listen) {
      const peer = await listen({ do: "say", bytes: 8 * mib });
      const probe = await bench.open(peer.endpoint);
      await probe.until(() => probe.received > 0, "some bytes");
      probe.abort();
      equal(await probe.closed(), undefined, "the cause");
    },
  },
  {
    name: "abort inside of opened, received and writable",
    async run(bench, listen) {
      const peer = await listen({ do: "say", bytes: mib }, { do: "hear-end" });
      const abort = (stream: StreamProbe): void => stream.abort();
      const atOpen = bench.connect(peer.endpoint, { opened: abort });
      equal(await atOpen.closed(), undefined, "the cause");
      equal(atOpen.received, 0, "bytes after an abort in opened");
      const atData = bench.connect(peer.endpoint, { received: abort });
      equal(await atData.closed(), undefined, "the cause");
      equal(atData.chunks, 1, "calls of received with an abort in the first");
      const fill = (stream: StreamProbe): void => {
        for (let count = 0; count < 500 && stream.writePattern(segment); count += 1);
      };
      const atDrain = bench.connect(peer.endpoint, { opened: fill, writable: abort });
      equal(await atDrain.closed(), undefined, "the cause");
    },
  },
  {
    name: "abort drops what a stalled peer does not read, at once",
    async run(bench, listen) {
      const peer = await listen({ do: "stall" });
      const probe = await bench.open(peer.endpoint);
      for (let count = 0; count < 500; count += 1) probe.writePattern(segment);
      const before = bench.io.now();
      probe.abort();
      equal(await probe.closed(), undefined, "the cause");
      ok(bench.io.now() - before < 5_000, "an abort does not wait for the peer");
    },
  },
  {
    name: "abort after end does not wait for the peer",
    async run(bench, listen) {
      const peer = await listen({ do: "stall" });
      const probe = await bench.open(peer.endpoint);
      for (let count = 0; count < 500; count += 1) probe.writePattern(segment);
      probe.end();
      probe.abort();
      equal(await probe.closed(), undefined, "the cause");
    },
  },
  {
    name: "a peer that has ended and does not read is not waited for for ever",
    needs: ["half-close"],
    async run(bench, listen) {
      const peer = await listen({ do: "stall" }, { do: "wait" }, { do: "end" });
      const probe = await bench.open(peer.endpoint);
      for (let count = 0; count < 500; count += 1) probe.writePattern(segment);
      await peer.go();
      equal(await probe.closed(), undefined, "the cause");
    },
  },
  {
    name: "after abort and after closed every call is harmless",
    async run(bench, listen) {
      const peer = await listen({ do: "echo" });
      const probe = await bench.open(peer.endpoint);
      const everything = (): void => {
        probe.abort();
        equal(probe.writePattern(10), true, "a write that is ignored");
        probe.pause();
        probe.resume();
        probe.end();
      };
      everything();
      await probe.closed();
      everything();
    },
  },
  {
    name: "a pause after abort holds nothing",
    async run(bench, listen) {
      const peer = await listen({ do: "say", bytes: mib });
      const probe = await bench.open(peer.endpoint);
      await probe.until(() => probe.received > 0, "some bytes");
      probe.abort();
      probe.pause();
      equal(await probe.closed(), undefined, "the cause");
    },
  },
  {
    name: "the end of a paused stream is told after resume, behind its last bytes",
    async run(bench, listen) {
      const peer = await listen({ do: "say", bytes: 100_000 }, { do: "end" });
      const probe = await bench.open(peer.endpoint, {
        opened: (stream) => stream.pause(),
        received: (stream) => {
          if (stream.chunks === 1) stream.pause();
        },
      });
      // One that came later has heard of the end: so have those before it, but for the pause.
      await bench.connect(peer.endpoint).closed();
      await bench.quiet();
      ok(!probe.isClosed, "closed waits for resume");
      probe.resume();
      await probe.until(() => probe.chunks === 1, "the first chunk");
      await bench.quiet();
      ok(!probe.isClosed, "closed waits for resume again");
      probe.resume();
      equal(await probe.closed(), undefined, "the cause");
      equal(probe.received, 100_000, "bytes before the end");
    },
  },
  {
    name: "a paused stream can be aborted",
    async run(bench, listen) {
      const peer = await listen({ do: "say", bytes: 100_000 }, { do: "end" });
      const probe = await bench.open(peer.endpoint, { received: (stream) => stream.pause() });
      await probe.until(() => probe.chunks > 0, "a chunk");
      await bench.quiet();
      probe.abort();
      equal(await probe.closed(), undefined, "the cause");
    },
  },
  {
    name: "a peer that breaks the connection is a cause",
    needs: ["reset"],
    async run(bench, listen) {
      const peer = await listen({ do: "hear", bytes: 1 }, { do: "reset" });
      const probe = await bench.open(peer.endpoint);
      probe.writePattern(1);
      const cause = await probe.closed();
      ok(cause instanceof TransportError, "the cause is a TransportError");
      equal(cause.code, "CONNECTION_RESET", "its code");
      equal(cause.phase, undefined, "its phase, once the stream was open");
    },
  },
  {
    name: "writing to a peer that breaks the connection ends in one closed",
    needs: ["reset"],
    async run(bench, listen) {
      const peer = await listen({ do: "hear", bytes: 10 * segment }, { do: "reset" });
      const probe = await bench.open(peer.endpoint);
      await bench.until(() => {
        probe.writePattern(segment);
        return probe.isClosed;
      }, "closed");
      equal(probe.cause?.code, "CONNECTION_RESET", "the code of the cause");
    },
  },
  {
    name: "an exception in received ends the stream, and is the cause",
    async run(bench, listen) {
      const peer = await listen({ do: "say", bytes: 4 * mib }, { do: "hear-end" });
      const mistake = new Error("the owner's mistake");
      const probe = bench.connect(peer.endpoint, {
        received: () => {
          throw mistake;
        },
      });
      const cause = await probe.closed();
      equal(cause?.code, "TRANSPORT_FAILED", "the code of the cause");
      equal(cause?.cause, mistake, "the cause of the cause");
      equal(probe.chunks, 1, "calls of received");
    },
  },
  {
    name: "an exception in opened or in writable ends the stream, and is the cause",
    async run(bench, listen) {
      const peer = await listen({ do: "say", bytes: 1_000 }, { do: "hear-end" });
      const mistake = new Error("the owner's mistake");
      const fail = (): never => {
        throw mistake;
      };
      const atOpen = bench.connect(peer.endpoint, { opened: fail });
      equal((await atOpen.closed())?.cause, mistake, "the cause of the cause");
      equal(atOpen.received, 0, "bytes after the exception");
      const fill = (stream: StreamProbe): void => {
        for (let count = 0; count < 500 && stream.writePattern(segment); count += 1);
      };
      const atDrain = bench.connect(peer.endpoint, { opened: fill, writable: fail });
      equal((await atDrain.closed())?.cause, mistake, "the cause of the cause");
    },
  },
  {
    name: "an exception while held bytes are released ends the stream, and is the cause",
    async run(bench, listen) {
      const peer = await listen({ do: "say", bytes: mib }, { do: "end" });
      const mistake = new Error("the owner's mistake");
      const probe = bench.connect(peer.endpoint, {
        received: (stream) => {
          if (stream.chunks === 1) stream.pause();
          else throw mistake;
        },
      });
      await probe.until(() => probe.chunks === 1, "a chunk");
      await bench.quiet();
      probe.resume();
      equal((await probe.closed())?.cause, mistake, "the cause of the cause");
    },
  },
  {
    name: "one stream's end does not touch another",
    async run(bench, listen) {
      const peer = await listen({ do: "echo" });
      const one = await bench.open(peer.endpoint);
      const other = await bench.open(peer.endpoint);
      one.abort();
      await one.closed();
      other.writePattern(1_000);
      await other.until(() => other.received === 1_000, "the echo");
    },
  },
];
