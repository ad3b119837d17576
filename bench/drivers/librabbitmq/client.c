/*
 * librabbitmq: as client.ts, an assignment in JSON comes in the argument and a report goes out.
 *
 * The library blocks: a publish is written when it returns, and what comes is asked for.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_tcp_socket.h>
#endif

#include "json.h"
#include "measure.h"

enum { cycle = 16, whole_body_every = 256, batch_size = 80, group_size = 8, unsettled_most = 1 << 16 };

static const amqp_channel_t channel = 1;
static amqp_connection_state_t connection;

/* What is asked for. */
static const char *assignment;
static const char *broker;
static const char *work;
static int on_null_broker;
static int is_rich;
static size_t size;
static int window; /* messages in flight, or the prefetch */
static const char *next_filled;

static char *bodies[cycle];
static amqp_basic_properties_t properties;
static amqp_table_entry_t headers[3];

/* What was done. */
static unsigned long published;
static unsigned long seen;

static void check_status(int status, const char *what) {
  if (status < 0) die("%s: %s", what, amqp_error_string2(status));
}

static void check_reply(amqp_rpc_reply_t reply, const char *what) {
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) return;
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) die("%s: %s", what, amqp_error_string2(reply.library_error));
  if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
    amqp_bytes_t text = ((amqp_connection_close_t *)reply.reply.decoded)->reply_text;
    die("%s: %.*s", what, (int)text.len, (char *)text.bytes);
  }
  die("%s: the broker refused", what);
}

static amqp_bytes_t bytes_of(const char *text) {
  return amqp_cstring_bytes(text);
}

/* The connection */

static void open_connection(void) {
  int port = json_number(json_member(broker, "port"));
  amqp_socket_t *socket;
  connection = amqp_new_connection();
  socket = amqp_tcp_socket_new(connection);
  if (socket == NULL) die("no socket");
  check_status(amqp_socket_open(socket, "127.0.0.1", port), "connect");
  check_reply(amqp_login(connection, "/", AMQP_DEFAULT_MAX_CHANNELS, AMQP_DEFAULT_FRAME_SIZE, AMQP_DEFAULT_HEARTBEAT,
                         AMQP_SASL_METHOD_PLAIN, "guest", "guest"),
              "login");
}

static void close_connection(void) {
  check_reply(amqp_connection_close(connection, AMQP_REPLY_SUCCESS), "close");
  check_status(amqp_destroy_connection(connection), "close");
}

static void open_channel(amqp_channel_t number) {
  amqp_channel_open(connection, number);
  check_reply(amqp_get_rpc_reply(connection), "channel.open");
}

static unsigned message_count(const char *queue) {
  amqp_queue_declare_ok_t *declared =
      amqp_queue_declare(connection, channel, bytes_of(queue), 1, 0, 0, 0, amqp_empty_table);
  check_reply(amqp_get_rpc_reply(connection), "queue.declare");
  return declared->message_count;
}

/* The queue to consume from: on RabbitMQ one that was filled, on the null broker one whose name says what it has. */
static void name_queue(char *queue, size_t room, const char *kind, unsigned count) {
  if (on_null_broker) {
    snprintf(queue, room, "%s.%zu.%s.%u.1", kind, size, is_rich ? "rich" : "bare", count);
    return;
  }
  next_filled = json_next(next_filled);
  if (next_filled == NULL) die("no more queues are filled");
  snprintf(queue, room, "%.*s", (int)(json_after(next_filled) - next_filled - 2), next_filled + 1);
}

/* Messages */

static void make_messages(void) {
  for (int index = 0; index < cycle; index += 1) {
    char *body = bodies[index] = malloc(size);
    if (body == NULL) die("no memory");
    for (size_t at = 0; at < size; at += 1) body[at] = (char)(at * 7);
    body[0] = body[size - 1] = (char)index;
  }
  if (!is_rich) return;
  headers[0].key = bytes_of("tenant");
  headers[0].value.kind = AMQP_FIELD_KIND_UTF8;
  headers[0].value.value.bytes = bytes_of("acme");
  headers[1].key = bytes_of("attempt");
  headers[1].value.kind = AMQP_FIELD_KIND_I32;
  headers[1].value.value.i32 = 3;
  headers[2].key = bytes_of("traced");
  headers[2].value.kind = AMQP_FIELD_KIND_BOOLEAN;
  headers[2].value.value.boolean = 1;
  properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
                      AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_TIMESTAMP_FLAG;
  properties.content_type = bytes_of("application/vnd.bench");
  properties.headers.num_entries = 3;
  properties.headers.entries = headers;
  properties.delivery_mode = 2;
  properties.correlation_id = bytes_of("0f8fad5b-d9cb-469f-a165-70867728950e");
  properties.timestamp = 1700000000;
}

