"""Appends each message to the file of the first argument, once: `partition offset key value`. Ends well on SIGTERM. Environment as for publish.py."""

import json
import os
import signal
import sys
import time

import redis

host, port = os.environ["DATABUS"].split(":")
bus = redis.Redis(host, int(port), password=os.environ["DATABUS_APP"] + "&role=sub&offset=oldest", socket_timeout=10)
running = True


def stop(*_):
    global running
    running = False  # the loop finishes what it has, and marks it


signal.signal(signal.SIGTERM, stop)
with open(sys.argv[1], "a+") as output:
    # What was done is known from the results themselves: they tell what comes a second time, after a crash before the mark, say.
    output.seek(0)
    done = {int(partition): int(offset) for partition, offset, *_ in map(str.split, output)}
    while running:
        try:
            messages = [json.loads(message) for message in bus.mget("WAIT", "1000")]
            for message in messages:
                if message["offset"] > done.get(message["partition"], -1):
                    key, value = json.dumps(message["key"]), json.dumps(message["value"])  # in one line, whatever is in them
                    print(message["partition"], message["offset"], key, value, file=output, flush=True)
                    done[message["partition"]] = message["offset"]
            for partition in {message["partition"] for message in messages}:
                bus.set(partition, done[partition])  # False is +STALE: another one reads this partition now, and gets it again
        except (redis.AuthenticationError, redis.exceptions.NoPermissionError):
            raise
        except redis.RedisError as error:  # databus or Kafka is away for a while
            print("again:", error, file=sys.stderr)
            time.sleep(0.5)
bus.close()
