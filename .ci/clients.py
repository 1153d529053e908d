"""Runs the client examples of docs/clients against the release binary, as their READMEs say.

The first `sh` block of each README sets the client up and, with its last command, runs it. The commands run in a copy
of docs/clients and proto/; localhost:50051 stands for the address of a real server. Each command has a shell of its
own, so this script makes and activates the virtual environment. The output must equal the `text` block of
docs/clients/README.md. Each client is checked in three situations:

  waits for the server       The client starts before the server, and must print everything when the server is ready.
  retries a lost call        The first call is lost. A retry must succeed, and the client must print everything.
  gives up                   Every call is lost. The client must fail after the attempts that its service config allows.
"""

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from examples import Failure, compare_text, parse_blocks, parse_commands
from smoke import ADDRESS, BLOCK_SECONDS, ROOT, Server, write_python

CLIENTS = ("python", "node")
PARTS = 8
ATTEMPTS = 4
INSTALL_SECONDS = 300
HEAD_START_SECONDS = 1.5
MAKES_ENVIRONMENT = re.compile(r"python3 -m venv\b")
PREFACE_BYTES, FRAME_HEAD_BYTES, HEADERS_FRAME = 24, 9, 1


class Relay:
    """A relay that loses calls: forwards connections to a server, and cuts the first `cuts` at their first call."""

    def __init__(self, port, cuts):
        self.server_port, self.cuts, self.lost = port, cuts, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        server = socket.socket()
        with client, server:
            try:
                server.connect(("127.0.0.1", self.server_port))
                threading.Thread(target=pass_on, args=(server, client), daemon=True).start()
                server.sendall(read(client, PREFACE_BYTES))
                while True:
                    head = read(client, FRAME_HEAD_BYTES)
                    frame = head + read(client, int.from_bytes(head[:3], "big"))
                    if head[3] == HEADERS_FRAME and self.lost < self.cuts:
                        self.lost += 1
                        break
                    server.sendall(frame)
            except OSError:  # one side has closed its connection
                pass
            for side in (client, server):
                try:
                    side.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def read(source, size):
    """Reads exactly `size` bytes."""
    data = b""
    while len(data) < size:
        more = source.recv(size - len(data))
        if not more:
            raise ConnectionError("closed")
        data += more
    return data


