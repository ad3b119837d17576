/** A program: connects to an endpoint, given as JSON, and says in JSON what came of it. */

import { denoIo, type Endpoint } from "../index.ts";

const endpoint = JSON.parse(process.argv[2] ?? "") as Endpoint;
const stream = denoIo().connect(endpoint, {
  opened: () => {
    print({ opened: true });
    stream.abort();
  },
  received: () => {},
  writable: () => {},
  closed: (cause) => {
    if (cause !== undefined) print({ code: cause.code, phase: cause.phase, message: cause.message });
  },
});

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
