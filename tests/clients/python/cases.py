"""The cases of the matrix for Python libraries; ../matrix tells what a program prints and is told.

`run(library)` wants a module with

    open(form, who, address, once=False)   a client; `form` is one of FORMS, `once` asks for settings that never send a command twice. Raises NotOffered
    AUTHENTICATION, PERMISSION             the error classes for -WRONGPASS and -NOPERM
    ONCE                                   what `once` sets, in words

where a client has set, pipeline, delete, hset, mget, at_once (calls of these, side by side) and close, replies are as the library gives them, and a `note` is worth knowing.
"""

import json
import os
import sys
import time
from dataclasses import dataclass, replace
from urllib.parse import quote

FORMS = ["auth-password", "auth-user-password", "auth-user-secret", "auth-url", "auth-url-secret", "auth-hello"]
ADDRESS, BREAKS = os.environ["DATABUS"], os.environ["BREAKS"]
METADATA = b"\x0a\x0a\x0a\x05trace\x12\x01\x37"  # Header { metadata: {"trace": "7"} }
OK = (True, b"OK", "OK")
NAME = "%s-%s" % (os.environ["LIBRARY"], os.environ["VERSION"])


class NotOffered(Exception):
    """The library has no such thing; the text says why."""


@dataclass
class Identity:
    """What AUTH wants, and the ways to say it."""

    role: str
    key: str = os.environ["KEY"]
    secret: str = os.environ["SECRET"]
    group: str = os.environ["GROUP"]
    topic: str = os.environ["TOPIC"]

    @property
    def password(self):
        return f"{self.key}:{self.secret}@{self.group}/topic={self.topic}&role={self.role}"

    @property
    def user(self):
        return f"{self.key}@{self.group}/topic={self.topic}&role={self.role}"

    def url(self, address):
        return f"redis://:{quote(self.password, safe='')}@{address}"

    def url_secret(self, address):
        return f"redis://{quote(self.user, safe='')}:{quote(self.secret, safe='')}@{address}"


PUB, SUB = Identity("pub"), Identity("sub")


