"""redis-py's session: publish, consume, mark, come back and go on from the mark. Arguments: the daemon's host:port, and for TLS the CA's certificate."""

import json
import os
import sys

import redis

HOST, PORT = sys.argv[1].rsplit(":", 1)
TLS = {"ssl": True, "ssl_ca_certs": sys.argv[2]} if len(sys.argv) > 2 else {}
AUTH = "app_key1:app_secret1@group_name1/topic=test156&role="
KEY = "redis-py-%s-%d" % (redis.__version__, os.getpid())


def connect(role, auth=AUTH, **more):
    """A client of one connection, with the library's own ways: the AUTH string is the password."""
    return redis.Redis(HOST, int(PORT), password=auth + role, socket_timeout=20, single_connection_client=True, **TLS, **more)


def subscriber():
    return connect("sub&offset=oldest")


def messages(client, count):
    """The next messages, so many."""
    found = []
    for _ in range(40):
        found += map(json.loads, client.execute_command("MGET", "COUNT", count - len(found)))
        if len(found) == count:
            return found
    raise AssertionError("only %d of %d came: %r" % (len(found), count, found))


def mark(client, message):
    reply = client.set(message["partition"], message["offset"])
    assert reply is True, reply


def drain(client):
    empty = 0
    while empty < 2:
        found = client.execute_command("MGET", "COUNT", 10000)
        empty = 0 if found else empty + 1
        for message in map(json.loads, found):
            mark(client, message)


def main():
    client = subscriber()
    drain(client)
    client.close()

    client = connect("pub")
    assert client.ping() is True
    assert client.set(KEY, '"one"') is True
    with client.pipeline(transaction=True) as pipeline:  # the library's default: MULTI, EXEC
        pipeline.set(KEY, '{"n": 2}').set(KEY, b"\xff\x00")
        assert pipeline.execute() == [True, True]
    with client.pipeline(transaction=False) as pipeline:
        for number in range(500):
            pipeline.set(KEY, number)
        assert pipeline.execute() == [True] * 500
    client.close()

    client = subscriber()
    one, two = messages(client, 2)
    assert (one["key"], one["value"], one["topic"], one["metadata"]) == (KEY, "one", "test156", None), one
    assert two["value"] == {"n": 2} and two["partition"] == one["partition"], two
    mark(client, one)
    client.close()  # two was read, not marked

    client = subscriber()
    found = messages(client, 2)
    assert [message["value"] for message in found] == [{"n": 2}, {"base64": "/wA="}], found
    for message in found:
        mark(client, message)
    found = messages(client, 500)
    assert [message["value"] for message in found] == list(range(500)), found
    mark(client, found[-1])
    assert client.execute_command("MGET", "WAIT", 100) == []
    client.close()

    modern = int(redis.__version__.split(".")[0]) >= 6
    once = {"retry": redis.retry.Retry(redis.backoff.NoBackoff(), 0)} if modern else {}
    try:
        connect("pub", AUTH.replace("secret1", "wrong"), **once).ping()
    except redis.AuthenticationError:
        pass
    except redis.ResponseError as error:  # what the old version makes of WRONGPASS
        assert not modern and "WRONGPASS" in str(error), error
    else:
        raise AssertionError("a wrong secret was taken")


main()
