/** Streams that are open: order, integrity, and backpressure in both directions. Every case holds for every transport. */

import type { Endpoint } from "@leveret/core/client";
import type { Bench, ProbeHooks, StreamProbe } from "./bench.ts";
import type { PeerStep, TransportNeed } from "./contract.ts";
import { equal, ok } from "./expect.ts";
import { longestStretch, pattern } from "./pattern.ts";

/** A case for every transport. `listen` starts a peer on the transport under test and gives its endpoint. */
export interface StreamCase {
  readonly name: string;
  /** The transports that lack it have no such case. */
  readonly needs?: readonly TransportNeed[];
  run(bench: Bench, listen: (...script: readonly PeerStep[]) => Promise<StreamPeer>): Promise<void>;
}

/** A peer on the transport under test. */
export interface StreamPeer {
  readonly endpoint: Endpoint;
  go(): Promise<void>;
  /** Waits until the peer has received so many bytes. */
  hears(bytes: number): Promise<void>;
  /** Waits until the peer has seen our end. */
  hearsEnd(): Promise<void>;
  received(): Promise<number>;
  said(): Promise<number>;
}

const kib = 1024;
const mib = 1024 * kib;
const segment = 64_000;

/** Writes so many bytes as fast as the stream takes them, and waits for `writable` whenever it says so. */
function pump(total: number, hooks: ProbeHooks = {}, then: (probe: StreamProbe) => void = () => {}): ProbeHooks {
  let left = total;
  const more = (probe: StreamProbe): void => {
    while (left > 0) {
      const size = Math.min(left, segment);
      left -= size;
      const takesMore = probe.writePattern(size);
      if (left === 0) then(probe);
      if (!takesMore) return;
    }
  };
  return { ...hooks, opened: more, writable: more };
}

/** A stream that came later has heard everything that the peer says: it has said it to those before it, too. */
async function hasSpoken(bench: Bench, peer: StreamPeer, bytes: number): Promise<void> {
  const control = await bench.open(peer.endpoint);
  await control.until(() => control.received === bytes, "what the peer says");
}

