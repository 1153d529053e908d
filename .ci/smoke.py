"""Runs every example of README.md against the release binary and compares the answers that README shows.

Examples are fenced blocks. The block after a command, under the same heading, is its answer if it is `json` or `text`
(or names no language). Blocks are taken from top to bottom, in one temporary folder that has links to `scenarios/`,
`proto/` and `docs/`.

  yaml    whose first line is `# FILE.yaml`: written to that file. Other yaml is not looked at.
  sh      one or more commands:
    grpcurl -plaintext [-d JSON] [-H HEADER] [-emit-defaults] [-max-time SECONDS] localhost:50051 PACKAGE.SERVICE/METHOD
    grpcurl -plaintext localhost:50051 list [PACKAGE.SERVICE]
              the same call through `buf curl`, which learns the schema by server reflection as grpcurl does
    detente serve [OPTIONS]
              ends the server that runs, and starts one with these options on a free port, which stands for
              localhost:50051 from then on. Without such a block a plain `detente serve` is started
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
  python  saved as client.py (or FILE.py, if the first line is `# FILE.py`), and run unless the next block runs it.

`<!-- not run: REASON -->` before a block exempts it; the exemption is printed.

In an answer, `...` stands for what README leaves out:
  json    every key shown must be there with an equal value; keys may be left out. Lists match element by element, and
          end with `...` where the real one goes on. `...` as a value is anything, inside a string any text.
  text    must be the whole output, trailing space aside. `...` alone on a line stands for any lines (or none), within
          a line for any text.
  ERROR:  a text block that starts with `ERROR:` is a refused call as grpcurl prints it: `Code:`, `Message:` and, under
          `Details:`, numbered JSON, matched like json. A last line `...` stands for the details left out.

Every server that is started must report SERVING within 30 s, and end with exit code 0 within 5 s of SIGTERM.
"""

import argparse
import base64
import difflib
import importlib.metadata
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

ROOT = Path(__file__).resolve().parent.parent
README_ADDRESS = "localhost:50051"
START_SECONDS, STOP_SECONDS, COMMAND_SECONDS = 30, 5, 60
NOT_RUN = re.compile(r"(git|cd|cargo (build|install|test)|\.ci/run)\b")
SHELL = re.compile(r"(detente|python3?)\b")


class Failure(Exception):
    """An example that does not hold; the text says why."""


class Refused(Exception):
    """A call that was answered with an error."""

    def __init__(self, code, message, details):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.details = code, message, details

    def __str__(self):
        numbered = [f"  {number}) {json.dumps(detail, indent=2)}" for number, detail in enumerate(self.details, 1)]
        head = f"ERROR:\n  Code: {self.code}\n  Message: {self.message}"
        return "\n".join([head, "  Details:", *numbered] if numbered else [head])


# README: blocks and commands


@dataclass
class Block:
    """One fenced block."""

    language: str
    text: str
    line: int
    heading: int  # how many headings stand above it
    exempt: str | None  # the reason of a `not run` comment

    def first_comment(self, suffix):
        """The bare file name in a first line `# FILE`."""
        found = re.match(rf"# ([\w-][\w.-]*\.{suffix})\s*\n", self.text)
        return found and found[1]


@dataclass
class Example:
    """A block to run, the block that shows its answer, and whether it is only a file for a later one."""

    block: Block
    answer: Block | None
    only_file: bool


def parse_blocks(readme):
    """All fenced blocks of a Markdown text, in order."""
    blocks, fence, heading, exempt = [], None, 0, None
    for number, line in enumerate(readme.splitlines(), 1):
        if fence:
            if line.strip() == fence:
                blocks.append(Block(language, "\n".join(lines) + "\n", start, heading, exempt))
                fence = exempt = None
            else:
                lines.append(line)
        elif opened := re.match(r"\s{0,3}(```+)\s*(\w*)", line):
            fence, language, lines, start = opened[1], opened[2], [], number
        elif comment := re.match(r"<!-- not run: (.+) -->", line):
            exempt = comment[1]
        elif re.match(r"#{1,6} ", line):
            heading += 1
    if fence:
        raise Failure(f"the block at line {start} has no end")
    return blocks


