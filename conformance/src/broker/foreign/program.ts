/** What all programs of other clients have in common: a broker's address, and steps that are reported one by one. */

/** A step of a program. It fails by throwing. */
export type Step = readonly [name: string, run: () => Promise<void>];

/** How long a step may take, in milliseconds. */
const patience = 10_000;

/** The address of the broker, from the environment. */
export function brokerUrl(): string {
  const url = process.env.AMQP_URL;
  if (url === undefined) throw new Error("AMQP_URL says where the broker is");
  return url;
}

/** Runs steps in order and says how each went, one line each; the exit code is 1 when one has failed. */
export async function runSteps(steps: readonly Step[]): Promise<void> {
  for (const [name, run] of steps) {
    try {
      await withPatience(run());
      process.stdout.write(`ok ${name}\n`);
    } catch (error) {
      process.exitCode = 1;
      process.stdout.write(`not ok ${name}: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
}

/** A promise, and the functions that settle it. */
export function signal<T>(): { readonly promise: Promise<T>; resolve(value: T): void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

async function withPatience(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`it takes longer than ${patience} ms`)), patience);
  });
  try {
    await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
