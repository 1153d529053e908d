"""README's examples: finds them, and compares the answers that README shows with real ones.

Examples are fenced blocks. The block after a `sh` or `python` block, under the same heading, is its answer if it is
`json` or `text` (or names no language). `<!-- not run: REASON -->` before a block exempts it.

In an answer, `...` stands for what README leaves out:
  json    every key shown must be there with an equal value; keys may be left out. Lists match element by element, and
          end with `...` where the real one goes on. `...` as a value is anything, inside a string any text.
          Several values, as a stream answers, match like a list.
  text    must be the whole output, trailing space aside. `...` alone on a line stands for any lines (or none), within
          a line for any text.
  ERROR:  a text block that starts with `ERROR:` is a refused call as grpcurl prints it: `Code:`, `Message:` and, under
          `Details:`, numbered JSON, matched like json. A last line `...` stands for the details left out.
"""

import difflib
import json
import re
import shlex
from dataclasses import dataclass

# What README may write for `detente`.
BINARY = re.compile(r"^(cargo run( --?[a-z]+)*( --(?=\s)|$)|(\./)?target/release/detente\b)")


class Failure(Exception):
    """An example that does not hold; the text says why."""


class Refused(Exception):
    """A call that was answered with an error."""

    def __init__(self, code, message, details):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.details = code, message, details

    def __str__(self):
        numbered = []
        for number, detail in enumerate(self.details, 1):
            lines = json.dumps(detail, indent=2, ensure_ascii=False).replace("\n", "\n    \t")
            numbered.append(f"  {number})\t{lines}")
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

    def file_name(self):
        """The file as which the block is to be saved, if any: what a first line `# FILE` names."""
        suffix = {"yaml": "ya?ml", "python": "py"}.get(self.language)
        if not suffix or self.exempt:
            return None
        named = re.match(rf"# ([\w-][\w.-]*\.{suffix})\s*\n", self.text)
        if named:
            return named[1]
        return "client.py" if self.language == "python" else None


@dataclass
class Example:
    """A block to run, and the block that shows its answer."""

    block: Block
    answer: Block | None


def parse_blocks(readme):
    """All fenced blocks of a Markdown text, in order."""
    blocks, opened, fence, heading, exempt = [], None, "", 0, None
    for number, line in enumerate(readme.splitlines(), 1):
        if opened and line.strip() == fence:
            blocks.append(opened)
            opened = None
        elif opened:
            opened.text += line + "\n"
        elif start := re.match(r"\s{0,3}(```+)\s*(\w*)", line):
            fence = start[1]
            opened = Block(start[2], "", number, heading, exempt)
            exempt = None
        elif comment := re.match(r"<!-- not run: (.+) -->", line):
            exempt = comment[1]
        elif re.match(r"#{1,6} ", line):
            heading += 1
    if opened:
        raise Failure(f"the block at line {opened.line} has no end")
    return blocks


def parse_examples(blocks):
    """What is to be run, in order. An answer in JSON that no command gives is a failure of README itself."""
    examples, answers = [], set()
    for block, after in zip(blocks, [*blocks[1:], None]):
        if after and after.heading != block.heading:
            after = None
        if block.language in ("sh", "bash", "shell", "python"):
            if block.language == "python" and after and after.language == "sh" and "python" in after.text:
                continue  # that block runs it
            answer = after if after and after.language in ("json", "text", "") else None
            if answer:
                answers.add(answer.line)
            examples.append(Example(block, answer))
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
        yield BINARY.sub("detente", command.strip())
        command = ""
    if command:
        raise Failure(f"this command has no end: {command}")


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
    body, goes_on = re.subn(r"\n\s*\.\.\.$", "", shown.strip())
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
