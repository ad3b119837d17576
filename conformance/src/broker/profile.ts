/** What differs between versions of RabbitMQ on the wire: one object of plain values per version. */

/** A version of RabbitMQ that the broker can play. */
export type ProfileName = "3.10" | "4.0" | "4.3";

const mib = 1024 * 1024;

/** The switches of a {@link Profile}. */
export interface Profile {
  /** The version in `connection.start`. */
  readonly version: string;
  /** The least frame-max that tuning accepts, and the limit before tuning; bytes. */
  readonly frameMin: number;
  /** The largest body; bytes. */
  readonly maxMessageSize: number;
  /** SASL mechanisms that are offered. */
  readonly mechanisms: readonly string[];
  /** The protocol header that answers a stranger's. */
  readonly headerReply: Uint8Array;
  /** A body that is longer than announced is an error (else the broker waits for ever), as is one announced above 512 MiB. */
  readonly boundsContent: boolean;
  /** An exchange type that does not exist ends the connection (503) or the channel (406). */
  readonly unknownExchangeType: "COMMAND_INVALID" | "PRECONDITION_FAILED";
  /** Whether a queue may be neither durable nor exclusive. */
  readonly transientNonExclusive: "allowed" | "denied";
  /** `basic.qos` with `global`: one limit for the channel, or the same as without. */
  readonly globalQos: "channel" | "consumer";
  /** A mandatory message to a direct reply-to address is returned, although it is delivered. */
  readonly returnsMandatoryReplies: boolean;
  /** A delivery-mode that is neither 1 nor 2 is refused. */
  readonly strictDeliveryMode: boolean;
  /** Headers are delivered sorted by name, without duplicates, `L` as `l`. */
  readonly normalisesHeaders: boolean;
  /** In a headers exchange 1 and 1.0 are the same. */
  readonly headersLooseNumbers: boolean;
  /** A headers exchange takes a timestamp of a message for milliseconds, but one of a binding for seconds. */
  readonly headersTimesInMilliseconds: boolean;
  /** Client publishes an `x-death` header: it counts, or is left alone. */
  readonly honoursPublishedDeaths: boolean;
  /** Dead letters carry `x-last-death-*`. */
  readonly reportsLastDeath: boolean;
  /** How often a quorum queue delivers a message, unless the queue says otherwise. */
  readonly deliveryLimit: number | undefined;
  /** `basic.get` tells an `x-delivery-count` of 0 at the first delivery of a quorum queue. Consumers are told none. */
  readonly countsFirstFetch: boolean;
  /** A message that a client returns to a quorum queue (nack) counts as a failed delivery, as a rejected one does. */
  readonly countsReturns: boolean;
  /** What a quorum queue has rejected says so in the next one, by `x-delivery-count` and `redelivered`. */
  readonly tellsRejections: boolean;
  /** Quorum queues add `x-acquired-count`. */
  readonly reportsAcquired: boolean;
  /** A method after `tx.commit` and before its answer ends the connection (504), or waits. */
  readonly pipelinedCommit: "CHANNEL_ERROR" | "served";
  /** What the client gets that answers a server's `basic.cancel`. */
  readonly cancelOk: "COMMAND_INVALID" | "INTERNAL_ERROR";
  /** nack and reject on a stream are settlements like ack; else 540. */
  readonly streamNack: boolean;
  /** A bad `x-stream-offset`: ends the channel (406), or crashes it (541). */
  readonly badStreamOffset: "PRECONDITION_FAILED" | "INTERNAL_ERROR";
  /** Errors say "stream queue 'q'", where older versions say "stream queues queue 'q'". */
  readonly namesStreams: boolean;
  /** Messages of a stream that have no delivery-mode leave with the mode 1. */
  readonly streamsSayTransient: boolean;
  /** `+5` as an expiration leaves as `5`. */
  readonly normalisesExpiration: boolean;
  /** A dead letter keeps its CC header though it has got another routing key. */
  readonly deadLettersKeepCopies: boolean;
  /** The default queue type is filled in before arguments are compared. */
  readonly fillsQueueType: boolean;
  /** Priorities of a quorum queue: none, two levels, or each its own. */
  readonly quorumPriorities: "none" | "two" | "strict";
  /** The most `#` in a topic binding. */
  readonly maxTopicHashes: number;
  /** What a consumer meets that leaves a delivery unsettled for too long. */
  readonly consumerTimeout: "channel-close" | "cancel-quorum";
  /** The active consumer of a quorum queue gives way to one of a higher priority, as soon as it owes nothing. */
  readonly activeGivesWay: boolean;
  /** Classic queues may be mirrored: other arguments say where they are, and what consumers want to hear of that. */
  readonly mirrorsQueues: boolean;
  /** Consumers of streams may filter. */
  readonly filtersStreams: boolean;
  /** A queue may be bound under a direct reply-to name. */
  readonly bindsReplyTo: boolean;
  /** Passive declares need some permission on the queue. */
  readonly passiveNeedsPermission: boolean;
}