export const streamCases: readonly StreamCase[] = [
  {
    name: "opened comes once and first, also when the peer speaks at once",
    async run(bench, listen) {
      const peer = await listen({ do: "say", bytes: 10 }, { do: "echo" });
      const probe = await bench.open(peer.endpoint);
      await probe.until(() => probe.received === 10, "10 bytes");
    },
  },
  {
    name: "bytes arrive as they were sent, when written one at a time",
    async run(bench, listen) {
      const peer = await listen({ do: "echo" });
      const probe = await bench.open(peer.endpoint);
      for (let sent = 0; sent < 1_000; sent += 1) probe.writePattern(1);
      await probe.until(() => probe.received === 1_000, "1000 bytes");
    },
  },
  {
    name: "a write of many chunks keeps their order, and empty chunks mean nothing",
    async run(bench, listen) {
      const peer = await listen({ do: "echo" });
      const probe = await bench.open(peer.endpoint);
      const chunks = Array.from({ length: 5_000 }, (_, index) => pattern(3 + index * 6, 6));
      const withGaps = chunks.flatMap((chunk) => [chunk, new Uint8Array(0)]);
      probe.write([pattern(0, 3), ...withGaps]);
      probe.write([]);
      probe.write([new Uint8Array(0)]);
      await probe.until(() => probe.received === 3 + 5_000 * 6, "all chunks");
    },
  },
  {
    name: "large chunks with small ones between them arrive in order, also at a peer that reads late",
    async run(bench, listen) {
      const peer = await listen({ do: "stall" }, { do: "wait" }, { do: "listen" }, { do: "hear-end" });
      const probe = await bench.open(peer.endpoint);
      let sent = 0;
      const small = (): Uint8Array => pattern((sent += 8) - 8, 8);
      const large = (): Uint8Array => {
        const chunk = new Uint8Array(2 * segment);
        for (let at = 0; at < chunk.length; at += segment) chunk.set(pattern(sent + at, segment), at);
        sent += chunk.length;
        return chunk;
      };
      for (let write = 0; write < 3; write += 1) {
        probe.write(Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? large() : small())));
        probe.write([small()]);
      }
      await bench.quiet();
      await peer.go();
      await peer.hears(sent / 2);
      probe.write([small(), large(), small()]);
      probe.end();
      await peer.hearsEnd();
      equal(await peer.received(), sent, "bytes that the peer received");
    },
  },
  {
    name: "what is read to where the owner says is at its beginning, and what was sent",
    async run(bench, listen) {
      const peer = await listen({ do: "echo" });
      const named = new WeakSet<ArrayBufferLike>();
      let target: Uint8Array | undefined;
      let asked = 0;
      const hooks: ProbeHooks = {
        readTarget: () => {
          asked += 1;
          target = asked % 4 === 0 ? undefined : new Uint8Array(1 + ((asked * 7_919) % 100_000));
          if (target !== undefined) named.add(target.buffer);
          return target;
        },
        received: (probe, chunk) => {
          // Whoever does not ask, or holds what came while it was paused, has memory of its own for it.
          if (named.has(chunk.buffer)) {
            equal(chunk.buffer === target?.buffer, true, "what was named last is what was read to");
            equal(chunk.byteOffset, 0, "where in it");
          }
          if (probe.chunks % 10 !== 0) return;
          probe.pause();
          bench.io.post(() => probe.resume());
        },
      };
      const total = 4 * mib;
      const probe = await bench.open(peer.endpoint, pump(total, hooks));
      await probe.until(() => probe.received === total, "all bytes");
    },
  },
  {
    name: "a write of nothing changes nothing",
    async run(bench, listen) {
      const peer = await listen({ do: "echo" });
      const probe = await bench.open(peer.endpoint);
      equal(probe.write([]), true, "a write of no chunk");
      equal(probe.write([new Uint8Array(0)]), true, "a write of an empty chunk");
      await bench.quiet();
      equal(probe.writables, 0, "calls of writable");
      probe.writePattern(1_000);
      await probe.until(() => probe.received === 1_000, "the echo");
    },
  },
  {
    name: "writes are legal inside of opened and received",
    async run(bench, listen) {
      const peer = await listen({ do: "echo" });
      const probe = bench.connect(peer.endpoint, {
        opened: (stream) => stream.writePattern(1),
        received: (stream) => {
          if (stream.received < 100) stream.writePattern(1);
        },
      });
      await probe.until(() => probe.received === 100, "100 bytes, one after the other");
    },
  },
  {
    name: "1 MB comes back intact and in order",
    async run(bench, listen) {
      const peer = await listen({ do: "echo" });
      const probe = bench.connect(peer.endpoint, pump(mib));
      await probe.until(() => probe.received === mib, "1 MB");
    },
  },
  {
    name: "64 MiB come back intact and in order",
    async run(bench, listen) {
      const peer = await listen({ do: "echo" });
      const probe = bench.connect(peer.endpoint, pump(64 * mib));
      // Step by step, since a slow machine may take its time as long as bytes come.
      for (let part = 8; part <= 64; part += 8) {
        await probe.until(() => probe.received >= part * mib, `${part} MiB`);
      }
      equal(probe.received, 64 * mib, "bytes that came back");
    },
  },
  {
    name: "what a large write is given is neither copied late nor written to",
    async run(bench, listen) {
      const peer = await listen({ do: "stall" }, { do: "wait" }, { do: "echo" }, { do: "listen" });
      const probe = await bench.open(peer.endpoint);
      const chunk = pattern(0, longestStretch).slice();
      const before = chunk.slice();
      probe.write([chunk, chunk]);
      await peer.go();
      await probe.until(() => probe.received === 2 * longestStretch, "both chunks");
      ok(
        chunk.every((byte, index) => byte === before[index]),
        "the chunk is as it was",
      );
    },
  },
  {
    name: "false from write is answered by exactly one writable, when the peer reads again",
    async run(bench, listen) {
      const peer = await listen({ do: "stall" }, { do: "wait" }, { do: "listen" }, { do: "hear-end" });
      const probe = await bench.open(peer.endpoint);
      let sent = 0;
      const write = (): boolean => {
        sent += segment;
        return probe.writePattern(segment);
      };
      // Whatever the kernel's buffers hold: at some point a stalled peer is a full stream. Until then, true is true.
      await bench.until(async () => {
        if (!write()) {
          const before = probe.writables;
          await bench.quiet();
          return probe.writables === before;
        }
        return false;
      }, "a stream that stays full");
      const before = probe.writables;
      for (let again = 0; again < 3; again += 1) equal(write(), false, "a write to a stream that is full");
      await peer.go();
      await probe.until(() => probe.writables === before + 1, "writable");
      await peer.hears(sent);
      await bench.quiet();
      equal(probe.writables, before + 1, "calls of writable");
    },
  },
  {
    name: "there is no writable without a false",
    async run(bench, listen) {
      const peer = await listen({ do: "echo" });
      const probe = await bench.open(peer.endpoint);
      let refusals = 0;
      for (let count = 1; count <= 20; count += 1) {
        if (!probe.writePattern(10)) refusals += 1;
        await probe.until(() => probe.received === count * 10, "the echo");
      }
      equal(probe.writables, refusals, "calls of writable");
    },
  },
  {
    name: "pause stops received until resume",
    async run(bench, listen) {
      const peer = await listen({ do: "say", bytes: 4 * mib }, { do: "echo" });
      let pauses = 0;
      const probe = bench.connect(peer.endpoint, {
        received: (stream) => {
          if (pauses >= 20) return;
          pauses += 1;
          stream.pause();
        },
      });
      // How large a chunk is, is up to the runtime: the last one may come before the last round.
      for (let round = 1; round <= 20 && probe.received < 4 * mib; round += 1) {
        await probe.until(() => pauses === round, "a chunk");
        const before = probe.received;
        await bench.quiet();
        equal(probe.received, before, "bytes received while paused");
        probe.resume();
      }
      await probe.until(() => probe.received === 4 * mib, "everything that was said");
      ok(pauses >= 4, `it was paused ${pauses} times`);
    },
  },
  {
    name: "a paused stream holds the peer back, where the runtime can",
    async run(bench, listen) {
      const total = 64 * mib;
      const peer = await listen({ do: "say", bytes: total }, { do: "echo" });
      const probe = await bench.open(peer.endpoint, { opened: (stream) => stream.pause() });
      if (bench.io.capabilities.pause === "held") return;
      let before = 0;
      for (let quiet = 0; quiet < 10; quiet += 1) {
        await bench.quiet();
        const said = await peer.said();
        if (said !== before) quiet = 0;
        before = said;
      }
      ok(before < total / 2, `the peer could say ${before} bytes to a stream that was paused`);
      probe.resume();
      await probe.until(() => probe.received === total, "everything that was said");
    },
  },
  {
    name: "pause from outside of received, and before anything was received",
    async run(bench, listen) {
      const peer = await listen({ do: "say", bytes: 300_000 }, { do: "echo" });
      const probe = await bench.open(peer.endpoint, { opened: (stream) => stream.pause() });
      await hasSpoken(bench, peer, 300_000);
      await bench.quiet();
      equal(probe.received, 0, "bytes received while paused");
      probe.resume();
      probe.pause();
      await bench.quiet();
      equal(probe.received, 0, "bytes received while paused again");
      probe.resume();
      await probe.until(() => probe.received === 300_000, "everything that was said");
    },
  },
  {
    name: "pause before opened holds from the beginning",
    async run(bench, listen) {
      const peer = await listen({ do: "say", bytes: 1_000 }, { do: "echo" });
      const probe = bench.connect(peer.endpoint);
      probe.pause();
      await probe.until(() => probe.isOpen, "opened");
      await hasSpoken(bench, peer, 1_000);
      await bench.quiet();
      equal(probe.received, 0, "bytes received while paused");
      probe.resume();
      await probe.until(() => probe.received === 1_000, "everything that was said");
    },
  },
  {
    name: "pause and resume are idempotent",
    async run(bench, listen) {
      const peer = await listen({ do: "echo" });
      const probe = await bench.open(peer.endpoint);
      probe.resume();
      probe.pause();
      probe.pause();
      probe.resume();
      probe.resume();
      probe.writePattern(100);
      await probe.until(() => probe.received === 100, "the echo");
    },
  },
  {
    name: "a paused stream goes on writing",
    async run(bench, listen) {
      const peer = await listen({ do: "hear", bytes: mib }, { do: "say", bytes: 10 }, { do: "echo" });
      const probe = bench.connect(peer.endpoint, pump(mib));
      probe.pause();
      await peer.hears(mib);
      probe.resume();
      await probe.until(() => probe.received === 10, "the answer");
    },
  },
  {
    name: "many streams at once do not mix what they read",
    async run(bench, listen) {
      const peer = await listen({ do: "echo" });
      const probes = Array.from({ length: 40 }, () => bench.connect(peer.endpoint, pump(200_000)));
      for (const probe of probes) await probe.until(() => probe.received === 200_000, "the echo");
    },
  },
];
