#!/usr/bin/env python3
"""Makes src/engine/llama_architectures.def: since which build llama.cpp loads which architecture.

usage: llama_architectures.py CLONE COMMIT > src/engine/llama_architectures.def

CLONE is a clone of llama.cpp's repository with its whole history, COMMIT one of its default branch. A build's number is the
count of commits up to it (`git rev-list --count`, .github/actions/get-tag-name). An architecture is loaded from the first
commit on whose list of names has it and which has a case for it where models or their graphs are made. Names that are in
the list no longer are left out: they were known for a while only.
"""
import re
import subprocess
import sys

FILES = ["llama.cpp", "src/llama.cpp", "src/llama-arch.cpp", "src/llama-model.cpp"]  # the older ones first
MAKES = re.compile(r"\b(llama_build_graph|build_graph|llama_model_mapping)\([^;]*$")  # a definition, on several lines or one
NAME = re.compile(r'\{\s*(LLM_ARCH_\w+)\s*,\s*"([a-z0-9_.-]+)"')


def git(clone, *arguments):
    return subprocess.run(["git", "-C", clone, *arguments], capture_output=True, check=True).stdout.decode(errors="replace")


def read(text):
    """The names by constant, and the constants that models are made of."""
    names, made, place = {}, set(), None
    for line in text.splitlines():
        if "LLM_ARCH_NAMES" in line and line.rstrip().endswith("{"):
            place = "names"
        elif line and line[0] not in " }" and MAKES.search(line):
            place = "made"
        elif line.startswith("}"):
            place = None
        elif place == "names" and (found := NAME.search(line)):
            names[found[1]] = found[2]
        elif place == "made":
            made.update(re.findall(r"case (LLM_ARCH_\w+)\s*:", line))
    return names, made


def main(clone, tip):
    known, first, now = {}, {}, {}
    for commit in git(clone, "log", "--first-parent", "--reverse", "--format=%H", tip, "--", *FILES).split():
        now, made = {}, set()
        for line in git(clone, "ls-tree", commit, *FILES).splitlines():
            blob = line.split()[2]
            if blob not in known:
                known[blob] = read(git(clone, "cat-file", "blob", blob))
            now |= known[blob][0]
            made |= known[blob][1]
        for constant, name in now.items():
            if constant in made:
                first.setdefault(name, commit)
    facts = lambda commit: (git(clone, "rev-list", "--count", commit).strip(),
                            git(clone, "log", "-1", "--format=%cd", "--date=short", commit).strip())
    build, date = facts(tip)
    print("// Since which build llama.cpp loads which architecture: its name, the build, the day. Made by\n"
          f"// tools/llama_architectures.py of llama.cpp's history up to {git(clone, 'rev-parse', tip).strip()}.\n"
          f'LIFTLOCK_LLAMA_HISTORY_ENDS({build}, "{date}")')
    for name in sorted(set(now.values()) - {"clip"}):  # that one is a name for projectors, which are loaded with models
        if name in first:
            print('LIFTLOCK_LLAMA_ARCHITECTURE("%s", %s, "%s")' % (name, *facts(first[name])))


if __name__ == "__main__":
    main(*sys.argv[1:])
