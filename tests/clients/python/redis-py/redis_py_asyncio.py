"""redis-py's asyncio client, with its pool."""

import asyncio
import sys

import redis.asyncio

import cases
import redis_py
from redis_py import AUTHENTICATION, ONCE, PERMISSION  # noqa: F401: for the cases

LOOP = asyncio.new_event_loop()


def open(form, who, address, once=False):
    return Client(redis.asyncio.Redis, form, who, address, once)


def retry_class():
    from redis.asyncio.retry import Retry

    return Retry


redis_py.retry_class = retry_class


class Client(redis_py.Client):
    """The same calls; each is run to its end."""

    def set(self, key, value):
        return LOOP.run_until_complete(self.redis.set(key, value))

    def pipeline(self, key, values, transaction):
        return LOOP.run_until_complete(super().pipeline(key, values, transaction))

    def delete(self, key):
        return LOOP.run_until_complete(self.redis.delete(key))

    def hset(self, key, metadata, value):
        return LOOP.run_until_complete(self.redis.hset(key, metadata, value))

    def mget(self, *words):
        return LOOP.run_until_complete(self.redis.mget(*words))

    def close(self):
        LOOP.run_until_complete(self.redis.close())


if __name__ == "__main__":
    cases.run(sys.modules[__name__])
