/** Other people's clients on the embedded broker: the programs of `broker/foreign`. */

import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { profiles } from "@leveret/conformance/broker";
import { run } from "../../../tools/lib/process.ts";

const program = fileURLToPath(new URL("../broker/foreign/run.ts", import.meta.url));

describe("other people's clients on the embedded broker", () => {
  it.each(Object.keys(profiles))("as RabbitMQ %s", { timeout: 120_000 }, async (profile) => {
    const { code, output } = await run(process.execPath, [program, profile]);
    expect(output).toContain(`${profile}  amqplib: 12 steps passed`);
    expect(output).toContain(`${profile}  rabbitmq-client: 9 steps passed`);
    expect(output).toContain(`${profile}  @cloudamqp/amqp-client: 9 steps passed`);
    expect(code).toBe(0);
  });
});
