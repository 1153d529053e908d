"""Runs every example of README.md against the release binary and compares the answers that README shows.

readme.py says what an example and its answer are. They are taken from top to bottom, in one temporary folder that has
copies of `scenarios/`, `proto/` and `docs/`, and of the files that README shows:

  yaml    whose first line is `# FILE.yaml`: saved as that file. Other yaml is not looked at.
  python  saved as client.py, or FILE.py if the first line is `# FILE.py`; and run, unless the next block runs it.
  sh      one or more commands:
    grpcurl -plaintext [-d JSON] [-H HEADER] [-emit-defaults] [-max-time SECONDS] localhost:50051 PACKAGE.SERVICE/METHOD
    grpcurl -plaintext localhost:50051 list [PACKAGE.SERVICE]
              the same call through `buf curl`, which learns the schema by server reflection as grpcurl does
    detente serve [OPTIONS]
              ends the server that runs, and starts one with these options, on a free port that stands for
              localhost:50051 (or 127.0.0.1:50051) everywhere. Where none was started, it is a plain `detente serve`
    detente ...; python3 ...
              by bash, with the release binary as `detente`; stdout and stderr are the output. Must exit with 0: an
              expected failure is shown with `|| echo "exit code $?"`
    cargo run --release -- ...
              means `detente ...`
    pip install ...
              not run, but every package must be one that this interpreter has
    git, cd, cargo build | install | test, .ci/run
              not run
    anything else
              fails: a command that nobody has tried does not belong in README

Every server that is started must report SERVING within 30 s, and end with exit code 0 within 5 s of SIGTERM.
"""

import argparse
import base64
import importlib.metadata
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from readme import (
    Failure,
    Refused,
    compare_json,
    compare_refusal,
    compare_text,
    parse_abridged,
    parse_blocks,
    parse_commands,
    parse_examples,
)

ROOT = Path(__file__).resolve().parent.parent
README_ADDRESS = re.compile(r"(localhost|127\.0\.0\.1):50051\b")
START_SECONDS, STOP_SECONDS, COMMAND_SECONDS = 30, 5, 60
NOT_RUN = re.compile(r"(git|cd|cargo (build|install|test)|\.ci/run)\b")
SHELL = re.compile(r"(detente|python3?)\b")


