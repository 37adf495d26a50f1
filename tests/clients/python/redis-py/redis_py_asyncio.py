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
    """The same calls; each is run to its end, unless it is one of several."""

    together = False

    def end(self, coroutine):
        return coroutine if self.together else LOOP.run_until_complete(coroutine)

    def at_once(self, calls):
        self.together = True
        coroutines = [call() for call in calls]
        self.together = False

        eight = asyncio.Semaphore(8)  # the pool of version 8 has 100 connections, and does not wait for one

        async def one(coroutine):
            async with eight:
                return await coroutine

        async def gathered():
            return await asyncio.gather(*map(one, coroutines))

        return LOOP.run_until_complete(gathered())

    def set(self, key, value):
        return self.end(self.redis.set(key, value))

    def pipeline(self, key, values, transaction):
        return LOOP.run_until_complete(super().pipeline(key, values, transaction))

    def delete(self, key):
        return LOOP.run_until_complete(self.redis.delete(key))

    def hset(self, key, metadata, value):
        return LOOP.run_until_complete(self.redis.hset(key, metadata, value))

    def mget(self, *words):
        return self.end(self.redis.mget(*words))

    def close(self):
        LOOP.run_until_complete(self.redis.close())


if __name__ == "__main__":
    cases.run(sys.modules[__name__])
