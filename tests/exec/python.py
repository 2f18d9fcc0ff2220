"""What a program in Python asks of its kernel: threads, children, pipes, sockets, signals, files, time."""

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time


def threads():
    lock = threading.Lock()
    turn = threading.Condition(lock)
    total = 0

    def work(number):
        nonlocal total
        for _ in range(200):
            with turn:
                total += number
                turn.notify_all()

    workers = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    event = threading.Event()
    assert not event.wait(0.05)
    threading.Timer(0.05, event.set).start()
    assert event.wait(60)
    print("threads:", total)


def children():
    done = subprocess.run(["sh", "-c", "read line; echo got $line; echo wrong >&2; exit 3"], input="word\n",
                          capture_output=True, text=True)
    print("child:", done.returncode, done.stdout.strip(), done.stderr.strip())
    pipeline = subprocess.Popen("printf 'b\\na\\nc\\n' | sort | tr a-z A-Z", shell=True, stdout=subprocess.PIPE, text=True)
    print("pipeline:", pipeline.communicate(timeout=120)[0].split(), pipeline.returncode)
    sleeper = subprocess.Popen(["sleep", "1000"])
    try:
        sleeper.wait(timeout=0.1)
    except subprocess.TimeoutExpired:
        sleeper.kill()
    print("killed:", sleeper.wait())
    try:
        subprocess.run(["/nonexistent"])
    except FileNotFoundError as error:
        print("missing:", error.errno)
    read, write = os.pipe()
    if os.fork() == 0:
        os.write(write, b"from the child")
        os._exit(5)
    print("fork:", os.read(read, 100).decode(), os.waitstatus_to_exitcode(os.wait()[1]))
    print("environment:", subprocess.check_output(["sh", "-c", "echo $WORD"], env={**os.environ, "WORD": "skep"}, text=True).strip())


def sockets():
    for family, address in ((socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_UNIX, os.path.join(tempfile.mkdtemp(), "socket"))):
        with socket.socket(family, socket.SOCK_STREAM) as server:
            server.bind(address)
            server.listen()

            def serve():
                connection, _ = server.accept()
                with connection:
                    while data := connection.recv(65536):
                        connection.sendall(data.upper())

            thread = threading.Thread(target=serve)
            thread.start()
            with socket.create_connection(server.getsockname()) if family == socket.AF_INET else socket.socket(family) as client:
                if family == socket.AF_UNIX:
                    client.connect(address)
                client.sendall(b"echo" * 20000)
                client.shutdown(socket.SHUT_WR)
                answer = b""
                while data := client.recv(65536):
                    answer += data
            thread.join()
            print(family.name, len(answer), answer[:4])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as a, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as b:
        a.bind(("127.0.0.1", 0))
        b.sendto(b"datagram", a.getsockname())
        print("datagram:", a.recvfrom(100)[0], select.select([a], [b], [], 0)[1] == [b])
        a.settimeout(0.05)
        try:
            a.recv(1)
        except TimeoutError:
            print("timed out")
    with socket.socket() as refused:
        print("refused:", refused.connect_ex(("127.0.0.1", 1)))


def signals():
    seen = []
    signal.signal(signal.SIGUSR1, lambda number, _: seen.append(number))
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.signal(signal.SIGALRM, lambda number, _: seen.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    start = time.monotonic()
    while len(seen) < 2:
        time.sleep(0.01)
    print("signals:", [signal.Signals(number).name for number in seen], time.monotonic() - start > 0.03)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGALRM])
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    os.kill(os.getpid(), signal.SIGUSR1)
    print("waited for:", [signal.sigwait([number]).name for number in (signal.SIGUSR1, signal.SIGALRM)])
    print("blocked:", signal.sigtimedwait([signal.SIGUSR1], 0.01))


def files():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "file")
        with open(path, "w+b") as file:
            file.write(b"0123456789" * 1000)
            file.truncate(5000)
            file.flush()
            os.fsync(file.fileno())
            print("size:", os.stat(path).st_size, os.pread(file.fileno(), 5, 4995))
        os.symlink("file", path + ".link")
        os.rename(path, path + "2")
        os.mkfifo(os.path.join(folder, "fifo"))
        print("names:", sorted(entry.name for entry in os.scandir(folder)), os.path.exists(path + ".link"))
    print("gone:", os.path.exists(folder), os.listdir("/proc/self/fd") != [])


def main():
    print("Python", sys.version.split()[0], os.uname().sysname, len(os.urandom(16)))
    for part in (threads, children, sockets, signals, files):
        part()
    done = subprocess.run([sys.executable, "-c", "import sys; sys.exit(sum(map(len, sys.argv[1:])))", "four", "x"])
    print("itself:", done.returncode)


main()
