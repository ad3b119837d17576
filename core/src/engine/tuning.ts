/** Negotiation: what two peers' proposals come to. Pure functions of both sides' values. */

import { frameMinSize } from "../wire/constants.ts";
import type { Fields } from "../wire/method-types.ts";
import { invalid, isInteger } from "../wire/values.ts";
import type { ConnectionConfig } from "./config.ts";
import { ConnectionError } from "./errors.ts";

/** The values that both peers hold to. */
export interface Tuning {
  /** The highest channel number. */
  readonly channelMax: number;
  /** Bytes of the largest frame, header and end octet included; 0 for no limit. */
  readonly frameMax: number;
  /** Seconds; 0 for no heartbeats. */
  readonly heartbeat: number;
}

const highestShort = 0xffff;
const highestLong = 0xffff_ffff;
const defaultChannelMax = 2047;
const defaultFrameMax = 131_072;

/**
 * Checks the proposals of our side.
 *
 * @throws UsageError INVALID_ARGUMENT.
 */
export function checkProposals({ channelMax, frameMax, heartbeat }: ConnectionConfig): void {
  if (channelMax !== undefined) checkInteger(channelMax, highestShort, "channelMax");
  if (frameMax !== undefined) {
    checkInteger(frameMax, highestLong, "frameMax");
    if (frameMax !== 0 && frameMax < frameMinSize) {
      throw invalid("frameMax", `is 0 or at least ${frameMinSize}, not ${frameMax}`);
    }
  }
  if (typeof heartbeat === "number") checkInteger(heartbeat, highestShort, "heartbeat");
}

/**
 * Brings both sides' values together.
 *
 * Zero stands for no limit, so the other side's value holds; RabbitMQ refuses an answer of 0 to a limit of its own.
 *
 * @throws ConnectionError TUNING_FAILED when no value suits both.
 */
export function negotiate(config: ConnectionConfig, proposed: Fields<"connection.tune">): Tuning {
  const frameMax = smallerLimit(config.frameMax ?? defaultFrameMax, proposed.frameMax);
  if (frameMax !== 0 && frameMax < frameMinSize) {
    throw tuningFailed(`The server proposed a frame-max of ${frameMax}; AMQP's minimum is ${frameMinSize}`);
  }
  return {
    channelMax: smallerLimit(config.channelMax ?? defaultChannelMax, proposed.channelMax) || highestShort,
    frameMax,
    heartbeat: chooseHeartbeat(config.heartbeat, proposed.heartbeat),
  };
}

function smallerLimit(ours: number, theirs: number): number {
  if (ours === 0) return theirs;
  return theirs === 0 ? ours : Math.min(ours, theirs);
}

function chooseHeartbeat(ours: ConnectionConfig["heartbeat"], proposed: number): number {
  if (typeof ours === "number") return ours;
  if (ours === undefined) return proposed;
  try {
    const chosen = ours(proposed);
    checkInteger(chosen, highestShort, "the result of the heartbeat function");
    return chosen;
  } catch (cause) {
    throw tuningFailed("The heartbeat function of the configuration failed", cause);
  }
}

function tuningFailed(message: string, cause?: unknown): ConnectionError {
  return new ConnectionError("TUNING_FAILED", message, { phase: "tune", cause });
}

function checkInteger(value: unknown, highest: number, name: string): void {
  if (!isInteger(value, 0, highest)) throw invalid(name, `is an integer from 0 to ${highest}, not ${String(value)}`);
}
