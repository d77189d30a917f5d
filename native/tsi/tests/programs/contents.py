"""Bytes that must arrive, in the ways programs send them.

contents.py serve PORT: answers. contents.py call HOST PORT: asks, checks, prints one JSON line, fails if anything differs.
A connection says what it wants in its first line. PORT + 1 speaks first.
"""
import hashlib, json, random, selectors, socket, sys, threading, time

GIGABYTE = 1 << 30
BLOCK = random.Random(1).randbytes(1 << 20)


def blocks(total):
    """Blocks that all differ, so that none can be lost, doubled or exchanged unseen."""
    for number in range(total // len(BLOCK)):
        yield number.to_bytes(8, 'big') + BLOCK[8:]


def expected(total):
    digest = hashlib.sha256()
    for block in blocks(total):
        digest.update(block)
    return digest.hexdigest()


def hashed(connection):
    digest, buffer = hashlib.sha256(), bytearray(1 << 18)
    while length := connection.recv_into(buffer):
        digest.update(memoryview(buffer)[:length])
    return digest.hexdigest()


def line(connection):
    """Read byte by byte: what follows is not ours."""
    text = b''
    while not text.endswith(b'\n'):
        byte = connection.recv(1)
        if not byte:
            break
        text += byte
    return text.decode().split()


def answer(connection):
    with connection:
        want = line(connection)
        if want[:1] == ['take']:
            # The end of what is sent is a half close; the answer goes the other way after it.
            connection.sendall(hashed(connection).encode())
        elif want[:1] == ['give']:
            for block in blocks(int(want[1])):
                connection.sendall(block)
        elif want[:1] == ['echo']:
            while data := connection.recv(65536):
                connection.sendall(data)


def greet(connection):
    with connection:
        connection.sendall(b'220 ready\n')
        connection.sendall(connection.recv(64))


def serve(port):
    def accept(listener, serve_one):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve_one, args=(connection,), daemon=True).start()

    listeners = [socket.create_server(('', port + offset), backlog=1024) for offset in (0, 1)]
    print('ready', flush=True)
    threading.Thread(target=accept, args=(listeners[1], greet), daemon=True).start()
    accept(listeners[0], answer)


def call(host, port):
    def connect(want):
        connection = socket.create_connection((host, port), timeout=60)
        connection.sendall(want.encode() + b'\n')
        return connection

    def sent():
        with connect('take') as connection:
            for block in blocks(GIGABYTE):
                connection.sendall(block)
            connection.shutdown(socket.SHUT_WR)
            return connection.makefile().read()

    def received():
        with connect(f'give {GIGABYTE}') as connection:
            return hashed(connection)

    def short(count):
        right = 0
        for number in range(count):
            with connect('echo') as connection:
                text = f'connection {number}'.encode()
                connection.sendall(text)
                connection.shutdown(socket.SHUT_WR)
                right += connection.makefile('rb').read() == text
        return right

    def at_once(count):
        """All open before the first is asked, none of them waited for alone."""
        selector, states = selectors.DefaultSelector(), {}
        for number in range(count):
            connection = socket.socket()
            connection.setblocking(False)
            connection.connect_ex((host, port))
            selector.register(connection, selectors.EVENT_WRITE)
            states[connection] = (number, b'')
        opened, right, deadline = 0, 0, time.monotonic() + 60
        while opened < count and time.monotonic() < deadline:
            for key, _ in selector.select(1):
                if key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    raise SystemExit(f'connection {states[key.fileobj][0]} was refused')
                selector.unregister(key.fileobj)
                opened += 1
        for connection, (number, _) in states.items():
            connection.setblocking(True)
            connection.sendall(b'echo\n' + f'connection {number}'.encode())
            connection.shutdown(socket.SHUT_WR)
        for connection, (number, _) in states.items():
            right += connection.makefile('rb').read() == f'connection {number}'.encode()
            connection.close()
        return right

    def server_first():
        with socket.create_connection((host, port + 1), timeout=60) as connection:
            said = connection.recv(64)
            connection.sendall(b'hello')
            return (said + connection.recv(64)).decode()

    whole = expected(GIGABYTE)
    print(json.dumps({
        'sent': sent() == whole,
        'received': received() == whole,
        'short': short(10_000),
        'atOnce': at_once(500),
        'serverFirst': server_first(),
    }))


if sys.argv[1] == 'serve':
    serve(int(sys.argv[2]))
else:
    call(sys.argv[2], int(sys.argv[3]))
