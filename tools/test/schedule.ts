/** Running several things at a time. */

/**
 * Runs the tasks in their order, at most `lanes` at a time, and never two at once that need the same thing.
 *
 * @param task.needs a name; tasks without one only wait for a lane.
 */
export async function schedule<T>(
  tasks: readonly { readonly needs?: string | undefined; run(): Promise<T> }[],
  lanes: number,
): Promise<T[]> {
  const waiting = tasks.map((task, index) => ({ ...task, run: () => task.run(), index }));
  const inUse = new Set<string>();
  const results: T[] = [];
  const running = new Set<Promise<void>>();

  const startNext = (): boolean => {
    const next = waiting.findIndex(({ needs }) => needs === undefined || !inUse.has(needs));
    const [task] = next < 0 ? [] : waiting.splice(next, 1);
    if (task === undefined) return false;
    if (task.needs !== undefined) inUse.add(task.needs);
    const ending = task.run().then((result) => {
      results[task.index] = result;
      if (task.needs !== undefined) inUse.delete(task.needs);
      running.delete(ending);
    });
    running.add(ending);
    return true;
  };

  for (;;) {
    while (running.size < lanes && startNext());
    if (running.size === 0) return results;
    await Promise.race(running);
  }
}
