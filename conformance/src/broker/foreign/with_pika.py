"""pika (https://pypi.org/project/pika/) on the embedded broker: blocking connections."""

import os
import sys

import pika


def connect():
    parameters = pika.URLParameters(os.environ["AMQP_URL"])
    parameters.blocked_connection_timeout = 10
    return pika.BlockingConnection(parameters)


connection = connect()
failed = False


def step(name):
    """Runs a function at once, and says how it went."""

    def run(function):
        global failed
        try:
            function()
            print(f"ok {name}")
        except Exception as error:  # pylint: disable=broad-except
            failed = True
            print(f"not ok {name}: {error!r}")

    return run


def with_queue(arguments=None):
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True, arguments=arguments).method.queue
    return channel, queue


@step("confirmed messages come in order")
def _():
    channel, queue = with_queue()
    channel.confirm_delivery()
    for index in range(200):
        channel.basic_publish("", queue, str(index).encode())
    channel.basic_qos(prefetch_count=20)
    seen = []
    for method, _properties, body in channel.consume(queue):
        seen.append(int(body))
        channel.basic_ack(method.delivery_tag)
        if len(seen) == 200:
            break
    channel.cancel()
    assert seen == list(range(200))


@step("properties and headers arrive as they left")
def _():
    channel, queue = with_queue()
    headers = {"text": "x", "number": 5, "large": 2**40, "yes": True, "none": None, "list": [1, "a"], "table": {"a": 1}}
    properties = pika.BasicProperties(
        content_type="text/plain", headers=headers, delivery_mode=2, priority=3, correlation_id="c",
        expiration="60000", message_id="m", timestamp=1600000000, type="t", user_id="guest", app_id="a")
    channel.basic_publish("", queue, b"x", properties)
    _method, received, _body = channel.basic_get(queue, auto_ack=True)
    assert received.headers == headers, received.headers
    assert received == properties, received


@step("a large body")
def _():
    channel, queue = with_queue()
    body = b"7" * 700000
    channel.basic_publish("", queue, body)
    assert channel.basic_get(queue, auto_ack=True)[2] == body


@step("an unroutable message is an exception in confirm mode")
def _():
    channel, _queue = with_queue()
    channel.confirm_delivery()
    try:
        channel.basic_publish("", "foreign.nobody", b"x", mandatory=True)
        raise AssertionError("it was taken")
    except pika.exceptions.UnroutableError as error:
        assert error.messages[0].body == b"x"


@step("a full queue is an exception in confirm mode")
def _():
    channel, queue = with_queue({"x-max-length": 1, "x-overflow": "reject-publish"})
    channel.confirm_delivery()
    channel.basic_publish("", queue, b"1")
    try:
        channel.basic_publish("", queue, b"2")
        raise AssertionError("it was taken")
    except pika.exceptions.NackError:
        pass


@step("a channel that fails tells why")
def _():
    channel = connection.channel()
    try:
        channel.queue_declare("foreign.missing", passive=True)
        raise AssertionError("it is there")
    except pika.exceptions.ChannelClosedByBroker as error:
        assert error.reply_code == 404, error
        assert error.reply_text == "NOT_FOUND - no queue 'foreign.missing' in vhost '/'", error


@step("a message that is not wanted goes to the dead letters")
def _():
    grave_channel, grave = with_queue()
    channel, queue = with_queue({"x-dead-letter-exchange": "", "x-dead-letter-routing-key": grave})
    channel.basic_publish("", queue, b"bad")
    method, _properties, _body = channel.basic_get(queue)
    channel.basic_reject(method.delivery_tag, requeue=False)
    connection.process_data_events()
    _method, properties, _body = grave_channel.basic_get(grave, auto_ack=True)
    death = properties.headers["x-death"][0]
    assert death["reason"] == "rejected" and death["queue"] == queue and death["count"] == 1, death


@step("a request has its reply without a queue")
def _():
    channel, queue = with_queue()
    replies = []
    channel.basic_consume("amq.rabbitmq.reply-to", lambda _c, _m, _p, body: replies.append(body), auto_ack=True)
    channel.basic_publish("", queue, b"ping", pika.BasicProperties(reply_to="amq.rabbitmq.reply-to"))
    server = connection.channel()
    _method, properties, _body = server.basic_get(queue, auto_ack=True)
    server.basic_publish("", properties.reply_to, b"pong")
    while not replies:
        connection.process_data_events(time_limit=1)
    assert replies == [b"pong"]


@step("an exclusive queue belongs to its connection")
def _():
    _channel, queue = with_queue()
    other = connect()
    try:
        other.channel().queue_declare(queue, passive=True)
        raise AssertionError("it may be used by others")
    except pika.exceptions.ChannelClosedByBroker as error:
        assert error.reply_code == 405, error
    other.close()


@step("a transaction is all or nothing")
def _():
    channel, queue = with_queue()
    channel.tx_select()
    channel.basic_publish("", queue, b"dropped")
    channel.tx_rollback()
    channel.basic_publish("", queue, b"kept")
    channel.tx_commit()
    assert channel.basic_get(queue, auto_ack=True)[2] == b"kept"
    assert channel.basic_get(queue, auto_ack=True)[2] is None


@step("heartbeats keep the connection")
def _():
    parameters = pika.URLParameters(os.environ["AMQP_URL"])
    parameters.heartbeat = 1
    other = pika.BlockingConnection(parameters)
    other.sleep(3.5)
    assert other.is_open
    other.close()


@step("the connection closes in order")
def _():
    connection.close()


sys.exit(1 if failed else 0)
