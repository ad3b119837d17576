import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { connect as connectTls } from "node:tls";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RabbitMQCoordinates, type RabbitMQNode, RabbitMQUnavailableError, startRabbitMQ } from "./index.ts";
import { poll } from "./poll.ts";
import { probeBroker, probePort } from "./probe.ts";
import { processesOf } from "./processes.ts";

const release = process.env.RABBITMQ_RELEASE || "system";

describe("a node", () => {
  let node: RabbitMQNode;

  beforeAll(async () => {
    node = await startRabbitMQ({ release });
  }, 300_000);

  afterAll(() => node.stop());

  it("serves AMQP, and says which version it is", async () => {
    expect(await probeBroker(node.host, node.port)).toBe(node.version);
    expect(node.url).toBe(`amqp://guest:guest@127.0.0.1:${node.port}`);
  });

  it.each(["127.0.0.1", "localhost"])("has a certificate for %s, and accepts the client's", async (host) => {
    const socket = connectTls({
      host,
      port: node.tlsPort as number,
      ca: readFileSync(node.caFile as string),
      cert: readFileSync(node.clientCertFile as string),
      key: readFileSync(node.clientKeyFile as string),
    });
    await once(socket, "secureConnect");
    expect(socket.authorized).toBe(true);
    expect(socket.getPeerCertificate().subject.CN).toBe("localhost");
    socket.destroy();
  });

  it("takes users and virtual hosts", async () => {
    await node.addVirtualHost("hares");
    await node.addUser("lev", "secret", ["hares"]);
    expect(await node.ctl("list_permissions", "-p", "hares")).toMatch(/^lev\t/m);
    expect(await node.ctl("list_users")).toMatch(new RegExp(`^${node.clientUser}\t`, "m"));
    await node.deleteUser("lev");
    await node.deleteVirtualHost("hares");
    expect(await node.ctl("list_vhosts")).not.toMatch(/^hares$/m);
  });

  it("tells what rabbitmqctl complains of", async () => {
    await expect(node.ctl("eval", "erlang:error(hare).")).rejects.toThrow(/rabbitmqctl eval failed.*hare/s);
  });

  it("raises alarms and clears them", async () => {
    const alarms = () => node.management("GET", "health/checks/local-alarms");
    const status = () =>
      alarms().then(
        () => "clear",
        () => "alarmed",
      );
    const becomes = (wanted: string) =>
      poll(async () => ((await status()) === wanted ? true : undefined), {
        within: 60_000,
        late: () => new Error(`not ${wanted}`),
      });
    expect(await status()).toBe("clear");
    await node.blockMemory();
    await becomes("alarmed");
    await node.unblock();
    await becomes("clear");
  });

  it("holds its breath while paused", async () => {
    node.pause();
    expect(await probeBroker(node.host, node.port, 300)).toBeUndefined();
    node.resume();
    await poll(() => probeBroker(node.host, node.port), { within: 60_000, late: () => new Error("does not resume") });
  });

  it("comes back on the same ports with its data, from a kill and from an orderly restart", async () => {
    await node.management("PUT", "queues/%2F/burrow", { durable: true });
    await node.ctl("eval", "mnesia:sync_log().");
    await node.kill();
    expect(await probePort(node.host, node.port)).toBe(false);
    await node.restart();
    expect(await probeBroker(node.host, node.port)).toBe(node.version);
    expect(await node.management("GET", "queues/%2F/burrow")).toMatchObject({ durable: true });
    await node.restart();
    expect(await node.management("GET", "queues/%2F/burrow")).toMatchObject({ durable: true });
  }, 120_000);

  it("leaves nothing behind", async () => {
    const folder = node.folder as string;
    expect(processesOf(folder).length).toBeGreaterThan(1);
    await node.stop();
    await node.stop();
    expect(processesOf(folder)).toEqual([]);
    expect(existsSync(folder)).toBe(false);
    expect(await probePort(node.host, node.port)).toBe(false);
    await expect(node.ctl("status")).rejects.toThrow(/was stopped/);
  });
});

describe("a node whose owner is killed", () => {
  it("ends by itself", async () => {
    const index = fileURLToPath(new URL("index.ts", import.meta.url));
    const program = `
      const { startRabbitMQ } = await import(${JSON.stringify(index)});
      console.log(JSON.stringify(await startRabbitMQ({ release: ${JSON.stringify(release)} })));
      setInterval(() => {}, 1000);`;
    const owner = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(owner.stdout.setEncoding("utf8"), "data")) as [string];
    const { folder, host, port } = JSON.parse(line) as RabbitMQCoordinates & { folder: string };
    expect(await probeBroker(host, port)).toBeDefined();

    owner.kill("SIGKILL");
    const isGone = () => (processesOf(folder).length === 0 && !existsSync(folder) ? true : undefined);
    await poll(isGone, { within: 60_000, late: () => new Error("the node outlives its owner") });
    expect(await probePort(host, port)).toBe(false);
  }, 120_000);
});

describe("a release that cannot be had", () => {
  it("is refused with the way to get one", async () => {
    await expect(startRabbitMQ({ release: "2.8" })).rejects.toThrow(RabbitMQUnavailableError);
    await expect(startRabbitMQ({ release: "2.8" })).rejects.toThrow(/AMQP_URL/);
  });
});
