"""Examples in Markdown pages: finds them, and compares the output that a page shows with the real output.

An example is a fenced `sh` block. The block after it, under the same heading, is the output that the page shows if its
language is `json` or `text`, or if it has none. `<!-- not run: REASON -->` on the line before a block exempts it.

In a shown output, `...` stands for what the page leaves out:
  json    Each key that is shown must be in the real output with an equal value; other keys may be left out. Lists are
          compared element by element, and an abridged list ends with `...`. As a value, `...` matches any value;
          inside a string, it matches any text. The messages of a stream are compared like the elements of a list.
  text    The whole output must be equal, apart from trailing spaces. A line `...` matches any number of lines, also
          none; within a line, `...` matches any text.
  ERROR:  A text block that starts with `ERROR:` is a failed call as grpcurl prints it: `Code:`, `Message:` and, under
          `Details:`, numbered JSON values, which are compared like json. A last line `...` stands for further details.
"""

import difflib
import json
import re
import shlex
from dataclasses import dataclass


class Failure(Exception):
    """An example that does not hold. The text gives the reason."""


# Pages: blocks and commands


@dataclass
class Block:
    """One fenced block of a page."""

    page: str
    line: int
    language: str
    text: str
    heading: int  # the number of headings above the block
    exempt: str | None  # the reason that a `not run` comment gives

    @property
    def place(self):
        return f"{self.page}:{self.line}"

    def file_name(self):
        """The file to save the block as: YAML and Python blocks name it in a first line `# FILE`."""
        suffix = {"yaml": "ya?ml", "python": "py"}.get(self.language)
        if not suffix or self.exempt:
            return None
        named = re.match(rf"# ([\w./-]+\.{suffix})\s*\n", self.text)
        return named[1] if named else None


@dataclass
class Example:
    """A block to run, and the block that shows its output."""

    block: Block
    shown: Block | None


def parse_blocks(page, text):
    """All fenced blocks of a Markdown text, in order."""
    blocks, opened, fence, heading, exempt = [], None, "", 0, None
    for number, line in enumerate(text.splitlines(), 1):
        if opened and line.strip() == fence:
            blocks.append(opened)
            opened = None
        elif opened:
            opened.text += line + "\n"
        elif start := re.match(r"\s{0,3}(```+)\s*(\w*)", line):
            fence = start[1]
            opened = Block(page, number, start[2], "", heading, exempt)
            exempt = None
        elif comment := re.match(r"<!-- not run: (.+) -->", line):
            exempt = comment[1]
        elif re.match(r"#{1,6} ", line):
            heading += 1
    if opened:
        raise Failure(f"{opened.place}: the block has no end")
    return blocks


def parse_examples(blocks):
    """The `sh` blocks of one page, each with its output. JSON that no command prints is a fault of the page."""
    examples, shown = [], set()
    for block, after in zip(blocks, [*blocks[1:], None]):
        if block.language == "sh":
            belongs = after and after.heading == block.heading and after.language in ("json", "text", "")
            examples.append(Example(block, after if belongs else None))
            if belongs:
                shown.add(after.line)
        elif block.language in ("bash", "shell", "console"):
            raise Failure(f"{block.place}: write `sh`; blocks in `{block.language}` are not run")
        elif block.language == "json" and block.line not in shown and not block.exempt:
            raise Failure(f"{block.place}: no command above this JSON prints it")
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
        except ValueError:  # the line ends within quotes
            continue
        yield command.strip()
        command = ""
    if command:
        raise Failure(f"this command has no end: {command}")


# Links


def headings(text):
    """The anchors of a Markdown text's headings, as GitHub makes them."""
    return {
        re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower()).replace(" ", "-")
        for line in re.findall(r"(?m)^#+ .+$", without_blocks(text))
    }


def broken_links(page):
    """The links of a page that lead to a missing file, or to a missing heading of a Markdown file."""
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(page.read_text())):
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        if target.startswith(("http://", "https://")):
            continue
        if not file.exists():
            yield f"{target}: there is no such file"
        elif anchor and file.suffix == ".md" and anchor not in headings(file.read_text()):
            yield f"{target}: the page has no such heading"


def without_blocks(text):
    return re.sub(r"(?ms)^```.*?^```", "", text)


# Outputs: parsing and comparing


def parse_abridged(text):
    """The JSON values of a text, one after the other. `...` may stand for what the text leaves out."""
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


def parse_error(text):
    """A failed call as grpcurl prints it: the code, the message and the details."""
    body, goes_on = re.subn(r"\n\s*\.\.\.$", "", text.strip())
    parts = re.fullmatch(r"ERROR:\s+Code: (\w+)\s+Message: (.*?)(?:\n\s*Details:\n(.*))?", body, re.DOTALL)
    if not parts:
        raise Failure(f"not of the form `ERROR:`, `Code:`, `Message:`, `Details:`:\n{text}")
    details = parse_abridged(re.sub(r"(?m)^\s*\d+\)\s", "", parts[3] or ""))
    return {"Code": parts[1], "Message": parts[2], "Details": details + ["..."] * goes_on}


def wildcard(shown):
    """A pattern for a text in which `...` stands for any text."""
    return ".*".join(re.escape(part) for part in shown.split("..."))


def differences(shown, real, path="output"):
    """How a real JSON value differs from the value that the page shows."""
    if shown == "...":
        return
    if isinstance(shown, dict) and isinstance(real, dict):
        for key, value in shown.items():
            if key == "...":
                continue
            if key in real:
                yield from differences(value, real[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}: the page shows it, the real output lacks it"
    elif isinstance(shown, list) and isinstance(real, list):
        goes_on = bool(shown) and shown[-1] == "..."
        elements = shown[:-1] if goes_on else shown
        if len(elements) > len(real) or (len(elements) < len(real) and not goes_on):
            yield f"{path}: the page shows {len(elements)} elements, the real output has {len(real)}"
        for index, (one, other) in enumerate(zip(elements, real)):
            yield from differences(one, other, f"{path}[{index}]")
    elif isinstance(shown, str) and isinstance(real, str):
        if not re.fullmatch(wildcard(shown), real, re.DOTALL):
            yield f"{path}: the page shows {shown!r}, the real output has {real!r}"
    # In Python, True == 1, but in JSON a flag is not a number.
    elif isinstance(shown, bool) != isinstance(real, bool) or shown != real:
        yield f"{path}: the page shows {json.dumps(shown)}, the real output has {json.dumps(real)}"


def compare_json(shown, real):
    compare_values(parse_abridged(shown), parse_abridged(real), real)


def compare_error(shown, real):
    compare_values(parse_error(shown), parse_error(real), real)


def compare_values(shown, real, output):
    found = list(differences(shown, real))
    if found:
        raise Failure("\n".join([*found, "the real output:", output]))


def compare_text(shown, real):
    shown, real = ([line.rstrip() for line in text.strip("\n").splitlines()] for text in (shown, real))
    pattern = "".join("(?:.*\n)*?" if line.strip() == "..." else wildcard(line) + "\n" for line in shown)
    if not re.fullmatch(pattern, "".join(line + "\n" for line in real)):
        raise Failure("\n".join(difflib.unified_diff(shown, real, "the page", "the real output", lineterm="")))
