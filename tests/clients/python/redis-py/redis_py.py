"""redis-py, with its pool."""

from concurrent.futures import ThreadPoolExecutor

import redis

import cases
from cases import NotOffered

MAJOR = int(redis.__version__.split(".")[0])
AUTHENTICATION = redis.AuthenticationError if MAJOR > 3 else redis.ResponseError  # version 3 does not know WRONGPASS
PERMISSION = redis.exceptions.NoPermissionError
ONCE = "retry=Retry(NoBackoff(), 0)" if MAJOR > 3 else "it never does, unless retry_on_timeout=True"


def open(form, who, address, once=False):
    return Client(redis.Redis, form, who, address, once)


def options(form, who, once):
    more = {}
    if form == "auth-user-password":
        more = {"username": "default", "password": who.password}
    elif form == "auth-user-secret":
        more = {"username": who.user, "password": who.secret}
    elif form == "auth-hello":
        if MAJOR < 5:
            raise NotOffered("RESP3 came with version 5")
        more = {"protocol": 3, "password": who.password}
    elif form == "auth-password":
        more = {"password": who.password}
    if once and MAJOR > 3:
        from redis.backoff import NoBackoff

        more["retry"] = retry_class()(NoBackoff(), 0)
    return more


def retry_class():
    from redis.retry import Retry

    return Retry


class Client:
    def __init__(self, redis_class, form, who, address, once):
        host, port = address.split(":")
        if form in ("auth-url", "auth-url-secret"):
            url = who.url(address) if form == "auth-url" else who.url_secret(address)
            decode = {"decode_components": True} if MAJOR < 4 else {}
            self.note = "from_url(..., decode_components=True)" if decode else None
            self.redis = redis_class.from_url(url, **decode, **options(form, who, once))
        else:
            self.redis = redis_class(host=host, port=int(port), **options(form, who, once))

    def set(self, key, value):
        return self.redis.set(key, value)

    def pipeline(self, key, values, transaction):
        pipe = self.redis.pipeline(transaction=transaction)
        for value in values:
            pipe.set(key, value)
        return pipe.execute()

    def delete(self, key):
        return self.redis.delete(key)

    def hset(self, key, metadata, value):
        return self.redis.hset(key, metadata, value)

    def mget(self, *words):
        return self.redis.mget(*words)

    def at_once(self, calls):
        with ThreadPoolExecutor(8) as threads:
            return [call.result() for call in [threads.submit(call) for call in calls]]

    def close(self):
        self.redis.close()


if __name__ == "__main__":
    import sys

    cases.run(sys.modules[__name__])
