"""Child processes of a test: starts them, waits for them, reads their /proc, and ends them with the test."""

import ctypes
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import grpc

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 30
PR_SET_PDEATHSIG = 1
SERVING = b"\x08\x01"  # a HealthCheckResponse whose field 1 is SERVING


class Failure(Exception):
    """A failed check. The text is a sentence that says what is wrong."""


def must(holds, sentence):
    if not holds:
        raise Failure(sentence)


def wait_until(holds, what, limit=START_SECONDS, pause=0.02):
    """Waits until the condition holds, and returns the seconds that it took."""
    began = time.monotonic()
    while not holds():
        must(time.monotonic() - began < limit, f"{what}: not within {limit} s")
        time.sleep(pause)
    return time.monotonic() - began


def free_ports(count):
    """Free ports below the range of outgoing connections, so that no client socket takes the port of a server while
    that server restarts."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports, candidate = [], 20_000 + os.getpid() * 7 % 5_000
    while len(ports) < count:
        candidate += 1
        must(candidate < lowest, f"there are no free ports below {lowest}")
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                free.bind(("127.0.0.1", candidate))
            except OSError:
                continue
        ports.append(candidate)
    return ports


def help_of(binary):
    """The flags in the help of `detente serve`."""
    done = subprocess.run([binary, "serve", "--help"], capture_output=True, text=True)
    must(done.returncode == 0, f"`{binary} serve --help` ended with {done.returncode}: {done.stderr}")
    return set(re.findall(r"(?m)^ +(?:-\w, )?(--[a-z-]+)", done.stdout))


def require_flags(binary, *flags):
    missing = set(flags) - help_of(binary)
    must(not missing, f"{binary} is too old for this test: `detente serve` has no {', '.join(sorted(missing))}")


def ends_with_parent(by=signal.SIGKILL):
    """Makes the kernel send this signal to the calling process when its parent ends, even if the parent is killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, by)


def allow_files(count):
    """Raises this process's limit of open files to the given number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def require_files(count):
    """Fails if the hard limit of open files is below the given number."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    enough = hard == resource.RLIM_INFINITY or hard >= count
    must(enough, f"the test needs {count} open files, and `ulimit -Hn` is {hard}")


@contextmanager
def stage(name):
    """A temporary folder, which is also removed if the test gets SIGTERM or SIGHUP."""

    def end(number, _):
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    folder = Path(tempfile.mkdtemp(prefix=f"detente-{name}-"))
    # nginx reads the folder, and its workers run as a different user.
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_certificate(folder, name):
    """Makes a self-signed certificate and its key. The name has the form `DNS:one.example`."""
    must(shutil.which("openssl"), "openssl is not installed; it makes the certificate")
    certificate, key = folder / "tls.crt", folder / "tls.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=detente", "-addext", f"subjectAltName={name}"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


class Server:
    """The program as a server. It keeps its port over restarts."""

    def __init__(self, binary, folder, name, port, options=(), certificate=None, host="127.0.0.1"):
        self.binary, self.name, self.port, self.options = str(binary), name, port, list(options)
        self.host = host
        self.certificate = certificate
        self.most_files = 0
        self.log = folder / f"{name}.log"
        self.process = None
        self.flags = help_of(self.binary)
        if "--admin-listen" in self.flags and "--admin-listen" not in self.options:
            self.options += ["--admin-listen", "off"]

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        """Starts the server, and returns the seconds until it is ready."""
        began = time.monotonic()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DETENTE_")}
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", "--listen", f"{self.host}:{self.port}", *self.options],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=self.prepare,
            )
        wait_until(self.is_serving, f"SERVING on {self.address} ({self.name})")
        return time.monotonic() - began

    def prepare(self):
        ends_with_parent()
        allow_files(self.most_files)

    def is_serving(self):
        code = self.process.poll()
        must(code is None, f"{self.name} ended with {code}:\n{self.log.read_text()[-2000:]}")
        options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
        if self.certificate:
            trusted = grpc.ssl_channel_credentials(self.certificate.read_bytes())
            channel = grpc.secure_channel(self.address, trusted, options)
        else:
            channel = grpc.insecure_channel(self.address, options)
        with channel:
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            try:
                return check(b"", timeout=1) == SERVING
            except grpc.RpcError:
                return False

    def stop(self, limit=30):
        """Stops the server with SIGTERM. Returns the seconds that it took and the exit code."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} still runs {limit} s after SIGTERM") from None
        return time.monotonic() - began, code

    def kill(self):
        """Ends the server with SIGKILL, like a crash. Returns the seconds that it took and the exit code."""
        began = time.monotonic()
        self.process.kill()
        code = self.process.wait()
        return time.monotonic() - began, code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.kill()

    def memory(self):
        """VmRSS and Pss, in bytes."""
        return self.of("status", "VmRSS"), self.of("smaps_rollup", "Pss")

    def of(self, file, field):
        text = Path(f"/proc/{self.process.pid}/{file}").read_text()
        matched = re.search(rf"(?m)^{field}:\s+(\d+)( kB)?", text)
        must(matched, f"/proc has no {field}")
        return int(matched[1]) * (1024 if matched[2] else 1)

    def threads(self):
        return self.of("status", "Threads")

    def files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def processor_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def http_get(port, path, limit=5):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}{path}", timeout=limit) as answer:
        return answer.read().decode()


def find_binary(path):
    """The path of the program, relative to the working directory or to the project."""
    for folder in (Path.cwd(), ROOT):
        if (folder / path).is_file():
            return (folder / path).resolve()
    raise Failure(f"{path} does not exist; build it with `cargo build --profile dist --features otlp`, or give its path with --binary")


def main(run):
    """Runs a test, and exits with 0 if its promises hold, otherwise with 1."""
    try:
        sys.exit(0 if run() else 1)
    except Failure as failure:
        print(f"\nFAIL  {failure}", flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