class Server:
    """The release binary, serving on a free port."""

    def __init__(self, binary, folder, environment):
        self.binary, self.folder, self.environment = binary, folder, environment
        self.process = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log = folder / "server.log"

    def start(self, options=(), extra_environment=None):
        options = [option for option in options if not option.startswith("--listen=")]
        if "--listen" in options:
            at = options.index("--listen")
            del options[at : at + 2]
        command = [self.binary, "serve", *options, "--listen", f"127.0.0.1:{self.port}"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment | (extra_environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        give_up = time.monotonic() + START_SECONDS
        while not self.is_serving():
            ended = self.process.poll()
            if ended is not None or time.monotonic() > give_up:
                why = f"did not report SERVING in {START_SECONDS} s" if ended is None else f"ended with {ended}"
                self.kill()
                raise Failure(f"`{shlex.join(command)}` {why}\n{self.log.read_text()}")
            time.sleep(0.1)

    def channel(self):
        return grpc.insecure_channel(f"127.0.0.1:{self.port}", options=[("grpc.enable_http_proxy", 0)])

    def is_serving(self):
        with self.channel() as channel:
            # Bytes in, bytes out: an empty HealthCheckRequest, and a response whose field 1 is SERVING.
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            try:
                return check(b"", timeout=1) == b"\x08\x01"
            except grpc.RpcError:
                return False

    def stop(self):
        """Ends the server by SIGTERM, as an orchestrator does, and says how long that took."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failure(f"still running {STOP_SECONDS} s after SIGTERM\n{self.log.read_text()}") from None
        finally:
            self.kill()
        if code != 0:
            raise Failure(f"exit code {code} after SIGTERM, not 0\n{self.log.read_text()}")
        return time.monotonic() - started

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process = None


class Runner:
    """Runs examples and counts."""

    def __init__(self, binary, buf, folder):
        self.buf, self.folder = buf, folder
        tools = folder / ".bin"
        tools.mkdir()
        (tools / "detente").symlink_to(binary)
        for name in ("python", "python3"):
            # Not a link: through one, an interpreter of a virtual environment would not know its packages.
            (tools / name).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
            (tools / name).chmod(0o755)
        for name in ("scenarios", "proto", "docs"):
            # Not links: `find proto` would not look into one, and an example must not write to the project.
            shutil.copytree(ROOT / name, folder / name)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DETENTE_")}
        path = f"{tools}:{os.environ['PATH']}"
        self.environment = kept | {"PATH": path, "NO_COLOR": "1", "no_proxy": "127.0.0.1,localhost"}
        # The port that readers use may be taken here.
        self.environment["DETENTE_ADMIN_LISTEN"] = "127.0.0.1:0"
        self.server = Server(str(binary), folder, self.environment)
        self.held = self.failed = self.calls = 0

    def report(self, what, why=None):
        """One line for what held; for what did not, the reason below it."""
        if why is None:
            self.held += 1
            print(f"ok    {what}", flush=True)
        else:
            self.failed += 1
            print(f"FAIL  {what}\n" + re.sub("(?m)^", "        ", str(why)), flush=True)

    def save_files(self, blocks):
        """Saves the files that README shows."""
        for block in blocks:
            name = block.file_name()
            if name and (self.folder / name).exists():
                self.report(f"README.md:{block.line}", f"{name} is shown twice")
            elif name:
                (self.folder / name).write_text(self.addressed(block.text))
                print(f"file  README.md:{block.line}  {name}")

    def run(self, example):
        block = example.block
        title = f"README.md:{block.line}  {summary(block)}"
        if block.exempt:
            print(f"skip  {title}: {block.exempt}")
            return
        try:
            ran = self.run_block(example)
        except (Failure, subprocess.TimeoutExpired, OSError) as failure:
            self.report(title, failure)
            return
        if ran:
            self.report(title)
        else:
            print(f"skip  {title}: nothing in it for this script to run")

    def run_block(self, example):
        """Runs a block, compares the answer, and says whether there was something to run."""
        block, answer = example.block, example.answer
        if answer and answer.exempt:
            answer = None
        expects_error = bool(answer and answer.language != "json" and answer.text.lstrip().startswith("ERROR:"))
        try:
            outputs = self.outputs(block)
        except Refused as refused:
            if not expects_error:
                raise Failure(str(refused)) from refused
            compare_refusal(answer.text, refused)
            return True
        real = "".join(outputs)
        if expects_error:
            raise Failure(f"README shows an error, but the call was answered\n{real}")
        if outputs and answer and answer.language == "json":
            compare_json(parse_abridged(answer.text), parse_abridged(real))
        elif outputs and answer:
            compare_text(answer.text, real)
        return bool(outputs)

    def outputs(self, block):
        """What each command of a block prints."""
        if block.language == "python":
            return [self.command(f"python3 {block.file_name()}")]
        return [self.command(command) for command in parse_commands(block.text) if not NOT_RUN.match(command)]

    def command(self, command):
        words = shlex.split(command, comments=True)
        assigned = {}
        while words and (pair := re.fullmatch(r"([A-Z][A-Z0-9_]*)=(.*)", words[0], re.DOTALL)):
            assigned[pair[1]] = pair[2]
            words = words[1:]
        if "install" in words and any(word.endswith("pip") for word in words):
            require_packages(words[words.index("install") + 1 :])
            return ""
        if words and words[0] == "grpcurl":
            return self.grpcurl(words[1:])
        if words and is_serve(words):
            if self.server.process:
                self.stop()
            self.server.start([word for word in words[1:] if word not in ("serve", "&")], assigned)
            return self.server.log.read_text()
        if words and SHELL.match(words[0]):
            if words[0].startswith("python") or README_ADDRESS.search(command):
                self.ensure_server()
            return self.shell(self.addressed(command))
        raise Failure(f"this script does not know how to run `{command}`")

    def ensure_server(self):
        if not self.server.process:
            self.server.start()

    def stop(self):
        """Stops the server; that it stops well is a check of its own."""
        try:
            self.report(f"SIGTERM ends the server with exit code 0 ({self.server.stop():.1f} s)")
        except Failure as failure:
            self.report("SIGTERM ends the server with exit code 0", failure)

    def addressed(self, text):
        """A text with the server's real address in place of README's."""
        return README_ADDRESS.sub(f"127.0.0.1:{self.server.port}", text)

    def execute(self, command):
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )

    def shell(self, command):
        done = self.execute(["bash", "-euo", "pipefail", "-c", f"exec 2>&1\n{command}"])
        if done.returncode != 0:
            raise Failure(f"`{command}` ended with {done.returncode}\n{done.stdout}")
        return done.stdout

    def grpcurl(self, words):
        """A grpcurl command through buf curl: another client, the same call."""
        self.calls += 1
        self.ensure_server()
        flags, plaintext = [], False
        same = {"-d": "-d", "-H": "-H", "-max-time": "--timeout"}
        while words and words[0].startswith("-"):
            flag, *words = words
            if flag == "-plaintext":
                plaintext = True
            elif flag == "-emit-defaults":
                flags.append("--emit-defaults")
            elif flag in same and words:
                value, *words = words
                flags += [same[flag], f"{value}s" if flag == "-max-time" else value]
            else:
                raise Failure(f"this script does not know grpcurl's option {flag}")
        if not plaintext or len(words) < 2 or not README_ADDRESS.fullmatch(words[0]):
            raise Failure("expected `grpcurl -plaintext [OPTIONS] localhost:50051 METHOD`")
        url = f"http://127.0.0.1:{self.server.port}"
        curl = [self.buf, "curl", "--protocol", "grpc", "--http2-prior-knowledge"]
        if words[1] == "list" and len(words) <= 3:
            done = self.execute([*curl, "--list-methods" if words[2:] else "--list-services", url])
            if done.returncode != 0:
                raise Failure(done.stderr)
            names = sorted(done.stdout.split())
            if words[2:]:
                names = [name.replace("/", ".") for name in names if name.startswith(f"{words[2]}/")]
            return "".join(f"{name}\n" for name in names)
        if len(words) > 2:
            raise Failure(f"this script does not know what to do with `{words[2]}`")
        service, method = re.split(r"[/.](?=\w+$)", words[1])
        done = self.execute([*curl, *flags, f"{url}/{service}/{method}"])
        if done.returncode != 0:
            raise self.refusal(done)
        return done.stdout

    def refusal(self, done):
        """The status in which a call ended, from buf's JSON on stderr."""
        try:
            status = json.loads(done.stderr)
        except json.JSONDecodeError:
            return Failure(f"buf curl ended with {done.returncode}\n{done.stderr}")
        code = "".join(part.capitalize() for part in status["code"].split("_"))
        with self.server.channel() as channel:
            pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
            details = [decode_detail(pool, detail) for detail in status.get("details", [])]
        return Refused(code, status.get("message", ""), details)


def is_serve(words):
    """Whether a command starts the server: `serve` is what detente does when told nothing else."""
    options = words[1:]
    told = options[0] if options else "serve"
    asks = {"--help", "-h", "--version", "-V"} & set(options)
    return words[0] == "detente" and not asks and (told == "serve" or told.startswith("-"))


def decode_detail(pool, detail):
    """One error detail as JSON, by the schema that the server itself reflects: grpcurl has no other."""
    kind = detail["type"]
    try:
        message = message_factory.GetMessageClass(pool.FindMessageTypeByName(kind))()
    except KeyError:
        raise Failure(f"an error carries {kind}, which the server's reflection does not know") from None
    message.ParseFromString(base64.b64decode(detail["value"] + "=="))
    return {"@type": f"type.googleapis.com/{kind}"} | json_format.MessageToDict(message, descriptor_pool=pool)


def require_packages(words):
    """README's `pip install` must name packages that its Python example was really run with."""
    for word in words:
        name = re.split(r"[=<>~!\[;]", word)[0]
        if word.startswith("-"):
            continue
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            raise Failure(f"the package {name} is not among those that .ci/run installs") from None


def summary(block):
    """A block's first line, cut to fit one line of a report."""
    lines = block.text.splitlines() or [""]
    if lines[0].startswith("grpcurl"):
        return "grpcurl ... " + block.text.split()[-1]
    return lines[0] if len(lines[0]) <= 90 else lines[0][:87] + "..."


def main():
    parser = argparse.ArgumentParser(description="Runs every example of README.md against the release binary.")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md")
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/detente")
    parser.add_argument("--buf", default="buf", help="the buf executable")
    parser.add_argument("--list", action="store_true", help="only show what was found in README")
    arguments = parser.parse_args()

    try:
        blocks = parse_blocks(arguments.readme.read_text())
        examples = parse_examples(blocks)
    except Failure as failure:
        sys.exit(f"README.md: {failure}")
    if arguments.list:
        for example in examples:
            answer = f"answer at line {example.answer.line}" if example.answer else "no answer shown"
            print(f"{example.block.line:5}  {example.block.language:6}  {answer:20}  {summary(example.block)}")
        return

    with tempfile.TemporaryDirectory(prefix="detente-readme-") as folder:
        runner = Runner(arguments.binary.resolve(), arguments.buf, Path(folder))
        try:
            runner.save_files(blocks)
            for example in examples:
                runner.run(example)
            if runner.calls == 0:
                runner.report("README.md", "no grpcurl example was found: nothing has called the server")
            if runner.server.process:
                runner.stop()
        finally:
            runner.server.kill()
    print(f"smoke: {runner.held} passed, {runner.failed} failed")
    sys.exit(1 if runner.failed else 0)


if __name__ == "__main__":
    main()
