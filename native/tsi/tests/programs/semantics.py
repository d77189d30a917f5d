"""What a program sees of its TCP sockets: one line for each look.

Run on real TCP and on moved sockets, the two outputs must be the same. Usage: semantics.py ADDRESS OWN: an address by
which this machine reaches itself, and one it has.
"""
import array, ctypes, errno, fcntl, os, select, signal, socket, struct, subprocess, sys, termios, threading

HERE, OWN = sys.argv[1:]
LOOKS = []


def look(function):
    LOOKS.append(function)
    return function


def failure(call, *arguments):
    """Name of the error a call fails with."""
    try:
        result = call(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, repr(error))
    return f'ok {type(result).__name__}'


def listening(family=socket.AF_INET, at='0.0.0.0', backlog=16):
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.bind((at, 0))
    listener.listen(backlog)
    return listener, listener.getsockname()[1]


def pair(family=socket.AF_INET, at='0.0.0.0', to=HERE):
    """A connection: caller, called."""
    listener, port = listening(family, at)
    caller = socket.create_connection((to, port))
    called, name = listener.accept()
    listener.close()
    return caller, called, name, port


def closed_port():
    listener, port = listening()
    listener.close()
    return port


def shown(name, ports):
    """A name with the addresses and ports of this run replaced by what they are."""
    mapped = name[0].startswith('::ffff:')
    address = name[0].removeprefix('::ffff:')
    kind = {'0.0.0.0': 'any', '::': 'any', '127.0.0.1': 'here', '::1': 'here'}.get(address, 'here')
    return ('mapped ' if mapped and HERE != '127.0.0.1' else '') + kind, ports.get(name[1], 'other') if name[1] else 0, len(name)


@look
def names():
    caller, called, name, port = pair()
    own = caller.getsockname()
    ports = {port: 'listener', own[1]: 'own'}
    return [shown(n, ports) for n in (own, caller.getpeername(), called.getsockname())], name == called.getpeername(), 0 < name[1] < 65536


@look
def names_on_an_ipv6_listener():
    caller, called, name, port = pair(socket.AF_INET6, '::')
    return caller.family.name, called.family.name, len(called.getsockname()), name[1] == called.getpeername()[1], called.getsockname()[1] == port


@look
def names_before_there_are_any():
    fresh = socket.socket()
    bound = socket.socket()
    bound.bind(('', 0))
    return fresh.getsockname(), failure(fresh.getpeername), bound.getsockname()[0], 0 < bound.getsockname()[1] < 65536, failure(bound.getpeername)


@look
def refused():
    blocking = failure(socket.socket().connect, (HERE, closed_port()))
    waiting = socket.socket()
    waiting.setblocking(False)
    first = waiting.connect_ex((HERE, closed_port()))
    select.select([], [waiting], [], 5)
    return blocking, errno.errorcode[first], errno.errorcode[waiting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)], waiting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


@look
def refused_and_asked_by_connecting_again():
    waiting, port = socket.socket(), closed_port()
    waiting.setblocking(False)
    waiting.connect_ex((HERE, port))
    select.select([], [waiting], [], 5)
    return failure(waiting.connect, (HERE, port))


@look
def refused_and_tried_again():
    port, caller = closed_port(), socket.socket()
    first = failure(caller.connect, (HERE, port))
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(('', port))
    listener.listen()
    second = failure(caller.connect, (HERE, port))
    return first, second, caller.getpeername()[1] == port


@look
def connecting_without_waiting():
    listener, port = listening()
    caller = socket.socket()
    caller.setblocking(False)
    first = caller.connect_ex((HERE, port))
    writable = select.select([], [caller], [], 5)[1] == [caller]
    # TCP says 0 to the first connect after the connection stands, and EISCONN from then on; vsock says EISCONN at once.
    again = failure(caller.connect, (HERE, port)) in ('ok NoneType', 'EISCONN')
    return errno.errorcode.get(first), writable, caller.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), again, failure(caller.connect, (HERE, port)), caller.getpeername()[1] == port


@look
def connecting_where_it_makes_no_sense():
    listener, port = listening()
    caller, called, _, _ = pair()
    return failure(caller.connect, (HERE, port)), failure(listener.connect, (HERE, port)), failure(socket.socket().connect, ('255.255.255.255', 1)), failure(caller.listen)


@look
def accepting_without_waiting():
    listener, port = listening()
    listener.setblocking(False)
    nobody = failure(listener.accept)
    caller = socket.create_connection((HERE, port))
    select.select([listener], [], [], 5)
    called, name = listener.accept()
    return nobody, name[1] == caller.getsockname()[1], failure(listener.accept), failure(socket.socket().accept)


@look
def accepting_in_many_threads():
    listener, port = listening(backlog=64)
    got = []
    threads = [threading.Thread(target=lambda: got.append(listener.accept())) for _ in range(20)]
    for thread in threads:
        thread.start()
    callers = [socket.create_connection((HERE, port)) for _ in threads]
    for thread in threads:
        thread.join()
    return len(got), {name[1] for _, name in got} == {caller.getsockname()[1] for caller in callers}