def pass_on(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:  # one side has closed its connection
        pass


class Runner:
    """Sets clients up and runs them, and counts the checks that hold and those that fail."""

    def __init__(self, binary, folder):
        self.folder = folder
        self.clients = folder / "docs/clients"
        # Leave out the files that earlier runs of the examples created, because a fresh clone lacks them.
        ignored = shutil.ignore_patterns("node_modules", ".venv", "__pycache__", "detente")
        shutil.copytree(ROOT / "docs/clients", self.clients, ignore=ignored)
        shutil.copytree(ROOT / "proto", folder / "proto")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DETENTE_")}
        self.environment = kept | {
            "PATH": f"{folder / 'venv/bin'}:{os.environ['PATH']}",
            "NO_COLOR": "1",
            "no_proxy": "127.0.0.1,localhost",
            "npm_config_audit": "false",
            "npm_config_fund": "false",
            "npm_config_ignore_scripts": "true",
            "npm_config_update_notifier": "false",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_QUIET": "1",
        }
        self.server = Server(str(binary), folder, self.environment)
        self.held = self.failed = 0

    def check(self, what, function, *arguments):
        """Prints one line if a check holds, and the reason below it if it fails. Returns whether it holds."""
        try:
            function(*arguments)
        except (Failure, subprocess.TimeoutExpired, OSError) as failure:
            self.failed += 1
            print(f"FAIL  {what}\n" + re.sub("(?m)^", "        ", str(failure)), flush=True)
            return False
        self.held += 1
        print(f"ok    {what}", flush=True)
        return True

    def run(self, client):
        try:
            *setup, program = commands(self.clients / client / "README.md")
            expected = expected_output(self.clients / "README.md")
        except (Failure, ValueError, OSError) as failure:
            self.check(f"{client}: README", refuse, failure)
            return
        if not self.check(f"{client}: set up", self.set_up, client, setup):
            return
        self.check(f"{client}: waits for the server", self.waits, client, program, expected)
        self.check(f"{client}: retries a lost call", self.tries_again, client, program, expected)
        self.check(f"{client}: gives up", self.gives_up, client, program)

    def set_up(self, client, setup):
        for command in setup:
            if MAKES_ENVIRONMENT.match(command):
                self.make_environment()
                continue
            with self.start(client, command) as process:
                finish(command, process, INSTALL_SECONDS)

    def make_environment(self):
        """Makes an empty virtual environment, in which a package that requirements.txt lacks is missing."""
        python = self.folder / "python3"
        write_python(python)
        subprocess.run([python, "-m", "venv", self.folder / "venv"], check=True)

    def start(self, client, command, port=0):
        return subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", f"exec 2>&1\n{ADDRESS.sub(f'localhost:{port}', command)}"],
            cwd=self.clients / client,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )

    def waits(self, client, program, expected):
        self.server.kill()
        with self.start(client, program, self.server.port) as process:
            time.sleep(HEAD_START_SECONDS)
            if process.poll() is not None:
                raise Failure(f"the client did not wait, but exited with {process.returncode}\n{process.stdout.read()}")
            try:
                self.server.start()
            except Failure:
                process.kill()
                raise
            compare_text(expected, finish(program, process))

    def ensure_server(self):
        """Starts the server if it is not running, so that no check fails because an earlier one did."""
        if not self.server.process:
            self.server.start()

    def tries_again(self, client, program, expected):
        self.ensure_server()
        with Relay(self.server.port, cuts=1) as relay, self.start(client, program, relay.port) as process:
            compare_text(expected, finish(program, process))
            if relay.lost != 1:
                raise Failure("no call was lost, so no call was retried")

    def gives_up(self, client, program):
        self.ensure_server()
        with Relay(self.server.port, cuts=100) as relay, self.start(client, program, relay.port) as process:
            output = finish(program, process, code=1)
            if relay.lost != ATTEMPTS or "UNAVAILABLE" not in output:
                raise Failure(f"{relay.lost} attempts instead of {ATTEMPTS}\n{output}")


def commands(readme):
    """The commands of a client's README. The last one runs the example."""
    scripts = [block.text for block in parse_blocks(readme.name, readme.read_text()) if block.language == "sh"]
    found = list(parse_commands(scripts[0])) if scripts else []
    if len(found) < 2 or not ADDRESS.search(found[-1]):
        raise Failure("README.md has no sh block that sets the example up and runs it with localhost:50051")
    return found


def expected_output(readme):
    """What an example must print: all parts, each with at least one line."""
    texts = [block.text for block in parse_blocks(readme.name, readme.read_text()) if block.language == "text"]
    shown = texts[0] if texts else ""
    parts = re.findall(r"(?m)^(\d+)\. .+\n {3}\w", shown)
    if parts != [str(number) for number in range(1, PARTS + 1)]:
        raise Failure(f"README.md shows the output of parts {', '.join(parts) or '(none)'}, not of 1 to {PARTS}")
    return shown


def finish(command, process, seconds=BLOCK_SECONDS, code=0):
    """The output of a command, which must exit with this code."""
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise Failure(f"`{command}` is still running after {seconds} s\n{process.communicate()[0]}") from None
    if process.returncode != code:
        raise Failure(f"`{command}` exited with {process.returncode}, not {code}\n{output}")
    return output


def refuse(failure):
    raise Failure(str(failure))


def main():
    parser = argparse.ArgumentParser(description="Runs the client examples of docs/clients.")
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/detente")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="detente-clients-") as folder:
        runner = Runner(arguments.binary.resolve(), Path(folder))
        try:
            for client in CLIENTS:
                runner.run(client)
        finally:
            runner.server.kill()
    print(f"clients: {runner.held} passed, {runner.failed} failed")
    sys.exit(1 if runner.failed else 0)


if __name__ == "__main__":
    main()