def parse_examples(blocks):
    """What is to be run, in order. An answer in JSON that no command gives is a failure of README itself."""
    examples, answers = [], set()
    for position, block in enumerate(blocks):
        after = blocks[position + 1] if position + 1 < len(blocks) else None
        if after and after.heading != block.heading:
            after = None
        if block.language in ("sh", "bash", "shell", "python"):
            answer = after if after and after.language in ("json", "text", "") else None
            if answer:
                answers.add(answer.line)
            run_by_next = bool(after and after.language == "sh" and "python" in after.text)
            examples.append(Example(block, answer, block.language == "python" and run_by_next))
        elif block.language == "yaml" and block.first_comment("ya?ml"):
            examples.append(Example(block, None, True))
        elif block.language == "json" and block.line not in answers and not block.exempt:
            raise Failure(f"the answer at line {block.line} belongs to no command")
    return examples


def parse_commands(script):
    """The commands of a shell block. Continued lines and quoted newlines belong to one command."""
    command = ""
    for line in script.splitlines():
        if not command and (not line.strip() or line.startswith("#")):
            continue
        command += line + "\n"
        if line.endswith("\\"):
            command = command[:-2] + " "
            continue
        try:
            shlex.split(command)
        except ValueError:  # within quotes
            continue
        command = re.sub(r"^(cargo run( --?[a-z]+)*( --(?=\s)|$)|(\./)?target/release/detente\b)", "detente", command.strip())
        yield command
        command = ""
    if command:
        raise Failure(f"this command has no end: {command}")


def is_serve(words):
    """Whether a command starts the server: `serve` is what detente does when told nothing else."""
    options = words[1:]
    told = options[0] if options else "serve"
    asks = {"--help", "-h", "--version", "-V"} & set(options)
    return words[0] == "detente" and not asks and (told == "serve" or told.startswith("-"))


# Answers: parsing and comparing


def parse_abridged(text):
    """The JSON values of a text, one after another, in which `...` may stand for what is left out."""
    tokens = re.findall(r'"(?:\\.|[^"\\])*"|\.\.\.|[\[\]{},:]|[^\s\[\]{},:"]+|"', text)
    out, nesting = [], []
    for token, following in zip(tokens, [*tokens[1:], ""]):
        if token == "...":
            before = out[-1] if out else ""
            if nesting and before not in ("[", "{", ",", ":"):
                out.append(",")
            out.append('"...": "..."' if nesting and nesting[-1] == "{" and before != ":" else '"..."')
            if nesting and following not in ("]", "}", ","):
                out.append(",")
            continue
        if token in ("[", "{"):
            nesting.append(token)
        elif token in ("]", "}") and nesting:
            nesting.pop()
        out.append(token)
    rest, values = " ".join(out), []
    try:
        while rest:
            value, end = json.JSONDecoder().raw_decode(rest)
            values.append(value)
            rest = rest[end:].lstrip()
    except json.JSONDecodeError as error:
        raise Failure(f"not JSON: {error}\n{text}") from error
    return values


def wildcard(shown):
    """A pattern for a text in which `...` stands for any text."""
    return ".*".join(re.escape(part) for part in shown.split("..."))


