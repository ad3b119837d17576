/** Channels and what is done on them. */

import { type ParitySection, row } from "./row.ts";

const channel = (title: string): string => `core/src/client/channel.test.ts > ${title}`;
const engine = (file: string, title: string): string => `core/src/engine/${file}.test.ts > ${title}`;

export const channelRows: ParitySection = {
  title: "Channels",
  rows: [
    row(
      "CreateAndCloseChannel, ChannelContextManager…, 4 tests",
      "",
      "channels: open and close, and may be closed twice",
    ),
    row(
      "ChannelRaisesWrongStateWhenDeclaringQueueOnClosedChannel",
      "",
      "channels: are closed by the server when it refuses a call, and only they",
    ),
    row(
      "ChannelRaisesWrongStateWhenClosingClosedChannel",
      "closing twice is no error",
      "channels: open and close, and may be closed twice",
    ),
    row("ClosingAChannelPermitsBlockedRequestToComplete", "", "channels: answer calls that were made before the close"),
    row(
      "NoDeadlockWhenClosingChannelWithPendingBlockedRequestsAndConcurrentChannelCloseFromBroker",
      "the server's reason wins",
      "channels: end with the server's reason when both sides close at once",
    ),
    row("BlockingNonBlockingBlockingRPCWontStall", "", "channels: mix calls that wait and calls that do not, in order"),
    row(
      "one request at a time, the next leaves before the reply is told",
      "",
      engine("channel-requests", "come one at a time, in order, while everything else goes past them"),
      engine("channel-requests", "send the next before the driver hears of the reply"),
    ),
    row(
      "an unmatched reply must not wedge the channel",
      "a name that the server changes is no mismatch",
      "queues: keep names with any characters, and drop line ends from them as the server does",
    ),
    row(
      "callbacks of unanswered calls never fire",
      "every promise settles",
      channel("settles when the connection is lost"),
      "channels: tell calls behind the one that failed that they were not sent",
    ),
    row(
      "a call in the wrong state, a bad argument",
      "a typed error before anything was sent",
      "channels: refuse bad input before anything is sent, and live on",
    ),
    row("UsingInvalidQueueArgument", "", "channels: refuse bad input before anything is sent, and live on"),
    row(
      "ChannelFlow",
      "stopping is refused here, since RabbitMQ closes the connection for it",
      "channels: answer a flow that is active, and refuse to stop it before anything is sent",
    ),
    row(
      "the server's channel.flow",
      "is answered and obeyed, which Pika does not do",
      engine("channel", "is answered, and is an event"),
      "core/src/client/publishing.test.ts > waits while the server blocks the connection, or has stopped the flow",
    ),
    row("`add_callback`: raw methods", "", "channels: make any request of the protocol by its name"),
    row(
      "`consumer_tags`, `flow_active`, states",
      "",
      "core/src/client/consumer.test.ts > are known before the server answers",
      channel("tells its listeners, who may do as they like"),
    ),
    row(
      "`basic_qos`, per consumer and for the channel",
      "",
      "consuming: get no more messages than their prefetch before they settle",
      "settling: a global prefetch holds for the whole channel",
    ),
    row(
      "numbers are free when both sides agree",
      "",
      engine("channels", "after both answers when both closed; the server's reason wins"),
    ),
  ],
};

