"""The limit: a socket per thread, a ready-made head, sendfile, a tail. Nothing is checked, kept or
shown.

python bare.py PORT THREADS FILE...
"""

from __future__ import annotations

import os
import socket
import sys
import threading

TAIL = b"\r\n--bare--\r\n"


def send(connection: socket.socket, path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    size = os.fstat(descriptor).st_size
    head = (
        b'--bare\r\nContent-Disposition: form-data; name="file"; filename="'
        + os.fsencode(os.path.basename(path))
        + b'"\r\nContent-Type: image/jpeg\r\n\r\n'
    )
    length = len(head) + size + len(TAIL)
    start = (
        b"POST /api/assets HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Content-Type: multipart/form-data; boundary=bare\r\n"
        b"Content-Length: %d\r\n\r\n" % length
    )
    connection.sendall(start + head, socket.MSG_MORE)
    offset = 0
    while offset < size:
        offset += os.sendfile(connection.fileno(), descriptor, offset, size - offset)
    connection.sendall(TAIL)
    os.close(descriptor)
    answer = b""
    while b"}" not in answer:
        more = connection.recv(4096)
        if not more:
            sys.exit("the sink closed")
        answer += more
    if not answer.startswith(b"HTTP/1.1 201"):
        sys.exit("the sink refused")


def work(port: int, paths: list[str]) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for path in paths:
            send(connection, path)


if __name__ == "__main__":
    port, count, *files = sys.argv[1:]
    threads = [
        threading.Thread(target=work, args=(int(port), files[start :: int(count)]))
        for start in range(int(count))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
