import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect as connectSocket, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { protocolHeader } from "@leveret/core/wire";
import { connect as connectByTcp } from "@leveret/node";
import { connect as connectByWebSocket, connectOnce } from "@leveret/websocket";
import { afterEach, describe, expect, it } from "vitest";
import { Broker } from "../broker.ts";
import { hold } from "../testing/conversation.ts";
import { conversations } from "../testing/conversations/index.ts";
import { TcpPeer } from "../testing/peer.ts";
import { comparable } from "../testing/transcripts.ts";
import { EmbeddedPeer } from "../testing/peer.ts";
import { type ListeningBroker, listenBroker } from "./listen.ts";

let listening: ListeningBroker | undefined;

afterEach(async () => {
  await listening?.close();
  listening = undefined;
});

async function dial(port: number): Promise<Socket> {
  const socket = connectSocket(port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}

describe("listenBroker", () => {
  const chosen = ["routing: CC and BCC", "tx: publishes wait for the commit", "publish: bodies of many frames"];

  it.each(conversations.filter(({ name }) => chosen.includes(name)).map((each) => [each.name, each] as const))(
    "says over TCP what the broker says: %s",
    async (_name, conversation) => {
      listening = await listenBroker(new Broker(), { port: 0 });
      const overTcp = comparable(await hold(conversation, new TcpPeer(listening.port, 5)));
      expect(overTcp).toEqual(comparable(await hold(conversation, new EmbeddedPeer())));
    },
  );

  it("answers a stranger with a protocol header, and ends the stream", async () => {
    listening = await listenBroker(new Broker({ profile: "3.10" }), { port: 0 });
    const socket = await dial(listening.port);
    const received: Buffer[] = [];
    socket.on("data", (chunk) => received.push(chunk));
    socket.write("GET / HTTP/1.1\r\n\r\n");
    await once(socket, "end");
    expect(Buffer.concat(received)).toEqual(Buffer.from(protocolHeader));
  });

  it("sends what an order has brought about", async () => {
    const broker = new Broker();
    listening = await listenBroker(broker, { port: 0 });
    const socket = await dial(listening.port);
    socket.write(protocolHeader);
    await once(socket, "data");
    broker.connections[0]?.end();
    listening.flush();
    socket.resume();
    await once(socket, "end");
    expect(broker.connections).toEqual([]);
  });

  it("notices that a client is gone", async () => {
    const broker = new Broker();
    listening = await listenBroker(broker, { port: 0 });
    const socket = await dial(listening.port);
    socket.write(protocolHeader);
    await once(socket, "data");
    expect(broker.connections).toHaveLength(1);
    socket.destroy();
    await expect.poll(() => broker.connections.length).toBe(0);
  });

  it("drops everybody and gives the port back when it is closed", async () => {
    const first = await listenBroker(new Broker(), { port: 0 });
    const socket = await dial(first.port);
    socket.on("error", () => {});
    const ended = once(socket, "close");
    await first.close();
    await ended;
    listening = await listenBroker(new Broker(), { port: first.port });
    expect(listening.port).toBe(first.port);
  });

  it("refuses an option that it does not know, and does not take the default port for it", async () => {
    const listening = listenBroker(new Broker(), { prot: 0 } as never);
    await expect(listening).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("prot"),
    });
  });

  it("rejects when it cannot listen", async () => {
    listening = await listenBroker(new Broker(), { port: 0 });
    await expect(listenBroker(new Broker(), { port: listening.port })).rejects.toThrow(/EADDRINUSE/);
  });
});