export const topologyRows: ParitySection = {
  title: "Exchanges and queues",
  rows: [
    row("ExchangeDeclareAndDelete", "", "exchanges: are declared, found, declared again, and deleted"),
    row("ExchangeRedeclareWithDifferentValues", "", "exchanges: declared differently are refused with 406"),
    row("InvalidExchangeTypeRaisesConnectionClosed", "", "exchanges: of a type that does not exist are refused"),
    row("ExchangeBindAndUnbind", "", "exchanges: are bound to each other, and unbound: mandatory publishes show it"),
    row("`if_unused`", "", "exchanges: in use are not deleted when only unused ones are to be"),
    row(
      "`internal`, `auto_delete`",
      "",
      "exchanges: that are internal take no publishes",
      "exchanges: that delete themselves go with their last binding",
    ),
    row(
      "QueueUnnamedDeclareAndDelete",
      "",
      "queues: get a name from the server, which an empty name stands for afterwards",
    ),
    row(
      "QueueNamedDeclareAndDelete, QueueDeclareAndDelete",
      "",
      "queues: are declared by name, found, declared again, and deleted",
    ),
    row(
      "QueueRedeclareWithDifferentValues",
      "",
      "queues: declared differently are refused with 406, and other connections' exclusive ones with 405",
    ),
    row(
      "PassiveQueueDeclareOfUnknownQueueRaisesChannelClosed",
      "",
      "queues: are declared by name, found, declared again, and deleted",
    ),
    row(
      "QueueBindAndUnbindAndPurge",
      "",
      "queues: are bound, and unbound, and unbinding what is not bound is no error",
      "queues: are purged of what is ready, and only that",
    ),
    row("`if_unused`, `if_empty`", "", "queues: in use, or with messages, are not deleted when only others are to be"),
    row(
      "`exclusive`, `auto_delete`",
      "",
      "queues: go with their connection when they are exclusive",
      "queues: that delete themselves go with their last consumer",
    ),
    row(
      "calls without an answer",
      "",
      "queues: take declarations, purges and deletions that nobody waits for",
      "exchanges: take declarations, bindings and deletions that nobody waits for",
    ),
  ],
};

export const publishRows: ParitySection = {
  title: "Publishing",
  rows: [
    row("ConfirmSelect", "", "confirms: a publish resolves when the server has the message"),
    row(
      "Z_PublishAndConsume, Z_PublishAndConsumeBig, NonPubAckPublishAndConsumeHugeMessage",
      "",
      "publishing: a message arrives as it was sent, whatever its size",
      "publishing: a message arrives through small frames",
    ),
    row(
      "NonPubAckPublishAndConsumeManyMessages",
      "",
      "publishing: messages of one channel arrive in order, ten thousand of them in one turn",
    ),
    row(
      "BasicPublishWithoutPubacks",
      "",
      "publishing: mandatory messages that nobody takes come back, in order, whole",
    ),
    row(
      "PublishAndBasicPublishWithPubacksUnroutable, UnroutableMessageReturnedInPubackMode",
      "",
      "confirms: mandatory messages that nobody takes are told apart from the others, with many in flight",
    ),
    row(
      "ConfirmDeliveryAfterUnroutableMessage, BasicPublishDeliveredWhenPendingUnroutable",
      "a message that came back belongs to its publish alone",
      "publishing: mandatory messages that are taken do not come back",
      "core/src/client/unconfirmed.test.ts > do not outlive the publishes they could belong to",
    ),
    row(
      "UnroutableMessagesReturnedInNonPubackMode",
      "",
      "publishing: mandatory messages that nobody takes come back, in order, whole",
    ),
    row(
      "a return is paired with its publish",
      "with many in flight and `multiple`, where Pika has one slot",
      "confirms: mandatory messages with the same address and body are told apart by their headers",
      "core/src/client/unconfirmed.test.ts > are told to the publish they answer, with many in flight and one confirm for all",
    ),
    row("NackError", "", "confirms: a queue that is full refuses, and that is told"),
    row(
      "`multiple` in acks and nacks of confirms",
      "",
      engine(
        "confirms",
        "settles each number once and as a naive list of flags would, whatever the order of acks and nacks",
      ),
      "confirms: five thousand publishes in flight are each confirmed once",
    ),
    row("PublishFromBasicConsumeCallback", "", "consuming: publish, declare and get from their handler"),
    row(
      "a message is encoded whole before a byte leaves",
      "",
      "core/src/wire/content.test.ts > is refused for a bad %s: %o; nothing is written",
    ),
    row(
      "properties: absent is not empty",
      "",
      "publishing: properties arrive as they were sent, all of them and none",
      "core/src/wire/properties.test.ts > tell absent from empty",
    ),
    row(
      "no flow control (#1043)",
      "window by count and bytes; congested output makes senders wait",
      "publishers: keep within their window by count and by bytes, whoever waits",
      "core/src/client/publishing.test.ts > waits for room while output is congested, in order",
    ),
    row(
      "publish and consumer deadlines",
      "a timeout and a signal for each call",
      "confirms: a publish may be waited for only so long, and by a signal",
    ),
    row(
      "TX1_Select, TX2_Commit, TX3_Rollback, TxCommit, TxRollback",
      "",
      "transactions: publishes are seen after the commit, and not before",
      "transactions: publishes are never seen after a rollback",
      "transactions: acknowledgements count from the commit, and not after a rollback",
    ),
    row(
      "TX2_CommitFailure, TX3_RollbackFailure",
      "",
      "transactions: a commit or a rollback outside a transaction is refused",
    ),
  ],
};

