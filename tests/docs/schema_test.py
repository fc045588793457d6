#!/usr/bin/env python3
"""Do the JSON Schemas of docs/formats/schema say what the program writes and refuses, and do the worked examples fit them?

    schema_test.py LIFTLOCK_LOW

Every `json` block of docs/formats/*.md has a comment just before it, `<!-- schema: FILE#POINTER -->` or `<!-- no schema: why -->`.
"""
import base64
import copy
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parents[2]
FORMATS = ROOT / "docs/formats"
problems = []
checks = 0


def check(fact, what):
    global checks
    checks += 1
    if not fact:
        problems.append(what)


def validator(reference):
    """"bundle.schema.json#/$defs/file" as a validator."""
    name, _, pointer = reference.partition("#")
    document = json.loads((FORMATS / "schema" / name).read_text())
    jsonschema.Draft202012Validator.check_schema(document)
    if pointer:
        part = document
        for key in pointer.strip("/").split("/"):
            part = part[key]
        document = dict(part, **{"$schema": document["$schema"], "$defs": document["$defs"]})
    return jsonschema.Draft202012Validator(document)


def complaints(reference, document):
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in validator(reference).iter_errors(document)]


def check_valid(reference, document, what):
    found = complaints(reference, document)
    check(not found, f"{what} does not fit {reference}: {found[:3]}")


