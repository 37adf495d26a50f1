"""A server that breaks the connection at the first eight SETs, so that it shows how often a library sends a command whose reply got lost."""

import socket
import socketserver
import threading

BREAKS = 8
HELLO = {b"server": b"redis", b"version": b"7.2.0", b"proto": None, b"id": 1, b"mode": b"standalone", b"role": b"master", b"modules": []}


def accepts(address):
    host, port = address.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), 1).close()
        return True
    except OSError:
        return False


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Connection)
        self.address = "127.0.0.1:%d" % self.server_address[1]
        self.lock, self.sets = threading.Lock(), 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def take(self):
        """How many SETs came since the last call."""
        with self.lock:
            sets, self.sets = self.sets, 0
            return sets

    def count(self):
        with self.lock:
            self.sets += 1
            return self.sets

    def close(self):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        pass  # a client that went


class Connection(socketserver.StreamRequestHandler):
    def handle(self):
        while command := self.command():
            name = command[0].upper()
            if name == b"SET" and self.server.count() <= BREAKS:
                self.request.shutdown(socket.SHUT_RDWR)
                return
            self.wfile.write(self.reply(name, command))

    def command(self):
        line = self.rfile.readline().strip()
        if not line.startswith(b"*"):
            return line.split()
        return [self.bulk() for _ in range(int(line[1:]))]

    def bulk(self):
        return self.rfile.read(int(self.rfile.readline()[1:]) + 2)[:-2]

    def reply(self, name, command):
        if name == b"HELLO":
            protocol = int(command[1]) if len(command) > 1 else 2
            head = b"%%%d\r\n" % len(HELLO) if protocol == 3 else b"*%d\r\n" % (2 * len(HELLO))
            return head + b"".join(encode(key) + encode(protocol if value is None else value) for key, value in HELLO.items())
        if name == b"INFO":
            return encode(b"# Server\r\nredis_version:7.2.0\r\nredis_mode:standalone\r\nrole:master\r\nloading:0\r\n")
        if name == b"PING":
            return b"+PONG\r\n"
        if name in (b"AUTH", b"CLIENT", b"SELECT", b"SET", b"QUIT"):
            return b"+OK\r\n"
        return b"-ERR unknown command\r\n"


def encode(value):
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, list):
        return b"*0\r\n"
    return b"$%d\r\n%s\r\n" % (len(value), value)
