"""Which clients the matrix runs, in which versions, and the cases that each has to tell of."""

from dataclasses import dataclass

CASES = {
    "auth-password": "AUTH with a password alone: the whole string",
    "auth-user-password": "AUTH with the user `default`, the whole string as password",
    "auth-user-secret": "AUTH with `key@group/topic=T&role=R` as user, the secret as password",
    "auth-url": "the whole string as password in a URL",
    "auth-url-secret": "the same two parts in a URL",
    "auth-hello": "HELLO 3 AUTH: RESP3",
    "wrong-secret": "what a wrong secret raises",
    "refused-grant": "what a grant without the operation raises",
    "publish": "SET",
    "publish-pipeline": "500 SETs in a pipeline",
    "publish-transaction": "MULTI, SET, SET, EXEC",
    "publish-megabyte": "a value of 999,900 bytes",
    "publish-binary": "all 256 bytes in a value",
    "publish-metadata": "HSET with metadata",
    "publish-tombstone": "DEL",
    "consume": "MGET and marks: go on from the mark after a reconnect",
    "at-once": "200 SETs by several threads or tasks on one client, then MGET and marks side by side",
    "restart-daemon": "goes on after a restart of databus, nothing lost",
    "restart-broker": "goes on through a restart of a Kafka broker, nothing lost",
    "repeats": "how often it sends a SET whose reply got lost, as it comes",
    "repeats-off": "the same, told not to repeat",
}


@dataclass(frozen=True)
class Client:
    language: str
    library: str
    version: str
    cases: tuple = tuple(CASES)

    @property
    def name(self):
        return f"{self.library}-{self.version}" if self.version else self.library

    @property
    def arguments(self):
        return [self.library, self.version]


def versions(language, library, *numbers):
    return [Client(language, library, number) for number in numbers]


CLIENTS = [
    *versions("python", "redis-py", "3.5.3", "4.6.0", "5.3.1", "6.4.0", "7.4.1", "8.1.0"),
    *versions("python", "redis-py-asyncio", "4.6.0", "5.3.1", "6.4.0", "7.4.1", "8.1.0"),
    *versions("go", "go-redis", "6.15.9", "7.4.1", "8.11.5", "9.23.0"),
    *versions("go", "redigo", "1.9.3"),
    *versions("node", "ioredis", "4.31.0", "5.11.1", "6.0.0"),
    *versions("node", "node-redis", "3.1.2", "4.7.1", "5.12.1", "6.3.1"),
    *versions("java", "jedis", "3.10.0", "4.4.8", "5.2.0", "6.2.0", "7.5.3", "8.0.2"),
    *versions("java", "jedis-pooled", "5.2.0", "6.2.0", "7.5.3"),
    *versions("java", "jedis-redisclient", "7.5.3", "8.0.2"),
    *versions("java", "lettuce", "5.3.7", "6.8.2", "7.7.0"),
    *versions("java", "spring-data-redis", "2.7.18", "3.5.13", "4.1.2"),
    *versions("rust", "redis-rs", "1.8.1"),
    *versions("rust", "redis-rs-async", "1.8.1"),
    *versions("rust", "fred", "10.1.0"),
    *versions("c", "hiredis", "0.14.1", "1.3.0"),
    *versions("shell", "redis-cli", "7.0.15"),
    *versions("shell", "redis-benchmark", "7.0.15"),
]
EXAMPLE_CASES = ("publish", "subscribe", "idempotent", "marks", "any-bytes", "doubt", "restart-daemon")
EXAMPLES = [Client("examples", f"example-{language}", "", EXAMPLE_CASES) for language in ("python", "go", "node", "java", "rust", "c", "shell")]


def chosen(words):
    """The clients of these names: a library, a language, a version's whole name or its beginning up to a dot."""
    found = []
    for word in words or ["all"]:
        matching = [c for c in CLIENTS + EXAMPLES if word in ("all", c.language, c.library, c.name) or c.name.startswith(word + ".")]
        if not matching:
            raise SystemExit(f"test-clients: there is no client {word}; --list names them")
        found += [c for c in matching if c not in found]
    return found
