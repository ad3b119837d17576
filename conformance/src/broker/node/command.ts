#!/usr/bin/env node
/**
 * The command `leveret-broker`. SIGTERM and SIGINT end it in order, a second one at once.
 *
 * Exit codes: 0 after an orderly end, 1 when it cannot listen, 2 for arguments that are wrong.
 */

import { parseArgs } from "node:util";
import { Broker } from "../broker.ts";
import type { BrokerOptions } from "../options.ts";
import { type ProfileName, profiles } from "../profile.ts";
import { listenBroker } from "./listen.ts";

const help = `Usage: leveret-broker [OPTION]...

An AMQP 0-9-1 broker in memory that behaves as RabbitMQ does. Everything is lost when it ends.

  --port NUMBER        the port to listen on; 0 for any free one (default 5672)
  --websocket-port N   listens for WebSockets as well; 0 for any free port. It takes the package ws
  --host ADDRESS       the address to listen on (default 127.0.0.1)
  --profile VERSION    the RabbitMQ to behave like: ${Object.keys(profiles).join(", ")} (default 4.0)
  --user NAME:PASSWORD a user who may do everything; may be repeated (default guest:guest)
  --vhost NAME         a virtual host besides /; may be repeated
  --heartbeat SECONDS  the heartbeat to propose; 0 for none (default 60)
  --quiet              say nothing once it listens
  --help               show this, and exit
`;

class ArgumentError extends Error {
  override readonly name = "ArgumentError";
}

interface Wishes {
  readonly help: boolean;
  readonly quiet: boolean;
  readonly port: number;
  readonly webSocketPort: number | undefined;
  readonly host: string;
  readonly options: BrokerOptions;
}

async function main(): Promise<void> {
  const wishes = readArguments(process.argv.slice(2));
  if (wishes.help) return void process.stdout.write(help);
  const { port, webSocketPort, host } = wishes;
  const listening = await listenBroker(new Broker(wishes.options), { port, webSocketPort, host });
  const urls = [listening.url, ...(listening.webSocketUrl === undefined ? [] : [listening.webSocketUrl])];
  if (!wishes.quiet) process.stdout.write(`leveret-broker listens on ${urls.join(" and ")}\n`);
  let isEnding = false;
  const end = (): void => {
    if (isEnding) process.exit(1);
    isEnding = true;
    listening.broker.restart({ keepDurable: false });
    listening.flush();
    // What was said last leaves before the sockets do.
    setImmediate(() => void listening.close());
  };
  process.on("SIGTERM", end).on("SIGINT", end);
}

/** @throws ArgumentError */
function readArguments(args: readonly string[]): Wishes {
  const values = parse(args);
  const profile = values.profile ?? "4.0";
  if (!isProfile(profile)) {
    throw new ArgumentError(`--profile is one of ${Object.keys(profiles).join(", ")}, not ${profile}`);
  }
  const given = values["websocket-port"];
  return {
    help: values.help ?? false,
    quiet: values.quiet ?? false,
    port: numberOf("port", values.port ?? "5672", 65_535),
    webSocketPort: given === undefined ? undefined : numberOf("websocket-port", given, 65_535),
    host: values.host ?? "127.0.0.1",
    options: {
      profile,
      random: Math.random,
      users: usersOf(values.user ?? ["guest:guest"]),
      virtualHosts: ["/", ...(values.vhost ?? [])],
      tuning: { heartbeat: numberOf("heartbeat", values.heartbeat ?? "60", 65_535) },
    },
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        port: { type: "string" },
        "websocket-port": { type: "string" },
        host: { type: "string" },
        profile: { type: "string" },
        user: { type: "string", multiple: true },
        vhost: { type: "string", multiple: true },
        heartbeat: { type: "string" },
        quiet: { type: "boolean" },
        help: { type: "boolean" },
      },
    }).values;
  } catch (error) {
    throw new ArgumentError(error instanceof Error ? error.message : String(error));
  }
}

function numberOf(name: string, text: string, greatest: number): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number <= greatest) return number;
  throw new ArgumentError(`--${name} is a number from 0 to ${greatest}, not ${text}`);
}

function usersOf(pairs: readonly string[]): Record<string, { password: string }> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const colon = pair.indexOf(":");
      // The password is not repeated: it may be one.
      if (colon < 1) throw new ArgumentError("--user is NAME:PASSWORD");
      return [pair.slice(0, colon), { password: pair.slice(colon + 1) }];
    }),
  );
}

function isProfile(name: string): name is ProfileName {
  return Object.hasOwn(profiles, name);
}

main().catch((error: unknown) => {
  const isArgument = error instanceof ArgumentError;
  process.stderr.write(`leveret-broker: ${error instanceof Error ? error.message : String(error)}\n`);
  if (isArgument) process.stderr.write("leveret-broker --help shows all options\n");
  process.exitCode = isArgument ? 2 : 1;
});