describe("listenBroker with webSocketPort", () => {
  async function open(url: string): Promise<WebSocket> {
    const socket = new WebSocket(url, "amqp091");
    socket.binaryType = "arraybuffer";
    await once(socket, "open");
    return socket;
  }

  it.each([
    ["connect", connectByWebSocket],
    ["connectOnce", connectOnce],
  ])("serves clients over WebSockets (%s) and over TCP from one broker", async (_, connect) => {
    const broker = new Broker();
    listening = await listenBroker(broker, { port: 0, webSocketPort: 0 });
    expect(listening.webSocketUrl).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/$/);
    const [overTcp, overWebSocket] = await Promise.all([
      connectByTcp(listening.url),
      connect(listening.webSocketUrl as string),
    ]);
    const channel = await overWebSocket.openChannel();
    const { queue } = await channel.queueDeclare({ queue: "" });
    await channel.confirmSelect();
    const body = new Uint8Array(1_500_000).map((_, at) => at % 251);
    await channel.basicPublish({ exchange: "", routingKey: queue, body });
    const message = await (await overTcp.openChannel()).basicGet({ queue, noAck: true });
    expect(message?.body).toEqual(body);
    await (await overTcp.openChannel()).basicPublish({ exchange: "", routingKey: queue, body });
    await expect.poll(async () => (await channel.basicGet({ queue, noAck: true }))?.body.length).toBe(body.length);
    expect(broker.connectionSnapshots().map(({ name }) => name)).toHaveLength(2);
    await overWebSocket.close();
    await overTcp.close();
    await expect.poll(() => broker.connections.length).toBe(0);
  });

  it("ends a client that sends text, and answers what is no WebSocket with 426", async () => {
    listening = await listenBroker(new Broker(), { port: 0, webSocketPort: 0 });
    const url = listening.webSocketUrl as string;
    const socket = await open(url);
    expect(socket.protocol).toBe("amqp091");
    socket.send("AMQP");
    const [event] = (await once(socket, "close")) as [CloseEvent];
    expect(event.code).toBe(1003);
    const answer = await fetch(url.replace("ws:", "http:"));
    expect(answer.status).toBe(426);
    await answer.text();
  });

  it("does not wait for a client that has not finished its request when it is closed", async () => {
    listening = await listenBroker(new Broker(), { port: 0, webSocketPort: 0 });
    const port = Number(new URL(String(listening.webSocketUrl)).port);
    const socket = await dial(port);
    socket.on("error", () => {});
    socket.write("GET / HTTP/1.1\r\n");
    // One that came later was answered: what came before has been read.
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(426);
    const gone = once(socket, "close");
    await listening.close();
    await gone;
  });

  it("closes its sockets with the broker", async () => {
    const first = await listenBroker(new Broker(), { port: 0, webSocketPort: 0 });
    const socket = await open(first.webSocketUrl as string);
    const closed = once(socket, "close");
    await first.close();
    await closed;
    expect(socket.readyState).toBe(WebSocket.CLOSED);
  });

  it("rejects when it cannot listen, and gives the first port back", async () => {
    listening = await listenBroker(new Broker(), { port: 0, webSocketPort: 0 });
    const taken = Number(new URL(listening.webSocketUrl as string).port);
    const free = await listenBroker(new Broker(), { port: 0 });
    await free.close();
    await expect(listenBroker(new Broker(), { port: free.port, webSocketPort: taken })).rejects.toThrow(/EADDRINUSE/);
    const again = await listenBroker(new Broker(), { port: free.port });
    await again.close();
  });
});

/** Runs the command until it has written something; `end` sends a signal and returns the exit code. */
function command(...args: readonly string[]) {
  const file = fileURLToPath(new URL("./command.ts", import.meta.url));
  const child = spawn(process.execPath, [file, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const output = { text: "" };
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output.text += String(chunk)));
  const exited = once(child, "exit").then(([code]) => code as number | null);
  return { child, output, exited };
}

describe("leveret-broker", () => {
  it("listens, serves, and ends on SIGTERM", async () => {
    const { child, output, exited } = command("--port", "0");
    await expect.poll(() => output.text).toMatch(/listens on amqp:\/\/127\.0\.0\.1:\d+/);
    const socket = await dial(Number(/:(\d+)\s/.exec(output.text)?.[1]));
    socket.write(protocolHeader);
    const [chunk] = (await once(socket, "data")) as [Buffer];
    expect(chunk[0]).toBe(1);
    socket.on("error", () => {});
    child.kill("SIGTERM");
    expect(await exited).toBe(0);
    socket.destroy();
  });

  it("listens for WebSockets where it is told to", async () => {
    const { child, output, exited } = command("--port", "0", "--websocket-port", "0");
    await expect.poll(() => output.text).toMatch(/ and ws:\/\/127\.0\.0\.1:\d+\/\n/);
    const connection = await connectByWebSocket(/ws:\S+/.exec(output.text)?.[0] ?? "");
    await connection.close();
    child.kill("SIGTERM");
    expect(await exited).toBe(0);
  });

  it("shows its options", async () => {
    const { output, exited } = command("--help");
    expect(await exited).toBe(0);
    expect(output.text).toMatch(/^Usage: leveret-broker/);
  });

  it.each([
    [["--port", "high"], /--port is a number from 0 to 65535, not high/],
    [["--profile", "5"], /--profile is one of/],
    [["--user", "nobody"], /--user is NAME:PASSWORD/],
    [["--nonsense"], /--nonsense/],
  ])("refuses %j", async (args, message) => {
    const { output, exited } = command(...args);
    expect(await exited).toBe(2);
    expect(output.text).toMatch(message);
  });
});
