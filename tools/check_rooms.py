#!/usr/bin/env python3
"""Checks that every room includes only what its DEPENDS allow, that dependencies point downwards, and that no two types
share a name: the linker would take the code of one for both, and says nothing."""
import collections
import json
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
NOT_CODE = re.compile(r'R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'|//[^\n]*|/\*.*?\*/', re.S)
SCOPE = re.compile(r"\bnamespace\s*([\w:]*)\s*\{|\b(?:struct|class|union)\s+(?:\[\[\w+\]\]\s*)?([\w:]+)(?:\s+final)?(?:\s*:[^;{]*)?\s*\{|[{}]")


def types_in(text):
    """The full names of the types that a file defines in a namespace which other files see."""
    scopes = []
    for found in SCOPE.finditer(NOT_CODE.sub(" ", text)):
        if found[0] == "}":
            if scopes:
                scopes.pop()
        elif found[0] == "{":
            scopes.append(None)
        elif found[0].startswith("namespace"):
            scopes.append(found[1] or None)  # nobody else sees what has no name
        else:
            if None not in scopes:
                yield "::".join(scopes + [found[2]])
            scopes.append(None)


def main(root: pathlib.Path, rooms_file: pathlib.Path) -> int:
    rooms = {room["name"]: room for room in json.loads(rooms_file.read_text())}
    problems = []

    def reach(name):
        seen, todo = set(), [name]
        while todo:
            for dep in rooms[todo.pop()]["depends"]:
                if dep not in seen:
                    seen.add(dep)
                    todo.append(dep)
        return seen

    listed = set()
    for room in rooms.values():
        for dep in room["depends"]:
            other = rooms[dep]
            if other["rank"] >= room["rank"] and other["folder"] != room["folder"]:
                problems.append(f'{room["name"]} (rank {room["rank"]}) depends on {dep} (rank {other["rank"]})')
            if other["side"] != "both" and other["side"] != room["side"]:
                problems.append(f'{room["name"]} (side {room["side"]}) depends on {dep} (side {other["side"]})')
        reachable = reach(room["name"]) | {room["name"]}
        headers = {f'{rooms[name]["folder"]}/{file}' for name in reachable for file in rooms[name]["files"]}
        for file in room["files"]:
            path = root / "src" / room["folder"] / file
            listed.add(path)
            for include in INCLUDE.findall(path.read_text()):
                if include not in headers:
                    problems.append(f'{path.relative_to(root)} includes "{include}", which {room["name"]} may not see')

    for path in sorted((root / "src").rglob("*.[ch]pp")):
        if path not in listed and path.name != "main.cpp":
            problems.append(f"{path.relative_to(root)} belongs to no room: list it under SOURCES, HEADERS, TESTS or FUZZERS")
    defined = collections.defaultdict(list)
    for path in sorted(listed):
        for name in types_in(path.read_text()):
            defined[name].append(str(path.relative_to(root)))
    problems += [f"{name} is defined in {' and in '.join(files)}" for name, files in defined.items() if len(files) > 1]
    for problem in problems:
        print(problem)
    print(f"{len(rooms)} rooms, {len(listed)} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])))