static amqp_bytes_t body_at(unsigned long index) {
  amqp_bytes_t body = {size, bodies[index % cycle]};
  return body;
}

/* Dies when it is not the body that is next. */
static void inspect(amqp_bytes_t body) {
  const char *expected = bodies[seen % cycle];
  const char *found = body.bytes;
  if (body.len != size || found[0] != expected[0] || found[size - 1] != expected[size - 1] ||
      (seen % whole_body_every == 0 && memcmp(found, expected, size) != 0))
    die("message %lu is not the one that was sent: %zu bytes", seen, body.len);
  seen += 1;
}

static void publish_to(const char *exchange, const char *key, amqp_bytes_t body) {
  check_status(amqp_basic_publish(connection, channel, bytes_of(exchange), bytes_of(key), 0, 0, &properties, body),
               "basic.publish");
}

static void check_published(unsigned count) {
  unsigned there = message_count("sink");
  published += count;
  /* RabbitMQ's queue has a limit; who started the run looks into it at the end. */
  if (on_null_broker && there != published) die("the broker got %u messages of %lu", there, published);
}

static void read_envelope(amqp_envelope_t *envelope) {
  amqp_maybe_release_buffers(connection);
  check_reply(amqp_consume_message(connection, envelope, NULL, 0), "basic.deliver");
}

static void consume_from(const char *queue, int no_ack) {
  amqp_basic_consume(connection, channel, bytes_of(queue), bytes_of("c"), 0, no_ack, 0, amqp_empty_table);
  check_reply(amqp_get_rpc_reply(connection), "basic.consume");
}

static void cancel(void) {
  amqp_basic_cancel(connection, channel, bytes_of("c"));
  check_reply(amqp_get_rpc_reply(connection), "basic.cancel");
}

/* Workloads */

static void publish(unsigned count) {
  for (unsigned index = 0; index < count; index += 1) publish_to("bench", "sink", body_at(index));
  check_published(count);
}

/* Publishes that wait for their confirms, by sequence number. */
static unsigned char unsettled[unsettled_most];
static uint64_t last_sent, first_unsettled = 1;
static unsigned in_flight;

static void await_confirms(void) {
  amqp_frame_t frame;
  amqp_basic_ack_t *ack;
  amqp_maybe_release_buffers(connection);
  check_status(amqp_simple_wait_frame(connection, &frame), "basic.ack");
  if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
    die("something else than a confirm came");
  ack = frame.payload.method.decoded;
  for (uint64_t tag = ack->multiple ? first_unsettled : ack->delivery_tag; tag <= ack->delivery_tag; tag += 1) {
    in_flight -= unsettled[tag % unsettled_most];
    unsettled[tag % unsettled_most] = 0;
  }
  while (first_unsettled <= last_sent && !unsettled[first_unsettled % unsettled_most]) first_unsettled += 1;
}

static void confirm(unsigned count) {
  for (unsigned index = 0; index < count; index += 1) {
    double started = now();
    publish_to("bench", "sink", body_at(index));
    last_sent += 1;
    if (last_sent - first_unsettled >= unsettled_most) die("a confirm is missing");
    unsettled[last_sent % unsettled_most] = 1;
    in_flight += 1;
    while (in_flight >= (unsigned)window) await_confirms();
    if (window == 1) took(started);
  }
  while (in_flight > 0) await_confirms();
  check_published(count);
}

static void consume(unsigned count) {
  char queue[64];
  amqp_envelope_t envelope;
  name_queue(queue, sizeof queue, "deliver", count);
  seen = 0;
  consume_from(queue, 1);
  for (unsigned left = count; left > 0; left -= 1) {
    read_envelope(&envelope);
    inspect(envelope.message.body);
    amqp_destroy_envelope(&envelope);
  }
  cancel();
}

static void acknowledge(uint64_t tag, int multiple) {
  check_status(amqp_basic_ack(connection, channel, tag, multiple), "basic.ack");
}

static void ack(unsigned count) {
  char queue[64];
  amqp_envelope_t envelope;
  uint64_t held[batch_size];
  const char *order = json_member(work, "order");
  int in_batches = json_is(order, "batch");
  unsigned most = in_batches ? batch_size : json_is(order, "in") ? 1 : window < group_size ? window : group_size;
  unsigned holding = 0;
  name_queue(queue, sizeof queue, "deliver", count);
  seen = 0;
  consume_from(queue, 0);
  for (unsigned left = count; left > 0; left -= 1) {
    read_envelope(&envelope);
    inspect(envelope.message.body);
    held[holding++] = envelope.delivery_tag;
    amqp_destroy_envelope(&envelope);
    if (holding < most) continue;
    if (in_batches) acknowledge(held[holding - 1], 1);
    else
      for (unsigned index = holding; index > 0; index -= 1) acknowledge(held[index - 1], 0);
    holding = 0;
  }
  cancel();
  if (message_count(queue) > 0) die("messages are not acknowledged");
}