export const consumeRows: ParitySection = {
  title: "Getting, consuming, settling",
  rows: [
    row("Z_PublishAndGet, BasicGet", "", "getting: gives nothing, then a message with what is left behind it"),
    row(
      "DuplicateGetOkCallback",
      "several gets may wait, and are answered in order",
      "getting: many at once are answered in order",
    ),
    row(
      "BasicReject, BasicRejectNoRequeue, BasicNack, BasicNackNoRequeue",
      "",
      "settling: an acknowledged message is gone, a refused one comes again, a dropped one does not",
    ),
    row("BasicNackMultiple", "", "settling: multiple means all before it as well, and nothing else"),
    row("BasicRecoverWithRequeue", "", "settling: recover brings everything back, and what was held is settled then"),
    row(
      "BasicConsumeFromUnknownQueueRaisesChannelClosed",
      "",
      "consuming: of a queue that does not exist, or that somebody has for himself, are refused",
    ),
    row("ConsumeCancel", "", "consuming: are cancelled, and what nobody has taken goes back, counted"),
    row(
      "PublishAndConsumeWithPubacksAndQosOfOne",
      "",
      "consuming: get no more messages than their prefetch before they settle",
    ),
    row("TwoBasicConsumersOnSameChannel", "", "consuming: of one channel get their own messages"),
    row(
      "DuplicateConsumerTag",
      "",
      "consuming: with a tag that is in use are refused before the server would close the connection",
    ),
    row(
      "BasicCancelPurgesPendingConsumerCancellationEvt, ConsumeGeneratorCancelEncountersCancelFromBroker",
      "",
      engine("channel", "may cross a cancel of ours"),
    ),
    row(
      "two cancels at once",
      "each gets its own answer, which Pika mixes up",
      "consuming: of two cancelled at once each get their own answer",
    ),
    row("StopConsumingFromBasicConsumeCallback", "", "consuming: cancel themselves in their handler"),
    row(
      "CloseChannelFromBasicConsumeCallback, CloseConnectionFromBasicConsumeCallback",
      "",
      "consuming: close the channel, or the connection, from their handler",
    ),
    row(
      "StartConsumingRaisesChannelClosedOnSameChannelFailure, ConsumeGeneratorPassesChannelClosedOnSameChannelFailure",
      "",
      "iterating: a loop throws when the server cancels the consumer, or closes the channel",
    ),
    row(
      "StartConsumingReturnsAfterCancelFromBroker, ConsumeGeneratorInterruptedByCancelFromBroker",
      "the end has a typed reason",
      "consuming: are told when the server cancels them, and may settle what they have",
      "iterating: a loop throws when the server cancels the consumer, or closes the channel",
    ),
    row(
      "BasicCancelWithNonAckableConsumer",
      "",
      "consuming: with noAck get what they get, and nothing goes back",
      "iterating: without acknowledgements, what was received before the end can still be taken",
    ),
    row(
      "BasicCancelWithAckableConsumer",
      "counted",
      "consuming: are cancelled, and what nobody has taken goes back, counted",
    ),
    row(
      "UnackedMessageAutoRestoredToQueueOnChannelClose",
      "",
      "settling: what is held when the channel closes goes back, and is stale",
    ),
    row("NoAckMessageNotRestoredToQueueOnChannelClose", "", "getting: with noAck is settled at once"),
    row("ConsumeGeneratorInactivityTimeout", "", "iterating: waiting for a message may have an end"),
    row(
      "deliveries for a consumer that is being cancelled go back",
      "",
      "core/src/client/consumer.test.ts > gives back what comes too late",
    ),
    row(
      "prefetch (#1142)",
      "bounded unless told",
      "core/src/client/consumer.test.ts > is 256 unless told, is told to the server once, and is what basicQos said",
    ),
    row(
      "leaving the loop does not cancel",
      "it does",
      "iterating: a loop takes messages one by one, and leaving it gives back what was not taken",
    ),
    row(
      "an exception in a handler",
      "sends the message back, and is reported",
      "consuming: send a message back by throwing, and get it again",
    ),
  ],
};
