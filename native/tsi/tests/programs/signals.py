"""Connects while signals rain: signals.py ADDRESS. Prints how many connections were right, and the errors of the others."""
import collections, signal, socket, sys, threading

COUNT = 400
listener = socket.create_server(('', 0), backlog=64)
errors = collections.Counter()
right = 0


def answer():
    while True:
        connection, _ = listener.accept()
        try:
            connection.sendall(b'x')
        except OSError:
            pass
        connection.close()


threading.Thread(target=answer, daemon=True).start()
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
for _ in range(COUNT):
    try:
        with socket.socket() as caller:
            caller.connect((sys.argv[1], listener.getsockname()[1]))
            right += caller.getpeername() is not None and caller.recv(1) == b'x'
    except OSError as error:
        errors[type(error).__name__] += 1
signal.setitimer(signal.ITIMER_REAL, 0)
print(right == COUNT, right + errors.total() == COUNT, sorted(errors))
