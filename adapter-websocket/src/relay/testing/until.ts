/** Waiting for what has to happen. */

const patience = 30_000;

/** Looks again and again, until the condition holds. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const limit = performance.now() + patience;
  while (!(await condition())) {
    if (performance.now() > limit) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Waits until a number has stopped to change for many turns of the loop. */
export async function settled(value: () => number): Promise<void> {
  let last = Number.NaN;
  let turns = 0;
  await until(() => {
    turns = value() === last ? turns + 1 : 0;
    last = value();
    return turns > 40;
  }, "something to come to rest");
}