static void get(unsigned count) {
  char queue[64];
  amqp_message_t message;
  name_queue(queue, sizeof queue, "get", 0);
  for (unsigned index = 0; index < count; index += 1) {
    double started = now();
    amqp_rpc_reply_t reply;
    amqp_maybe_release_buffers(connection);
    reply = amqp_basic_get(connection, channel, bytes_of(queue), 1);
    check_reply(reply, "basic.get");
    if (reply.reply.id != AMQP_BASIC_GET_OK_METHOD) die("the queue is empty");
    check_reply(amqp_read_message(connection, channel, &message, 0), "basic.get");
    took(started);
    inspect(message.body);
    amqp_destroy_message(&message);
  }
}

/* Calls are answered in their order, so each answer must be that of the call that waits longest. */
static void rpc(unsigned count) {
  static unsigned long made, answered;
  amqp_envelope_t envelope;
  char id[24];
  properties._flags = AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_REPLY_TO_FLAG;
  properties.reply_to = bytes_of("amq.rabbitmq.reply-to");
  for (unsigned sent = 0; sent < count || answered < made;) {
    double started = now();
    if (sent < count) {
      snprintf(id, sizeof id, "%lu", made++);
      properties.correlation_id = bytes_of(id);
      publish_to("", "echo", body_at(sent++));
    }
    if (made - answered < (unsigned)window && sent < count) continue;
    read_envelope(&envelope);
    snprintf(id, sizeof id, "%lu", answered++);
    if (envelope.message.properties.correlation_id.len != strlen(id) ||
        memcmp(envelope.message.properties.correlation_id.bytes, id, strlen(id)) != 0)
      die("the answer belongs to another call than %s", id);
    inspect(envelope.message.body);
    amqp_destroy_envelope(&envelope);
    if (window == 1) took(started);
  }
}

static void channels(unsigned count) {
  for (unsigned index = 0; index < count; index += 1) open_channel(channel + 1 + index);
  for (unsigned index = 0; index < count; index += 1)
    check_reply(amqp_channel_close(connection, channel + 1 + index, AMQP_REPLY_SUCCESS), "channel.close");
}

static void connect_and_close(unsigned count) {
  for (unsigned index = 0; index < count; index += 1) {
    open_connection();
    close_connection();
  }
}

/* Each with what it takes beforehand. */

static void begin_confirm(void) {
  amqp_confirm_select(connection, channel);
  check_reply(amqp_get_rpc_reply(connection), "confirm.select");
}

static void begin_ack(void) {
  amqp_basic_qos(connection, channel, 0, window, 0);
  check_reply(amqp_get_rpc_reply(connection), "basic.qos");
}

static void begin_rpc(void) {
  consume_from("amq.rabbitmq.reply-to", 1);
}

static const struct {
  const char *kind;
  void (*slice)(unsigned count);
  void (*begin)(void);
  const char *window;
} workloads[] = {
    {"publish", publish, NULL, NULL},
    {"confirm", confirm, begin_confirm, "window"},
    {"consume", consume, NULL, NULL},
    {"ack", ack, begin_ack, "prefetch"},
    {"get", get, NULL, NULL},
    {"rpc", rpc, begin_rpc, "inFlight"},
    {"channels", channels, NULL, NULL},
    {"connect", connect_and_close, NULL, NULL},
};

int main(int argc, char **argv) {
  const char *shape;
  if (argc != 2) die("usage: %s ASSIGNMENT", argv[0]);
  assignment = argv[1];
  work = json_member(json_member(assignment, "task"), "work");
  shape = json_member(work, "shape");
  size = json_number(json_member(shape, "size"));
  is_rich = json_is_true(json_member(shape, "rich"));
  broker = json_member(assignment, "broker");
  on_null_broker = json_is(json_member(broker, "kind"), "null");
  next_filled = json_member(broker, "queues");
  make_messages();
  for (size_t index = 0; index < sizeof workloads / sizeof *workloads; index += 1) {
    if (!json_is(json_member(work, "kind"), workloads[index].kind)) continue;
    if (workloads[index].window != NULL) window = json_number(json_member(work, workloads[index].window));
    if (workloads[index].slice == connect_and_close) {
      measure(assignment, connect_and_close);
      return 0;
    }
    open_connection();
    open_channel(channel);
    if (workloads[index].begin != NULL) workloads[index].begin();
    measure(assignment, workloads[index].slice);
    close_connection();
    return 0;
  }
  die("no such work");
}