const rabbit310: Profile = {
  version: "3.10.8",
  frameMin: 4096,
  maxMessageSize: 128 * mib,
  mechanisms: ["PLAIN", "AMQPLAIN"],
  headerReply: protocolHeader(0, 0, 9, 1),
  boundsContent: false,
  unknownExchangeType: "COMMAND_INVALID",
  transientNonExclusive: "allowed",
  globalQos: "channel",
  returnsMandatoryReplies: true,
  strictDeliveryMode: true,
  normalisesHeaders: false,
  headersLooseNumbers: true,
  headersTimesInMilliseconds: false,
  honoursPublishedDeaths: true,
  reportsLastDeath: false,
  deliveryLimit: undefined,
  countsFirstFetch: true,
  countsReturns: true,
  tellsRejections: false,
  reportsAcquired: false,
  pipelinedCommit: "CHANNEL_ERROR",
  cancelOk: "COMMAND_INVALID",
  streamNack: false,
  badStreamOffset: "INTERNAL_ERROR",
  namesStreams: false,
  streamsSayTransient: false,
  normalisesExpiration: false,
  deadLettersKeepCopies: false,
  fillsQueueType: false,
  quorumPriorities: "none",
  maxTopicHashes: Number.POSITIVE_INFINITY,
  consumerTimeout: "channel-close",
  activeGivesWay: false,
  mirrorsQueues: true,
  filtersStreams: false,
  bindsReplyTo: true,
  passiveNeedsPermission: false,
};

const rabbit40: Profile = {
  ...rabbit310,
  version: "4.0.5",
  maxMessageSize: 16 * mib,
  mechanisms: ["ANONYMOUS", "PLAIN", "AMQPLAIN"],
  headerReply: protocolHeader(3, 1, 0, 0),
  unknownExchangeType: "PRECONDITION_FAILED",
  strictDeliveryMode: false,
  normalisesHeaders: true,
  headersLooseNumbers: false,
  headersTimesInMilliseconds: true,
  honoursPublishedDeaths: false,
  reportsLastDeath: true,
  deliveryLimit: 20,
  countsFirstFetch: false,
  tellsRejections: true,
  streamNack: true,
  namesStreams: true,
  streamsSayTransient: true,
  normalisesExpiration: true,
  deadLettersKeepCopies: true,
  fillsQueueType: true,
  quorumPriorities: "two",
  activeGivesWay: true,
  mirrorsQueues: false,
  filtersStreams: true,
};

const rabbit43: Profile = {
  ...rabbit40,
  version: "4.3.6",
  frameMin: 8192,
  boundsContent: true,
  transientNonExclusive: "denied",
  globalQos: "consumer",
  returnsMandatoryReplies: false,
  countsReturns: false,
  reportsAcquired: true,
  pipelinedCommit: "served",
  cancelOk: "INTERNAL_ERROR",
  badStreamOffset: "PRECONDITION_FAILED",
  quorumPriorities: "strict",
  maxTopicHashes: 2,
  consumerTimeout: "cancel-quorum",
  bindsReplyTo: false,
  passiveNeedsPermission: true,
};

/** The versions that were observed, and what was seen there. */
export const profiles: Readonly<Record<ProfileName, Profile>> = {
  "3.10": rabbit310,
  "4.0": rabbit40,
  "4.3": rabbit43,
};

function protocolHeader(id: number, major: number, minor: number, revision: number): Uint8Array {
  return Uint8Array.of(0x41, 0x4d, 0x51, 0x50, id, major, minor, revision);
}