def differences(shown, real, path="answer"):
    """How a real JSON value differs from what README shows of it."""
    if shown == "...":
        return
    if isinstance(shown, dict) and isinstance(real, dict):
        for key, value in shown.items():
            if key == "...":
                continue
            if key in real:
                yield from differences(value, real[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}: shown, but not answered"
    elif isinstance(shown, list) and isinstance(real, list):
        goes_on = bool(shown) and shown[-1] == "..."
        elements = shown[:-1] if goes_on else shown
        if len(elements) > len(real) or (len(elements) < len(real) and not goes_on):
            yield f"{path}: {len(elements)} elements shown, {len(real)} answered"
        for index, (one, other) in enumerate(zip(elements, real)):
            yield from differences(one, other, f"{path}[{index}]")
    elif isinstance(shown, str) and isinstance(real, str):
        if not re.fullmatch(wildcard(shown), real, re.DOTALL):
            yield f"{path}: {shown!r} shown, {real!r} answered"
    # In Python, True == 1: a flag is not a number.
    elif isinstance(shown, bool) != isinstance(real, bool) or shown != real:
        yield f"{path}: {json.dumps(shown)} shown, {json.dumps(real)} answered"


def compare_json(shown, real):
    found = list(differences(shown, real))
    if found:
        answered = "\n".join(json.dumps(value, indent=2, ensure_ascii=False) for value in real)
        raise Failure("\n".join([*found, "the real answer:", answered]))


def compare_text(shown, real):
    shown, real = ([line.rstrip() for line in text.strip("\n").splitlines()] for text in (shown, real))
    pattern = "".join("(?:.*\n)*?" if line.strip() == "..." else wildcard(line) + "\n" for line in shown)
    if not re.fullmatch(pattern, "".join(line + "\n" for line in real)):
        raise Failure("\n".join(difflib.unified_diff(shown, real, "README", "real output", lineterm="")))


def compare_refusal(shown, refused):
    """A refused call against `ERROR:` as grpcurl prints it."""
    shown = shown.strip()
    goes_on = shown.endswith("\n...") or bool(re.search(r"\n\s+\.\.\.$", shown))
    body = re.sub(r"\n\s*\.\.\.$", "", shown) if goes_on else shown
    parts = re.fullmatch(r"ERROR:\s+Code: (\w+)\s+Message: (.*?)(?:\n\s*Details:\n(.*))?", body, re.DOTALL)
    if not parts:
        raise Failure("README's error is not of the form `ERROR:`, `Code:`, `Message:`, `Details:`")
    details = parse_abridged(re.sub(r"(?m)^\s*\d+\)\s", "", parts[3] or "")) + ["..."] * goes_on
    found = [
        *differences(parts[1], refused.code, "Code"),
        *differences(parts[2], refused.message, "Message"),
        *differences(details, refused.details, "Details"),
    ]
    if found:
        raise Failure("\n".join([*found, "the real answer:", str(refused)]))


# Running


class Server:
    """The release binary, serving on a free port."""

    def __init__(self, binary, folder, environment):
        self.binary, self.folder, self.environment = binary, folder, environment
        self.process = self.port = None
        self.log = folder / "server.log"

    def start(self, options=(), extra_environment=None):
        options = [option for option in options if not option.startswith("--listen=")]
        if "--listen" in options:
            at = options.index("--listen")
            del options[at : at + 2]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
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
            (folder / name).symlink_to(ROOT / name)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DETENTE_")}
        path = f"{tools}:{os.environ['PATH']}"
        self.environment = kept | {"PATH": path, "NO_COLOR": "1", "no_proxy": "127.0.0.1,localhost"}
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
            outputs = list(self.outputs(block, example.only_file))
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

    def outputs(self, block, only_file):
        """What each command of a block prints."""
        if block.language == "yaml":
            name = block.first_comment("ya?ml")
            (self.folder / name).write_text(block.text)
            yield ""
        elif block.language == "python":
            name = block.first_comment("py") or "client.py"
            self.ensure_server()
            (self.folder / name).write_text(self.addressed(block.text))
            yield "" if only_file else self.shell(f"python3 {name}")
        else:
            for command in parse_commands(block.text):
                if not NOT_RUN.match(command):
                    yield self.command(command)

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
        if README_ADDRESS in text:
            self.ensure_server()
        return text.replace(README_ADDRESS, f"127.0.0.1:{self.server.port}")

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
        if not plaintext or words[:1] != [README_ADDRESS] or len(words) < 2:
            raise Failure(f"expected `grpcurl -plaintext [OPTIONS] {README_ADDRESS} METHOD`")
        url = f"http://127.0.0.1:{self.server.port}"
        curl = [self.buf, "curl", "--protocol", "grpc", "--http2-prior-knowledge"]
        self.calls += 1

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
        examples = parse_examples(parse_blocks(arguments.readme.read_text()))
    except Failure as failure:
        sys.exit(f"README.md: {failure}")
    if arguments.list:
        for example in examples:
            answer = f"answer at line {example.answer.line}" if example.answer else "no answer shown"
            kind = "file" if example.only_file else example.block.language
            print(f"{example.block.line:5}  {kind:6}  {answer:20}  {summary(example.block)}")
        return

    with tempfile.TemporaryDirectory(prefix="detente-readme-") as folder:
        runner = Runner(arguments.binary.resolve(), arguments.buf, Path(folder))
        try:
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
