"""Publishes the lines of stdin, `key value`. DATABUS is host:port, DATABUS_APP is key:secret@group/topic=TOPIC."""

import os
import sys
import time

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

host, port = os.environ["DATABUS"].split(":")
bus = redis.Redis(
    host, int(port), password=os.environ["DATABUS_APP"] + "&role=pub",
    socket_timeout=40,  # longer than databus tries to write a record, 30 s
    retry=Retry(NoBackoff(), 0),  # else redis-py sends a SET again by itself, without a word
)


def publish(key, value):
    """Returns when Kafka has the record. After a doubt there may be two: carry an id in the value if that matters to who reads."""
    while True:
        try:
            bus.set(key, value)
            return
        except (redis.AuthenticationError, redis.exceptions.NoPermissionError):
            raise  # trying again would not help
        except (redis.ConnectionError, redis.TimeoutError) as error:
            print("it may have been written, again:", error, file=sys.stderr)
        except redis.ResponseError as error:
            if not str(error).startswith(("not written", "may have been written")):
                raise  # too large, say
            print("again:", error, file=sys.stderr)
        time.sleep(0.2)


for line in sys.stdin.buffer:
    key, _, value = line.rstrip(b"\n").partition(b" ")
    publish(key, value)
