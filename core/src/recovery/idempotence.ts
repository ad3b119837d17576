/** Which requests may be made twice: the second time changes nothing, and is answered as the first one. */

/** As much of a request's arguments as counts. */
export interface RepeatableFields {
  readonly queue?: string | undefined;
  readonly ifUnused?: boolean | undefined;
  readonly ifEmpty?: boolean | undefined;
}

/** Whether a request of which nobody knows whether it was done may be made again. */
export function mayRepeat(method: string, { queue, ifUnused, ifEmpty }: RepeatableFields): boolean {
  switch (method) {
    case "queue.declare":
      // Where the server makes up the name, twice is two queues.
      return queue !== "";
    case "queue.delete":
    case "exchange.delete":
      // A condition may hold now, and not have held before, or the other way round.
      return ifUnused !== true && ifEmpty !== true;
    default:
      return repeatable.has(method);
  }
}

const repeatable: ReadonlySet<string> = new Set([
  "exchange.declare",
  "exchange.bind",
  "exchange.unbind",
  "queue.bind",
  "queue.unbind",
  "basic.qos",
  "confirm.select",
  "tx.select",
]);