def run(library):
    def publisher():
        return library.open("auth-password", PUB, ADDRESS, once=True)

    def subscriber():
        return library.open("auth-password", SUB, ADDRESS, once=True)

    def authenticates(form):
        client = library.open(form, PUB, ADDRESS)
        written(client.set("auth", "1"))
        client.close()
        client = library.open(form, SUB, ADDRESS)
        messages(client)
        client.close()
        return getattr(client, "note", None)

    def refused(who, wanted):
        try:
            client = library.open("auth-password", who, ADDRESS, once=True)
            client.mget("WAIT", "0")
        except Exception as error:
            if isinstance(error, wanted):
                return type(error).__name__
            raise
        raise AssertionError("no error")

    def published(case, values, send):
        """What `send` publishes under a key comes as `values`."""
        key = f"{NAME}-{case}"
        client = publisher()
        send(client, key)
        client.close()
        client = subscriber()
        equal([m["value"] for m in take(client, key, len(values))], values)
        client.close()

    def pipeline(client, key, values, transaction):
        for reply in client.pipeline(key, values, transaction):
            written(reply)

    def publish():
        published("publish", ["one"], lambda client, key: written(client.set(key, '"one"')))

    def publish_pipeline():
        published("pipeline", list(range(500)), lambda client, key: pipeline(client, key, list(range(500)), False))

    def publish_transaction():
        published("transaction", ["a", "b"], lambda client, key: pipeline(client, key, ['"a"', '"b"'], True))

    def publish_megabyte():
        published("megabyte", ["x" * 999_898], lambda client, key: written(client.set(key, '"%s"' % ("x" * 999_898))))

    def publish_binary():
        every = bytes(range(256))
        from base64 import b64encode

        published("binary", [{"base64": b64encode(every).decode()}], lambda client, key: written(client.set(key, every)))

    def publish_metadata():
        key = f"{NAME}-metadata"
        client = publisher()
        written(client.hset(key, METADATA, "1"))
        client.close()
        client = subscriber()
        equal(take(client, key, 1)[0]["metadata"], {"trace": "7"})
        client.close()

    def publish_tombstone():
        published("tombstone", [None], lambda client, key: equal(client.delete(key), 1))

    def consume():
        key = f"{NAME}-consume"
        client = publisher()
        pipeline(client, key, list(range(10)), False)
        client.close()
        client = subscriber()
        found = take(client, key, 10, marks=False)
        mark(client, found[3])
        client.close()
        client = subscriber()
        found = take(client, key, 6)
        equal([m["value"] for m in found], [4, 5, 6, 7, 8, 9])
        equal(client.mget("WAIT", "100"), [])
        client.close()

    def at_once():
        key = f"{NAME}-at-once"
        client = publisher()
        for reply in client.at_once([lambda number=number: client.set(key, number) for number in range(200)]):
            written(reply)
        client.close()
        client, missing, marks, limit = subscriber(), set(range(200)), [], time.monotonic() + 60
        while missing or marks:
            assert time.monotonic() < limit, f"{len(missing)} of 200 did not come"
            replies = client.at_once([lambda: client.mget("COUNT", "20", "WAIT", "1000")] + [lambda m=m: client.set(m["partition"], m["offset"]) for m in marks])
            for reply in replies[1:]:
                written(reply)
            marks = [json.loads(message) for message in replies[0]]
            missing -= {m["value"] for m in marks if m["key"] == key}
        client.close()

    def restart(what):
        """The clients stay; a command that fails is just tried again later."""
        key = f"{NAME}-{what}"
        out, into = publisher(), subscriber()
        written(out.set(key, 0))
        take(into, key, 1)
        ok, number, row, over = [], 0, 0, False
        ask(what)
        limit = time.monotonic() + 240
        while row < 20:
            number += 1
            try:
                written(out.set(key, number))
                ok.append(number)
                row += 1
            except Exception as error:
                print("SET:", repr(error), file=sys.stderr)
                row = 0
                time.sleep(0.1)
            time.sleep(0.01)
            if not over:
                over = ask("over") == "yes"
                row = 0
            assert time.monotonic() < limit, "does not come back"
        missing = set(ok)
        while missing:
            assert time.monotonic() < limit + 120, f"{len(missing)} of {len(ok)} lost, such as {min(missing)}"
            try:
                for message in messages(into):
                    mark(into, message)
                    missing.discard(message["value"])
            except Exception as error:
                print("MGET:", repr(error), file=sys.stderr)
                time.sleep(0.2)
        out.close()
        into.close()

    def sends(once):
        ask("breaks")
        client = library.open("auth-password", PUB, BREAKS, once=once)
        try:
            client.set("x", "1")
        except Exception as error:
            print("SET:", repr(error), file=sys.stderr)
        return int(ask("breaks"))

    def repeats():
        return times(sends(once=False))

    def repeats_off():
        equal(sends(once=True), 1)
        return library.ONCE

    begin(subscriber())
    for form in FORMS:
        case(form, authenticates, form)
    case("wrong-secret", refused, replace(SUB, secret="wrong"), library.AUTHENTICATION)
    case("refused-grant", refused, replace(SUB, group=os.environ["PUB_GROUP"]), library.PERMISSION)
    for function in [publish, publish_pipeline, publish_transaction, publish_megabyte, publish_binary, publish_metadata, publish_tombstone, consume, at_once]:
        case(function.__name__.replace("_", "-"), function)
    case("restart-daemon", restart, "restart-daemon")
    case("restart-broker", restart, "restart-broker")
    case("repeats", repeats)
    case("repeats-off", repeats_off)


def case(name, function, *arguments):
    try:
        note = function(*arguments)
        print(f"ok {name}: {note}" if note else f"ok {name}", flush=True)
    except NotOffered as error:
        print(f"n/a {name}: {error}", flush=True)
    except Exception as error:
        print(f"FAILED {name}: {error!r:.300}".replace("\n", " "), flush=True)


def begin(client):
    """The group begins to read; Kafka may take its time over that."""
    limit = time.monotonic() + 60
    while True:
        try:
            client.mget("WAIT", "1000")
            return client.close()
        except Exception:
            if time.monotonic() > limit:
                raise


def messages(client):
    return [json.loads(message) for message in client.mget("COUNT", "1000", "WAIT", "1000")]


def take(client, key, count, marks=True):
    """The next messages with this key, so many."""
    found, limit = [], time.monotonic() + 60
    while len(found) < count:
        assert time.monotonic() < limit, f"{len(found)} of {count} came"
        for message in messages(client):
            found += [message] if message["key"] == key else []
            if marks:
                mark(client, message)
    return found


def mark(client, message):
    written(client.set(message["partition"], message["offset"]))


def written(reply):
    assert reply in OK, f"not OK: {reply!r}"


def equal(got, want):
    assert got == want, f"got {str(got):.100}, want {str(want):.100}"


def times(count):
    return {1: "once", 2: "twice", 9: "9 times or more"}.get(count, f"{count} times")


def ask(question):
    print(f"? {question}", flush=True)
    return sys.stdin.readline().strip()
