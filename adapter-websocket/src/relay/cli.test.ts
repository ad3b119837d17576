import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { amqpHeader } from "./amqp-header.ts";
import { Client } from "./testing/bench.ts";
import { until } from "./testing/until.ts";
import { UpstreamPeer } from "./testing/upstream-peer.ts";

describe("the command", () => {
  const cli = fileURLToPath(new URL("cli.ts", import.meta.url));

  /** Runs the command; gives what it says. */
  function run(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    const child = spawn(process.execPath, [cli, ...args], { env: { ...process.env, ...environment } });
    onTestFinished(() => void child.kill("SIGKILL"));
    const said = { out: "", error: "" };
    child.stdout.on("data", (chunk: Buffer) => {
      said.out += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      said.error += chunk.toString();
    });
    const exit = new Promise<number | null>((resolve) => void child.on("close", (code) => resolve(code)));
    const lines = (): Record<string, unknown>[] =>
      said.out
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    return { child, said, exit, lines };
  }

  it("relays until SIGTERM, and then ends in order", async () => {
    const upstream = await UpstreamPeer.listen({ echo: true });
    onTestFinished(() => upstream.close());
    const command = run(["--listen", "127.0.0.1:0", "--allow-no-origin", "--drain-timeout", "50ms"], {
      LEVERET_RELAY_UPSTREAM: upstream.url,
    });
    await until(() => command.lines().length > 0, "the relay to listen");
    const client = new Client(new WebSocket(`ws://127.0.0.1:${String(command.lines()[0]?.port)}/`));
    client.socket.on("open", () => client.socket.send(amqpHeader));
    await until(() => client.received.length === 8, "the echo");
    command.child.kill("SIGHUP");
    command.child.kill("SIGTERM");
    expect(await client.close()).toMatchObject({ code: 1001 });
    expect(await command.exit).toBe(0);
    const messages = command
      .lines()
      .map(({ msg }) => msg)
      .filter((message) => message !== "certificates read again");
    expect(messages).toEqual(expect.arrayContaining(["relay listening", "connection opened"]));
    expect(messages.slice(-4)).toEqual(["signal received", "relay draining", "connection closed", "relay stopped"]);
    expect(command.lines()[0]?.time).toMatch(/^\d{4}-\d\d-\d\dT/);
  });

  it("does not wait any more at a second signal, and for nothing at a third", async () => {
    const upstream = await UpstreamPeer.listen({ echo: true });
    onTestFinished(() => upstream.close());
    const patient = ["--drain-timeout", "1h", "--close-timeout", "1h", "--ping-interval", "0"];
    const command = run(["--upstream", upstream.url, "--listen", "127.0.0.1:0", "--allow-no-origin", ...patient]);
    await until(() => command.lines().length > 0, "the relay to listen");
    const url = `ws://127.0.0.1:${String(command.lines()[0]?.port)}/`;
    const [polite, deaf] = [new Client(new WebSocket(url)), new Client(new WebSocket(url))];
    for (const { socket } of [polite, deaf]) socket.on("open", () => socket.send(amqpHeader));
    await until(() => polite.received.length + deaf.received.length === 16, "both echoes");
    deaf.socket.pause();
    onTestFinished(() => deaf.socket.terminate());

    const said = (message: string) => command.lines().filter(({ msg }) => msg === message).length;
    command.child.kill("SIGTERM");
    await until(() => said("relay draining") === 1, "the first signal to be heard");
    expect(polite.closed).toBeUndefined();
    command.child.kill("SIGINT");
    expect(await polite.close()).toMatchObject({ code: 1001 });
    expect(command.child.exitCode).toBeNull();
    command.child.kill("SIGTERM");
    expect(await command.exit).toBe(1);
  });

  it("goes on, and ends in order, when nobody takes its log any more", async () => {
    const command = run(["--upstream", "amqp://127.0.0.1:1", "--listen", "127.0.0.1:0", "--allow-no-origin"]);
    await until(() => command.lines().length > 0, "the relay to listen");
    command.child.stdout.destroy();
    const url = `http://127.0.0.1:${String(command.lines()[0]?.port)}/`;
    const refused = new WebSocket(url, { origin: "https://evil.test" });
    await new Promise((resolve) => void refused.on("error", resolve));
    await until(() => command.said.error.includes("log cannot be written: EPIPE"), "the warning");
    expect((await fetch(url)).status).toBe(426);
    command.child.kill("SIGTERM");
    expect(await command.exit).toBe(0);
  });

  it("does not start with settings that are wrong, and says all of them", async () => {
    const command = run(["--upstream", "amqp://u:hidden@rabbit", "--ping-interval", "x"]);
    expect(await command.exit).toBe(2);
    expect(command.said.error).toContain("leveret-relay: --upstream has no user and no password");
    expect(command.said.error).toContain("leveret-relay: --ping-interval is 0 or a duration");
    expect(command.said.error).not.toContain("hidden");
  });

  it("has help and a version", async () => {
    const help = run(["--help"]);
    expect(await help.exit).toBe(0);
    expect(help.said.out).toContain("--max-message-size SIZE");
    const version = run(["--version"]);
    expect(await version.exit).toBe(0);
    expect(version.said.out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
