#!/usr/bin/env python3
"""Does every `liftlock …` that a document, an answer of the demo model or an error's remedy names exist, with its options, on one of the sides?

    names_test.py LIFTLOCK_LOW LIFTLOCK_HIGH

What exists is what the two programs offer to the shell's completion. Links between documents must lead somewhere, too.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# A user of that name, in `install -o liftlock -g …`, `runuser -u liftlock -- …` and the like.
NO_COMMAND = {"liftlock", "--", "-g"}


def offered(executable):
    """Command path ("liftlock trust") → the words that may follow: subcommands and options."""
    script = subprocess.run([executable, "completion"], check=True, capture_output=True, text=True).stdout
    return {path: set(words.split()) for path, words in re.findall(r"^    '(liftlock[^']*)'\) words='([^']*)' ;;$", script, re.MULTILINE)}


def problem_on(side, words):
    """None when this side has the command, else what is wrong."""
    path = "liftlock"
    known = {"--help", "-h"} | side[path]
    for word in words:
        word = word.rstrip(".,;:)")
        if word == "--":
            break  # what follows are the words of another program
        if word.startswith("--"):
            name = word.split("=")[0]
            if name not in known:
                return f"{path} has no {name}"
        elif f"{path} {word}" in side:
            path += f" {word}"
            known |= side[path]
        elif any(other.startswith(f"{path} ") for other in side) and re.fullmatch(r"[a-z][a-z-]+", word):
            return f"{path} has no command {word}"
    return None


def uses(text):
    """(line, words) of each `liftlock …` in code, inline or in a block."""
    fence = False
    for number, line in enumerate(re.sub(r"\\\n", "  ", text).split("\n"), 1):
        if line.lstrip().startswith("```"):
            fence = not fence
            continue
        spans = [line] if fence else re.findall(r"`([^`]*)`", line)
        for span in spans:
            code = re.split(r"\s#\s", span)[0]
            for command in re.findall(r"(?:^|[\s;&|(])liftlock ([^;&|)]*)", code):
                words = command.split()
                if words and words[0] not in NO_COMMAND:
                    yield number, words


def links(text):
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]


def main():
    sides = [offered(executable) for executable in sys.argv[1:3]]
    documents = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    if not documents:
        documents = [str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]]
    documents.append("models/demo/questions.txt")
    count, failed = 0, False
    for document in documents:
        text = (ROOT / document).read_text()
        for line, words in uses(text):
            count += 1
            problems = [problem_on(side, words) for side in sides]
            if all(problems):
                print(f"{document}:{line}: `liftlock {' '.join(words)}`: {problems[0]}")
                failed = True
        for link in links(text):
            if not (ROOT / document).parent.joinpath(link.split("#")[0]).exists():
                print(f"{document}: the link {link} leads nowhere")
                failed = True
    print(f"{count} commands in {len(documents)} documents")
    sys.exit(1 if failed or not count else 0)


if __name__ == "__main__":
    main()
