#!/usr/bin/env python3
"""Runs what README.md and the guides show, as a reader would, in a sandbox (sandbox.sh).

    docs_test.py LIFTLOCK_LOW LIFTLOCK_HIGH [--online] [--root REPOSITORY] DOCUMENT…

Every fenced block has a language. A block of shell (`sh`, `console`) has an HTML comment just before it, which says what
becomes of it:

    <!-- run: low -->            run it on the low side's machine; also `high`, and any other name for one more machine of
                                 the low side; `low online` for what needs upstreams; `high root` for what only the
                                 machine's own root can do: without it, the document is left out
    <!-- not run: why -->        it is only shown

A block of another language may be what the reader writes to a file of a side, or appends to it:

    <!-- file: low liftlock.toml -->        <!-- append: high /var/lib/liftlock/config.toml -->

What a reader has or hears, and a document does not show, stands in comments of their own:

    <!-- given low: COMMANDS -->            a file to carry, an index to ask; may take several lines
    <!-- told high: NAME=low: COMMAND -->   NAME becomes what COMMAND prints on the low side: a digest on the telephone

In `sh` blocks each command must succeed, but for a line that ends in `# refused: CODE`: that one must fail with this code.
In `console` blocks the lines after `$ COMMAND` are its output; times, numbers and digests may differ, `…` stands for
anything in a line, and a line of `…` for any lines. A block that leaves `liftlock serve` or `engine run` in the background
is over when that one answers.

Without --online, blocks that need upstreams are counted and left out; with it, only documents that have some are run.
Exit status 77: there is nothing to run here.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

SHELL = ("sh", "console")
DIRECTIVES = ("run", "not run", "file", "append", "given", "told")


class Block:
    """A fence or a directive of its own (`given`, `told`), with the line where it stands."""

    def __init__(self, line, language, text, directive, argument):
        self.line, self.language, self.text = line, language, text
        self.directive, self.argument = directive, argument


class Failure(Exception):
    pass


def parse(document):
    """The document's blocks in order. Raises Failure where a block is not accounted for."""
    lines = document.read_text().split("\n")
    blocks, comment, i = [], None, 0
    while i < len(lines):
        line = lines[i]
        if line.startswith("<!--"):
            begin = i
            while "-->" not in lines[i]:
                i += 1
            text = "\n".join(lines[begin : i + 1])[4:].rsplit("-->", 1)[0].strip()
            word, _, argument = text.partition(":")
            kind = word.split(" ")[0] if word.startswith(("given", "told")) else word
            if kind in ("given", "told"):
                blocks.append(Block(begin + 1, None, argument.strip(), kind, word.partition(" ")[2]))
            elif kind in DIRECTIVES:
                comment = (kind, argument.strip())
        elif match := re.match(r"( *)```(\S*)", line):
            begin, indent = i, match[1]
            i += 1
            body = []
            while not lines[i].startswith(indent + "```"):
                body.append(lines[i][len(indent) :])
                i += 1
            language = match[2]
            directive, argument = comment or (None, "")
            if not language:
                raise Failure(f"{document}:{begin + 1}: the block has no language")
            if language in ("bash", "shell", "zsh"):
                raise Failure(f"{document}:{begin + 1}: a block of shell is called sh here, or it would not be run")
            if language in SHELL and directive not in ("run", "not run"):
                raise Failure(f"{document}:{begin + 1}: the block is neither run, nor does it say why not")
            if directive == "not run" and not argument:
                raise Failure(f"{document}:{begin + 1}: the block is not run and does not say why")
            blocks.append(Block(begin + 1, language, "\n".join(body) + "\n", directive, argument))
            comment = None
        elif line.strip():
            if comment:
                raise Failure(f"{document}:{i + 1}: a directive stands just before its block")
        i += 1
    return blocks