def check_examples():
    for page in sorted(FORMATS.glob("*.md")):
        text = page.read_text()
        for fence in re.finditer(r"((?:^<!--.*?-->\n)?)^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            where = f"{page.name}:{text.count(chr(10), 0, fence.start()) + 1}"
            comment = re.match(r"<!-- (no schema|schema): (.*?) -->", fence[1])
            check(comment, f"{where}: the example names no schema")
            try:
                document = json.loads(fence[2])
            except ValueError as error:
                check(False, f"{where}: {error}")
                continue
            if comment and comment[1] == "schema":
                check_valid(comment[2], document, f"{where}: the example")


class Program:
    def __init__(self, executable, work):
        self.executable, self.work = executable, work
        self.environment = dict(os.environ, LIFTLOCK_STATE=str(work / "state"), PIP_NO_INDEX="1", PIP_FIND_LINKS=str(work / "wheels"),
                                PIP_CONFIG_FILE="/dev/null", GNUPGHOME=str(work / "gnupg"))

    def try_run(self, *arguments):
        return subprocess.run([self.executable, "--quiet", *map(str, arguments)], cwd=self.work, env=self.environment, text=True,
                              capture_output=True, stdin=subprocess.DEVNULL)

    def __call__(self, *arguments):
        done = self.try_run(*arguments)
        if done.returncode != 0:
            sys.exit(f"liftlock {' '.join(map(str, arguments))}: {done.stderr}")
        return done.stdout


STACK = """[stack]
name = "demo"
[python.tools]
requirements = ["example"]
[model.tiny]
source = "tiny.gguf"
license = "CC0-1.0"
[file.notes]
source = "notes.txt"
"""


def make_documents(liftlock, work):
    """Everything the program writes that has a schema, in as many shapes as are cheap."""
    tools = ROOT / "tests/tools"
    subprocess.run([sys.executable, tools / "make_wheel.py", work / "wheels", "example", "1.0"], check=True)
    subprocess.run([sys.executable, tools / "make_model.py", "gguf", work / "tiny.gguf"], check=True, stdout=subprocess.DEVNULL)
    (work / "notes.txt").write_text("carried\n")
    (work / "liftlock.toml").write_text(STACK)
    liftlock("init", "--zone", "low")
    for role, name in (("root", "root"), ("builder", "builder"), ("approver", "ada"), ("scanner", "scanner")):
        liftlock("trust", "keygen", "--role", role, "--out", f"{name}.pem", *(("--type", "ed25519") if name == "ada" else ()))
    gnupg = work / "gnupg"
    gnupg.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", gnupg, "--batch", "--quiet"]
    subprocess.run([*gpg, "--passphrase", "", "--quick-generate-key", "Eve <eve@example.invalid>", "ed25519", "sign", "never"], check=True)
    keys = subprocess.run([*gpg, "--with-colons", "--list-keys"], check=True, capture_output=True, text=True).stdout
    eve = re.search(r"^fpr:+([0-9A-F]{40}):", keys, re.MULTILINE)[1]
    subprocess.run(["gpgconf", "--homedir", gnupg, "--kill", "all"], check=False)
    liftlock("trust", "init", "--organisation", "Example", "--root-key", "root.pem", "--add", "builder:builder.pem.pub", "--expires", "365d")
    signed = ("--root-key", "root.pem")
    liftlock("trust", "add-key", "ada.pem.pub", "--role", "approver", "--owner", "Ada", "--key-expires", "90d", *signed)
    liftlock("trust", "add-key", f"gpg:{eve}", "--role", "approver", *signed)
    liftlock("trust", "threshold", "approver", "1", *signed)
    liftlock("trust", "revoke", "Ada", "--reason", "laptop stolen", *signed)
    liftlock("lock")
    liftlock("fetch")
    liftlock("pack", "--output", "one")
    liftlock("pack", "--output", "three", "--form", "tar", "--sequence", "3", "--pending", "2", "--expires", "90d")


def payload(statement):
    return json.loads(base64.b64decode(json.loads(statement)["payload"]))


def without(document, path):
    document = copy.deepcopy(document)
    place = document
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return document


def with_unknown(document, path):
    document = copy.deepcopy(document)
    place = document
    for key in path:
        place = place[key]
    place["unheard_of"] = 1
    return document


def required_paths(document, paths):
    """Each member of the objects at `paths`, as the schema's `required` names them."""
    for path, required in paths:
        place = document
        for key in path:
            place = place[key]
        for key in required:
            check(key in place, f"the program does not write {key}")
            yield (*path, key)


def check_both_refuse(reference, document, path, refused_by_program):
    name = "/".join(map(str, path))
    broken = without(document, path)
    check(complaints(reference, broken), f"{reference} accepts a document without {name}")
    check(refused_by_program(broken), f"the program accepts a document without {name} ({reference})")


def check_bundle(liftlock, work):
    reference = "bundle.schema.json"
    schema = validator(reference).schema
    for name in ("one", "three"):
        document = json.loads((work / name / "manifest/bundle.json").read_text())
        check_valid(reference, document, f"bundle.json of {name}")
        for line in (work / name / "manifest/files.jsonl").read_text().splitlines():
            check_valid(f"{reference}#/$defs/file", json.loads(line), "a line of files.jsonl")
        for line in (work / name / "manifest/artifacts.jsonl").read_text().splitlines():
            check_valid("lock.schema.json#/$defs/artifact", json.loads(line), "a line of artifacts.jsonl")
    manifest = work / "one/manifest/bundle.json"
    original = manifest.read_text()
    document = json.loads(original)

    def refused(broken):
        manifest.write_text(json.dumps(broken))
        return liftlock.try_run("inspect", "one").returncode != 0

    some = "manifest/files.jsonl"
    objects = [((), schema["required"]), (("content",), schema["properties"]["content"]["required"]),
               (("lists",), schema["properties"]["lists"]["required"]), (("lists", some), ["size", "digests"]),
               (("lists", some, "digests"), ["sha256"])]
    for path in required_paths(document, objects):
        check_both_refuse(reference, document, path, refused)
    # The format's rule: what a reader does not know is ignored, unless `critical` names it. A list is another matter.
    ignored = with_unknown(document, ())
    check(not complaints(reference, ignored) and not refused(ignored), "an unknown member of bundle.json must be ignored")
    named = dict(ignored, critical=["unheard_of"])
    check(complaints(reference, named) and refused(named), "an unknown member that is critical must be refused")
    listed = copy.deepcopy(document)
    listed["lists"]["unheard_of"] = document["lists"][some]
    check(complaints(reference, listed) and refused(listed), "a list of another name must be refused")
    for key, value in (("sequence", 0), ("sequence", "1"), ("channel", "a/b"), ("format", "liftlock.bundle/2"), ("min_reader", 3),
                       ("creation_date", "yesterday"), ("pending", ["1"]), ("stack", "x" * 257), ("expires", 3), ("lock", "x")):
        broken = dict(document, **{key: value})
        check(complaints(reference, broken), f"{reference} accepts {key} = {value!r}")
        check(refused(broken), f"the program accepts {key} = {value!r} in bundle.json")
    manifest.write_text(original)
    check(liftlock.try_run("inspect", "one").returncode == 0, "the untouched bundle")


def check_lock(liftlock, work):
    reference = "lock.schema.json"
    schema = validator(reference).schema
    file = work / "liftlock.lock"
    original = file.read_text()
    document = json.loads(original)
    check_valid(reference, document, "liftlock.lock")
    example = re.search(r"^```json\n(.*?)^```", (FORMATS / "lock.md").read_text(), re.MULTILINE | re.DOTALL)[1]
    (work / "example.lock").write_text(example)
    read = liftlock.try_run("diff", "example.lock", "example.lock")
    check(read.returncode == 0, f"the program does not read the example of lock.md: {read.stderr}")

    def refused(broken):
        # In the one form that a lock has, with a fitting `content`, so that only its members can be what is refused.
        rest = {key: value for key, value in broken.items() if key != "content"}
        if "content" in broken:
            line = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            rest["content"] = "sha256:" + subprocess.run(["sha256sum"], input=line, text=True, capture_output=True, check=True).stdout[:64]
        file.write_text(json.dumps(rest, sort_keys=True, indent=2, ensure_ascii=False) + "\n")
        return liftlock.try_run("diff", file, file).returncode != 0

    check(not refused(document), "the lock, written again by the test")
    entry = ("entries", 0)
    artifact = (*entry, "artifacts", 0)
    one_file = (*artifact, "files", 0)
    defs = schema["$defs"]
    objects = [((), schema["required"]), (entry, defs["entry"]["required"]), (artifact, defs["artifact"]["required"]),
               (one_file, defs["file"]["required"]), ((*one_file, "digests"), ["sha256"]), ((*one_file, "evidence", 0), ["type"])]
    for path in required_paths(document, objects):
        check_both_refuse(reference, document, path, refused)
    for path, _ in objects[:4]:
        broken = with_unknown(document, path)
        where = "/".join(map(str, path)) or "the top level"
        check(complaints(reference, broken), f"{reference} accepts an unknown key at {where}")
        check(refused(broken), f"the program accepts an unknown key at {where} of the lock")
    file.write_text(original)


def check_root(liftlock, work):
    reference = "root.schema.json"
    schema = validator(reference).schema
    statements = sorted((work / "state/trust").glob("*.root.json"), key=lambda path: int(path.name.split(".")[0]))
    check(len(statements) == 5, f"{len(statements)} root statements")
    for statement in statements:
        check_valid(reference, payload(statement.read_text()), statement.name)
    envelope = json.loads(statements[-1].read_text())
    document = payload(statements[-1].read_text())
    file = work / "changed.root.json"

    def refused(broken):
        file.write_text(json.dumps(dict(envelope, payload=base64.b64encode(json.dumps(broken).encode()).decode())))
        return liftlock.try_run("trust", "show", file).returncode != 0

    check(not refused(document), "the statement, written again by the test")
    revoked = next(key for key, value in document["keys"].items() if "revoked" in value)
    objects = [((), schema["required"]), (("thresholds",), ["root", "builder"]),
               (("keys", revoked), schema["$defs"]["key"]["required"]), (("keys", revoked, "revoked"), ["since", "reason"])]
    for path in required_paths(document, objects):
        check_both_refuse(reference, document, path, refused)
    ignored = with_unknown(document, ())
    check(not complaints(reference, ignored) and not refused(ignored), "an unknown member of a root statement must be ignored")
    for path in (("thresholds",), ("keys",)):
        broken = with_unknown(document, path)
        check(complaints(reference, broken) and refused(broken), f"an unknown {path[0]} entry must be refused")
    for key, value in (("version", 0), ("type", "root"), ("organisation", ""), ("created", "now"), ("critical", "x")):
        broken = dict(document, **{key: value})
        check(complaints(reference, broken), f"{reference} accepts {key} = {value!r}")
        check(refused(broken), f"the program accepts {key} = {value!r} in a root statement")


def main():
    check_examples()
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        liftlock = Program(pathlib.Path(sys.argv[1]).resolve(), work)
        make_documents(liftlock, work)
        check_bundle(liftlock, work)
        check_lock(liftlock, work)
        check_root(liftlock, work)
    for problem in problems:
        print(f"FAILED {problem}")
    print(f"{checks} checks, {len(problems)} failed")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
