/**
 * Holds all conversations with a broker on a port of this machine, and writes the transcript:
 *
 *     node --conditions=@leveret/source conformance/src/broker/testing/record.ts PORT FILE
 */

import { writeFileSync } from "node:fs";
import { hold } from "./conversation.ts";
import { conversations } from "./conversations/index.ts";
import { TcpPeer } from "./peer.ts";
import { formatTranscripts } from "./transcripts.ts";

async function record(port: number, file: string): Promise<void> {
  const heard = new Map<string, readonly string[]>();
  for (const conversation of conversations) heard.set(conversation.name, await hold(conversation, new TcpPeer(port)));
  writeFileSync(file, formatTranscripts(heard));
}

const [port, file] = process.argv.slice(2);
if (port === undefined || file === undefined) {
  process.stderr.write("usage: record.ts PORT FILE\n");
  process.exitCode = 2;
} else {
  record(Number(port), file).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exitCode = 1;
  });
}