def in_kind(text):
    """What remains of a line when everything that differs from run to run is taken out."""
    text = re.sub(r"\b[0-9a-f]{4}( [0-9a-f]{4}){7,}\b", "HEX", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
    # A digest may have no digit at all; a short word of such letters is none.
    text = re.sub(r"(?i)\b(?:(?=[0-9a-f]*\d)[0-9a-f]{8,}|[0-9a-f]{12,})\b", "HEX", text)
    text = re.sub(r"\d+(\.\d+)*", "N", text)
    return re.sub(r"\s+", " ", text).strip()


def same_kind(shown, actual):
    """None, or the first line of `shown` that is not met."""
    shown = [line for line in shown if line.strip()]
    actual = [in_kind(line) for line in actual if line.strip()]
    at, skipping = 0, False
    for line in shown:
        if line.strip() == "…":
            skipping = True
            continue
        pattern = re.compile(".*".join(re.escape(part) for part in in_kind(line).split("…")))
        while at < len(actual) and skipping and not pattern.fullmatch(actual[at]):
            at += 1
        if at == len(actual) or not pattern.fullmatch(actual[at]):
            return line
        at, skipping = at + 1, False
    return None if at == len(actual) or skipping else f"(nothing more, but there is: {actual[at]})"


class Machine:
    """One side: a shell in a sandbox that keeps its variables, its folder and its background processes."""

    def __init__(self, side, executable, work, root, network):
        self.side, self.count = side, 0
        self.exchange = work / f"exchange-{side}"
        self.exchange.mkdir()
        medium = work / "medium"
        medium.mkdir(exist_ok=True)
        script = pathlib.Path(__file__).with_name("sandbox.sh")
        mode = "ro" if side == "high" else "rw"
        self.shell = subprocess.Popen(
            ["bash", script, executable, medium, self.exchange, root, mode, network],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, commands, where, timeout=900):
        """Standard output and error of the commands. Raises Failure when one of them fails."""
        self.count += 1
        name = f"{self.count:03}"
        script, output, error = (self.exchange / f"{name}.{end}" for end in ("sh", "out", "err"))
        trap = "trap 'echo \"the command that failed: $BASH_COMMAND\" >&2' ERR"
        script.write_text(f"set -eEmuo pipefail\n{trap}\n{commands}")  # -m: job control, as in a terminal
        inside = f"/run/docs-test/{name}"
        try:
            self.shell.stdin.write(f". {inside}.sh </dev/null >{inside}.out 2>{inside}.err\necho done\n")
            self.shell.stdin.flush()
            answer = self.shell.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            if self.shell.wait() == 77:
                print(f"skipped: {self.shell.stderr.read().strip()}")
                sys.exit(77)
            said = "".join(part.read_text(errors="replace") for part in (output, error) if part.exists())
            raise Failure(f"{where}, on the {self.side} side:\n{commands}--\n{said}{self.shell.stderr.read()}")
        self.wait_for_services(commands, output, where)
        return output.read_text(errors="replace"), error.read_text(errors="replace")

    def wait_for_services(self, commands, output, where):
        services = [word for pattern, word in ((r"liftlock.* serve\b.*&\s*(#.*)?$", "listening on"), (r"engine run\b.*&\s*(#.*)?$", "ready: "))
                    for _ in re.findall(pattern, commands, re.MULTILINE)]
        deadline = time.monotonic() + 300
        for word in services:
            while output.read_text(errors="replace").count(word) < services.count(word):
                if time.monotonic() > deadline:
                    raise Failure(f"{where}: '{word}' did not appear\n{output.with_suffix('.err').read_text()}")
                time.sleep(0.05)

    def close(self):
        self.shell.stdin.close()
        try:
            self.shell.wait(10)
        except subprocess.TimeoutExpired:
            self.shell.kill()
            self.shell.wait()


REFUSED = """if said=$( {{ {command}
}} 2>&1 ); then echo "this was accepted: {plain}" >&2; false; fi
grep -q "\\[{code}\\]" <<< "$said" || {{ echo "refused otherwise than {code}: $said" >&2; false; }}
"""


def with_refusals(text):
    """Turns `COMMAND # refused: CODE` into a check that it is."""
    out = ""
    for line in text.splitlines():
        if match := re.match(r"(.*?)\s+# refused: ([a-z-]+)\s*$", line):
            plain = re.sub(r"[\"$`\\]", "", match[1])
            out += REFUSED.format(command=match[1], plain=plain, code=match[2])
        else:
            out += line + "\n"
    return out


def run_console(machine, block, where):
    steps, current = [], None
    for line in block.text.splitlines():
        if line.startswith("$ "):
            current = (line[2:], [])
            steps.append(current)
        elif current and not current[1] and current[0].endswith("\\"):
            steps[-1] = current = (current[0] + "\n" + line, [])
        elif current:
            current[1].append(line)
    for command, shown in steps:
        out, _ = machine.run(f"{command}\n", where)
        missed = same_kind(shown, out.splitlines())
        if missed is not None:
            raise Failure(f"{where}: the output of `{command}` differs at: {missed}\nit is:\n{out}")


class Run:
    def __init__(self, options, document, work):
        self.options, self.document, self.work = options, document, work
        self.machines = {}

    def machine(self, side):
        if side not in self.machines:
            # Only the low side ever has a network.
            network = "online" if self.options.online and side == "low" else "offline"
            executable = self.options.high if side == "high" else self.options.low
            self.machines[side] = Machine(side, executable, self.work, self.options.root, network)
        return self.machines[side]

    def handle(self, block):
        """What became of the block, for the count; None for what is no block of shell."""
        where = f"{self.document}:{block.line}"
        words = block.argument.split()
        left_out = block.directive in ("run", "given", "told") and "online" in words and not self.options.online
        if left_out:
            return "left to the online test" if block.directive == "run" else None
        if block.directive == "given":
            self.machine(words[0]).run(block.text + "\n", where)
        elif block.directive == "told":
            name, _, rest = block.text.partition("=")
            side, _, command = rest.partition(":")
            value = self.machine(side.strip()).run(command.strip() + "\n", where)[0].strip()
            self.machine(words[0]).run(f"{name}='{value}'\n", where)
        elif block.directive in ("file", "append"):
            side, path = words
            arrow = ">" if block.directive == "file" else ">>"
            self.machine(side).run(f"cat {arrow} {path} <<'END OF FILE'\n{block.text}END OF FILE\n", where)
        elif block.directive == "not run":
            return f"not run: {block.argument}"
        elif block.directive == "run":
            if block.language == "console":
                run_console(self.machine(words[0]), block, where)
            else:
                self.machine(words[0]).run(with_refusals(block.text), where)
            return "run"
        return None


def run_document(options, document):
    blocks = parse(document)
    is_online = any(block.directive == "run" and "online" in block.argument.split() for block in blocks)
    if options.online and not is_online:
        return None
    if os.geteuid() != 0 and any("root" in block.argument.split() for block in blocks if block.directive in ("run", "given")):
        return {"left out: this document needs root": len([block for block in blocks if block.language in SHELL])}
    with tempfile.TemporaryDirectory() as work:
        run = Run(options, document.relative_to(options.root), pathlib.Path(work))
        counts = {}
        try:
            for block in blocks:
                if (fate := run.handle(block)) is not None:
                    counts[fate] = counts.get(fate, 0) + 1
        finally:
            for machine in run.machines.values():
                machine.close()
    return counts


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("low", type=pathlib.Path)
    arguments.add_argument("high", type=pathlib.Path)
    arguments.add_argument("documents", nargs="+", type=pathlib.Path)
    arguments.add_argument("--online", action="store_true")
    arguments.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    options = arguments.parse_args()
    failed = False
    for document in options.documents:
        name = document.resolve().relative_to(options.root)
        try:
            counts = run_document(options, document.resolve())
        except Failure as failure:
            print(f"FAILED {failure}\n")
            failed = True
            continue
        if counts is not None:
            print(f"{name}: {counts.pop('run', 0)} blocks run")
            for fate, count in sorted(counts.items()):
                print(f"    {count} {fate}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
