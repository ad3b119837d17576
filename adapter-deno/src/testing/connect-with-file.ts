/** A program: connects over TLS with an authority of a file, and says in JSON what came of it. */

import { connect } from "../index.ts";

const [caFile] = process.argv.slice(2);
connect({ host: "127.0.0.1", tls: { caFile } }).then(
  () => print({ connected: true }),
  ({ name, message }: Error) => print({ name, message }),
);

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
