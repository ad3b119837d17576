"""Pika's BlockingConnection: as client.ts, an assignment in JSON comes in the argument and a report goes out."""

import json
import resource
import sys
import time

import pika

CYCLE = 16


def bodies_of(size):
    bodies = []
    for index in range(CYCLE):
        body = bytearray((at * 7) & 0xFF for at in range(size))
        body[0] = index
        body[-1] = index
        bodies.append(bytes(body))
    return bodies


class Client:
    def __init__(self, assignment):
        self.work = assignment["task"]["work"]
        self.broker = assignment["broker"]
        self.queues = list(self.broker.get("queues") or [])
        self.bodies = bodies_of(self.work["shape"]["size"])
        self.seen = 0
        self.published = 0
        self.latencies = []

    def connect(self):
        credentials = pika.PlainCredentials("guest", "guest")
        parameters = pika.ConnectionParameters("127.0.0.1", self.broker["port"], credentials=credentials)
        return pika.BlockingConnection(parameters)

    def open(self):
        kind = self.work["kind"]
        if kind == "connect":
            return
        self.connection = self.connect()
        self.channel = self.connection.channel()
        if kind == "confirm":
            self.channel.confirm_delivery()
        if kind == "ack":
            self.channel.basic_qos(prefetch_count=self.work["prefetch"])
        self.properties = pika.BasicProperties()
        if self.work["shape"]["rich"]:
            self.properties = pika.BasicProperties(
                content_type="application/vnd.bench",
                headers={"tenant": "acme", "attempt": 3, "traced": True},
                delivery_mode=2,
                correlation_id="0f8fad5b-d9cb-469f-a165-70867728950e",
                timestamp=1700000000,
            )

    def next_queue(self, count):
        shape = self.work["shape"]
        if self.broker["kind"] != "null":
            return self.queues.pop(0)
        look = "rich" if shape["rich"] else "bare"
        kind = "get" if self.work["kind"] == "get" else "deliver"
        return "%s.%d.%s.%d.1" % (kind, shape["size"], look, 0 if kind == "get" else count)

    def inspect(self, body):
        expected = self.bodies[self.seen % CYCLE]
        whole = self.seen % 256 == 0
        if len(body) != len(expected) or body[0] != expected[0] or (whole and body != expected):
            raise RuntimeError("message %d is not the one that was sent" % self.seen)
        self.seen += 1

    def slice(self, count):
        getattr(self, self.work["kind"])(count)

    def publish(self, count):
        for index in range(count):
            self.channel.basic_publish("bench", "sink", self.bodies[index % CYCLE], self.properties)
        self.check(count)

    def confirm(self, count):
        for index in range(count):
            started = time.perf_counter()
            self.channel.basic_publish("bench", "sink", self.bodies[index % CYCLE], self.properties)
            self.latencies.append((time.perf_counter() - started) * 1e6)
        self.check(count)

    def check(self, count):
        self.published += count
        there = self.message_count("sink")
        if self.broker["kind"] == "null" and there != self.published:
            raise RuntimeError("the broker got %d of %d" % (there, self.published))

    def message_count(self, queue):
        return self.channel.queue_declare(queue, passive=True).method.message_count

    def consume(self, count):
        self.take(count, True)

    def ack(self, count):
        self.take(count, False)

    def take(self, count, no_ack):
        queue = self.next_queue(count)
        left = count
        self.seen = 0

        def on_message(channel, method, properties, body):
            nonlocal left
            self.inspect(body)
            if not no_ack:
                channel.basic_ack(method.delivery_tag)
            left -= 1
            if left == 0:
                channel.stop_consuming()

        self.channel.basic_consume(queue, on_message, auto_ack=no_ack)
        self.channel.start_consuming()
        if left != 0:
            raise RuntimeError("%d messages are missing" % left)
        if not no_ack and self.message_count(queue) > 0:
            raise RuntimeError("messages are not acknowledged")

    def get(self, count):
        queue = self.next_queue(0)
        for _ in range(count):
            started = time.perf_counter()
            method, _, body = self.channel.basic_get(queue, auto_ack=True)
            self.latencies.append((time.perf_counter() - started) * 1e6)
            if method is None:
                raise RuntimeError("the queue is empty")
            self.inspect(body)

    def connect_and_close(self, count):
        for _ in range(count):
            self.connect().close()


def usage():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime * 1e6, used.ru_stime * 1e6


def repeat(client, count, milliseconds, longest, slices):
    started = time.perf_counter()
    before = sum(usage())
    rss = []
    while True:
        if client.work["kind"] == "connect":
            client.connect_and_close(count)
        else:
            client.slice(count)
        rss.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
        if slices:
            done = len(rss) >= slices
        else:
            used = (sum(usage()) - before) / 1000
            done = used >= milliseconds or (time.perf_counter() - started) * 1000 >= longest
        if done:
            return len(rss) * count, rss


def main():
    assignment = json.loads(sys.argv[1])
    client = Client(assignment)
    client.open()
    count = assignment["task"]["slice"]
    slices = assignment.get("slices") or {}
    longest = assignment.get("longest", float("inf"))
    repeat(client, count, assignment["warmUp"], longest, slices.get("warmUp"))
    client.latencies.clear()
    started = time.perf_counter()
    user, system = usage()
    operations, rss = repeat(client, count, assignment["measure"], longest, slices.get("measure"))
    user_after, system_after = usage()
    report = {
        "operations": operations,
        "user": user_after - user,
        "system": system_after - system,
        "elapsed": (time.perf_counter() - started) * 1e6,
        "collections": 0,
        "collecting": 0,
        "rss": rss,
    }
    if client.latencies:
        ordered = sorted(client.latencies)
        at = lambda part: ordered[min(len(ordered) - 1, int(part * len(ordered)))]
        report["latency"] = {"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": ordered[-1]}
    print(json.dumps(report))


main()
