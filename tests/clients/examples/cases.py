"""Runs an example's publisher and subscriber. Arguments: the program `run`, the example; ../matrix has the environment and the form of what is printed."""

import os
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import breaks  # noqa: E402

RUN, EXAMPLE = sys.argv[1:]
started = []
AUTH = "%(KEY)s:%(SECRET)s@%(GROUP)s/topic=%(TOPIC)s&color=%(LIBRARY)s" % os.environ  # a colour of its own, because others have written to the topic


def main():
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output"
        case("publish", lambda: publish(range(20)))
        case("subscribe", lambda: subscribe(output, 20, signal.SIGKILL))
        case("idempotent", lambda: (publish(range(20, 40)), subscribe(output, 40, signal.SIGTERM), once(output, 40)))
        case("marks", marked)
        case("any-bytes", lambda: any_bytes(Path(folder) / "strange"))
        case("doubt", doubt)
        case("restart-daemon", lambda: restart(output))


def case(name, function):
    try:
        function()
        print(f"ok {name}", flush=True)
    except Exception as error:
        print(f"FAILED {name}: {error!r:.300}", flush=True)
    for process in started:
        process.kill()  # what a failed case left
    started.clear()


def start(program, *arguments, address=os.environ["DATABUS"], stdin=subprocess.DEVNULL):
    environment = dict(os.environ, DATABUS=address, DATABUS_APP=AUTH)
    process = subprocess.Popen([RUN, program, EXAMPLE, *arguments], env=environment, text=True, stdin=stdin, stdout=sys.stderr)
    started.append(process)
    return process


def lines(numbers):
    return "".join(f"key-{number % 5} {number}\n" for number in numbers)


def publish(numbers, **address):
    program = start("publish", stdin=subprocess.PIPE, **address)
    program.communicate(lines(numbers), timeout=120)
    assert program.returncode == 0, f"exit {program.returncode}"


def subscribe(output, count, number):
    """Runs the subscriber until so many lines are there, and a little longer for the marks, and ends it with this signal."""
    program = start("subscribe", output)
    limit = time.monotonic() + 120
    while not output.exists() or output.read_bytes().count(b"\n") < count:
        assert time.monotonic() < limit and program.poll() is None, f"exit {program.poll()}, {output.read_bytes() if output.exists() else 'nothing'}"
        time.sleep(0.1)
    program.send_signal(number)
    status = program.wait(60)
    assert number == signal.SIGKILL or status in (0, 143), f"exit {status}"  # 143 is what Java makes of SIGTERM


def once(output, count):
    found = [line.split() for line in output.read_text().splitlines()]
    places = {(partition, offset) for partition, offset, *_ in found}
    assert len(found) == len(places) == count, f"{len(found)} lines, {len(places)} places, not {count}"
    assert {int(value) for *_, value in found} == set(range(count))


def marked():
    """After a graceful stop nothing comes again."""
    host, port = os.environ["DATABUS"].split(":")
    with socket.create_connection((host, int(port)), 30) as connection:
        reader = connection.makefile("rb")
        for command, wanted in (f"AUTH {AUTH}&role=sub\r\n", b"+OK\r\n"), ("MGET WAIT 3000\r\n", b"*0\r\n"):
            connection.sendall(command.encode())
            got = reader.readline()
            assert got == wanted, got


def any_bytes(output):
    """No key and no value stops the subscriber, or makes it take one message for another after it was started again."""
    strange = [("SET", b"", b""), ("SET", b"k\n1 99999 x", b"a b\n0 99999 c\n2 99999\r\n"), ("SET", b"\xff\x00", bytes(range(256))), ("SET", b"k", b"0 1 2 3"), ("DEL", b"gone")]
    host, port = os.environ["DATABUS"].split(":")
    strange += [("SET", b"%d" % number, b"99999 \n1 99999 ") for number in range(10)]
    with socket.create_connection((host, int(port)), 30) as connection:
        reader = connection.makefile("rb")
        for command in [("AUTH", f"{AUTH}&role=pub".encode())] + strange:
            words = [command[0].encode(), *command[1:]]
            connection.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
            got = reader.readline()
            assert got in (b"+OK\r\n", b":1\r\n"), got
    subscribe(output, len(strange), signal.SIGTERM)
    publish(range(10))
    subscribe(output, len(strange) + 10, signal.SIGTERM)
    found = [line.split(b" ")[:2] for line in output.read_bytes().split(b"\n")[:-1]]
    assert len(found) == len({tuple(place) for place in found}) == len(strange) + 10, found


def doubt():
    """A publisher sends again after `may have been written`, after `not written`, and after a connection that broke without a reply; once when it is told +OK."""
    with Doubtful() as server:
        publish([1, 2], address=server.address)
        assert server.sets == ["1", "1", "1", "1", "2"], server.sets


def restart(output):
    """Both go on through a restart of the daemon."""
    reader = start("subscribe", output)
    writer = start("publish", stdin=subprocess.PIPE)
    print("? restart-daemon", flush=True)
    sys.stdin.readline()
    number, over = 40, False
    while not over:
        writer.stdin.write(lines([number]))
        writer.stdin.flush()
        number += 1
        time.sleep(0.1)
        print("? over", flush=True)
        over = sys.stdin.readline() == "yes\n"
    writer.communicate(lines(range(number, number + 5)), timeout=120)
    assert writer.returncode == 0, f"publish: exit {writer.returncode}"
    limit = time.monotonic() + 120
    while {int(line.split()[-1]) for line in output.read_text().splitlines()} != set(range(number + 5)):
        assert time.monotonic() < limit and reader.poll() is None, f"exit {reader.poll()}, {len(output.read_text().splitlines())} lines of {number + 5}"
        time.sleep(0.2)
    reader.terminate()
    assert reader.wait(60) in (0, 143)


class Doubtful(socketserver.ThreadingTCPServer):
    """Answers the first SETs with an error, with another one, and not at all."""

    daemon_threads = allow_reuse_address = True

    def __enter__(self):
        self.address, self.sets = "127.0.0.1:%d" % self.server_address[1], []
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return super().__enter__()

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answers)

    def __exit__(self, *what):
        self.shutdown()
        super().__exit__(*what)


class Answers(breaks.Connection):
    def handle(self):
        while command := self.command():
            name = command[0].upper()
            if name != b"SET":
                self.wfile.write(self.reply(name, command))
                continue
            self.server.sets.append(command[2].decode())
            count = len(self.server.sets)
            if count == 3:
                self.request.shutdown(socket.SHUT_RDWR)
                return
            self.wfile.write({1: b"-ERR may have been written: no confirmation\r\n", 2: b"-ERR not written: queue full\r\n"}.get(count, b"+OK\r\n"))


main()