class Rung(Exception):
    pass


@look
def accepting_interrupted_by_a_signal():
    listener, port = listening()

    def ring(*_):
        raise Rung

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        listener.accept()
        interrupted = False
    except Rung:
        interrupted = True
    # Whoever calls now is accepted by the next call, not by the one that was interrupted.
    caller = socket.create_connection((HERE, port))
    called, name = listener.accept()
    return interrupted, name[1] == caller.getsockname()[1]


@look
def listening_again_after_an_interrupted_accept():
    listener, port = listening()

    def ring(*_):
        raise Rung

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        listener.accept()
    except Rung:
        pass
    listener.close()
    again = socket.socket()
    again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return failure(again.bind, ('', port))


@look
def accepting_with_a_repeated_timer():
    listener, port = listening()
    rings = []
    signal.signal(signal.SIGALRM, lambda *_: rings.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    threading.Timer(0.3, lambda: socket.create_connection((HERE, port)).close()).start()
    called, _ = listener.accept()
    signal.setitimer(signal.ITIMER_REAL, 0)
    return len(rings) > 3, called.recv(1)


@look
def binding():
    listener, port = listening()
    other = socket.socket()
    return failure(other.bind, ('', port)), failure(listener.bind, ('', port)), failure(other.bind, ('203.0.113.77', 0)), failure(other.bind, (OWN, 0)), other.getsockname()[0] == OWN


@look
def listening_without_binding():
    listener = socket.socket()
    listener.listen()
    name = listener.getsockname()
    caller = socket.create_connection((HERE, name[1]))
    return name[0], 0 < name[1] < 65536, listener.accept()[1][1] == caller.getsockname()[1]


@look
def low_ports():
    def try_as_nobody():
        os.setuid(65534)
        return failure(socket.socket().bind, ('', 81))

    return failure(socket.socket().bind, ('', 81)), in_child(try_as_nobody)


def in_child(function):
    """What a function returns in a forked child, as text."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(theirs, str(function()).encode())
        finally:
            os._exit(0)
    os.close(theirs)
    text = os.read(ours, 65536).decode()
    os.waitpid(child, 0)
    os.close(ours)
    return text


@look
def options():
    caller, called, _, _ = pair()
    answers = [caller.getsockopt(socket.SOL_SOCKET, o) for o in (socket.SO_DOMAIN, socket.SO_TYPE, socket.SO_PROTOCOL, socket.SO_ERROR)]
    for level, option in ((socket.IPPROTO_TCP, socket.TCP_NODELAY), (socket.SOL_SOCKET, socket.SO_KEEPALIVE), (socket.SOL_SOCKET, socket.SO_REUSEADDR), (socket.IPPROTO_TCP, socket.TCP_QUICKACK)):
        caller.setsockopt(level, option, 1)
        answers.append(caller.getsockopt(level, option))
    for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT, socket.TCP_CORK, socket.TCP_DEFER_ACCEPT):
        caller.setsockopt(socket.IPPROTO_TCP, option, caller.getsockopt(socket.IPPROTO_TCP, option) or 0)
    caller.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x10)
    caller.setsockopt(socket.IPPROTO_TCP, 13, b'cubic')
    info = caller.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return answers, len(info), info[0], failure(caller.setsockopt, socket.IPPROTO_TCP, 99, 1), failure(caller.setsockopt, socket.IPPROTO_TCP, 19, 1) != 'ok NoneType' or os.getuid() == 0


@look
def options_of_a_listener():
    listener = socket.socket(socket.AF_INET6)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(('::', 0))
    before = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    listener.listen()
    return before, listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), listener.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN)


@look
def flags():
    seen = []
    for kind in (0, socket.SOCK_NONBLOCK, socket.SOCK_CLOEXEC):
        raw = ctypes.CDLL(None, use_errno=True).socket(socket.AF_INET, socket.SOCK_STREAM | kind, 0)
        seen.append((fcntl.fcntl(raw, fcntl.F_GETFL) & os.O_NONBLOCK, fcntl.fcntl(raw, fcntl.F_GETFD)))
        os.close(raw)
    listener, port = listening()
    caller = socket.create_connection((HERE, port))
    raw, _ = listener._accept()
    seen.append(fcntl.fcntl(raw, fcntl.F_GETFD))
    os.close(raw)
    return seen


@look
def half_closed():
    caller, called, name, port = pair()
    caller.sendall(b'question')
    caller.shutdown(socket.SHUT_WR)
    question = called.makefile('rb').read()
    # vsock forgets the far end's name where this side has closed its half: the README names that.
    named = failure(caller.getsockname), failure(called.getpeername)
    called.sendall(b'answer' * 20000)
    called.shutdown(socket.SHUT_WR)
    answer = caller.makefile('rb').read()
    return question, len(answer), named


@look
def the_server_speaks_first():
    caller, called, _, _ = pair()
    called.sendall(b'220 ready')
    return caller.recv(64)


@look
def inherited_by_fork_and_exec():
    listener, port = listening()
    os.set_inheritable(listener.fileno(), True)
    code = f'import socket;l=socket.socket(fileno={listener.fileno()});c,n=l.accept();c.sendall(str((l.family.name,n[1])).encode())'
    child = subprocess.Popen([sys.executable, '-c', code], close_fds=False)
    caller = socket.create_connection((HERE, port))
    said = caller.makefile().read()
    child.wait()
    forked = socket.create_connection((HERE, port))
    name = in_child(lambda: listener.accept()[1][1])
    return said == str(('AF_INET', caller.getsockname()[1])), name == str(forked.getsockname()[1])


@look
def sent_to_another_process():
    ours, theirs = socket.socketpair()
    caller, called, name, port = pair(socket.AF_INET6, '::')
    socket.send_fds(ours, [b'x'], [called.fileno()])

    def receive():
        got = socket.socket(fileno=socket.recv_fds(theirs, 1, 1)[1][0])
        return got.family.name, got.getpeername()[1] == name[1], len(got.getpeername())

    return in_child(receive)


@look
def duplicated():
    caller, called, name, port = pair()
    copy = caller.dup()
    caller.close()
    copy.sendall(b'x')
    return called.recv(1), copy.getpeername()[1] == port


def events_of(to, port):
    """Edge-triggered registration before connect, as Go does it."""
    caller = socket.socket()
    caller.setblocking(False)
    poller = select.epoll()
    poller.register(caller, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET)
    poller.poll(0)
    caller.connect_ex((to, port))
    ready = poller.poll(5)
    modified = failure(poller.modify, caller, select.EPOLLIN)
    return len(ready) == 1 and bool(ready[0][1] & select.EPOLLOUT), caller.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), modified


@look
def registered_before_connect():
    listener, port = listening()
    real, inner = listening(at='127.0.0.1')
    return events_of(HERE, port), events_of('127.0.0.1', inner)


@look
def bound_to_the_loopback():
    listener, port = listening(at='127.0.0.1')
    caller = socket.create_connection(('127.0.0.1', port))
    called, name = listener.accept()
    return listener.getsockname() == ('127.0.0.1', port), name == caller.getsockname(), failure(socket.create_connection, ('127.0.0.1', closed_port()))


@look
def bytes_to_be_read():
    caller, called, _, _ = pair()
    caller.sendall(b'x' * 5000)
    select.select([called], [], [], 5)
    count = array.array('i', [-1])
    while count[0] < 5000:
        fcntl.ioctl(called.fileno(), termios.FIONREAD, count)
    return count[0]


@look
def short_and_wrong_buffers():
    caller, called, name, port = pair()
    libc = ctypes.CDLL(None, use_errno=True)
    results = []
    for room in (0, 4, 16, 100, -1):
        buffer, length = ctypes.create_string_buffer(b'\xee' * 128, 128), ctypes.c_int(room)
        result = libc.getpeername(caller.fileno(), buffer, ctypes.byref(length))
        results.append((room, result, length.value, buffer.raw[:2].hex(), buffer.raw[4:5] == b'\xee', buffer.raw[16:18].hex()))
    return results, libc.getpeername(999, buffer, ctypes.byref(length)), errno.errorcode[ctypes.get_errno()]


@look
def other_families_are_left_alone():
    udp, answering = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    answering.bind(('127.0.0.1', 0))
    udp.connect(answering.getsockname())
    udp.send(b'u')
    data, name = answering.recvfrom(9)
    unix = socket.socket(socket.AF_UNIX)
    unix.bind('\0semantics')
    unix.listen()
    client = socket.socket(socket.AF_UNIX)
    client.connect('\0semantics')
    accepted, unix_name = unix.accept()
    return data, name == udp.getsockname(), udp.getpeername() == answering.getsockname(), unix_name, client.getpeername(), unix.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN), failure(udp.setsockopt, socket.IPPROTO_IP, socket.IP_TOS, 8)


@look
def many_at_once():
    listener, port = listening(backlog=1024)
    threads = [threading.Thread(target=lambda: callers.append(socket.create_connection((HERE, port)))) for _ in range(100)]
    callers = []
    for thread in threads:
        thread.start()
    called = [listener.accept() for _ in threads]
    for thread in threads:
        thread.join()
    return len({name for _, name in called}), len(callers)


@look
def ipv6_elsewhere():
    return failure(socket.socket(socket.AF_INET6).connect, ('2001:db8::1', 80))


for function in LOOKS:
    try:
        print(function.__name__, function(), flush=True)
    except Exception as error:
        print(function.__name__, 'raised', repr(error), 'line', error.__traceback__.tb_next and error.__traceback__.tb_next.tb_lineno, flush=True)
