#!/usr/bin/env python3
"""kinds_table.py CLIENTS README: writes the table of kinds into the README, with the clients that tests really used.

CLIENTS is what the tests wrote while they ran with LIFTLOCK_CLIENTS=CLIENTS: KIND, client and version, separated by tabs, one line
for each client that took a thing of this kind (tests/interop/crossing_machines.sh: tested). `make kinds` does all of it.
"""
import pathlib
import re
import sys

BEGIN, END = "<!-- kinds: made by `make kinds` from the tests that ran -->\n", "<!-- end of kinds -->\n"
# kind, how it is collected, what is checked of it, how it is served or used
ROWS = [
    ("python", "`[python.…]`, by your pip", "name, RECORD, metadata, closure, install", "`/simple/` (PEP 503, 691, 658)"),
    ("apt", "`[apt.…]`, our solver", "signature → index → .deb, control, paths", "`/debian/`, signed InRelease"),
    ("rpm", "`[rpm.…]`, solved by your dnf", "signatures → index → .rpm, header, payload", "`/rpm/`, signed repomd.xml"),
    ("image", "`[image.…]`, registries, archives, layouts", "every manifest, config and layer", "`/v2/` (OCI distribution)"),
    ("npm", "`[npm.…]`, package-lock.json", "integrity, package.json, paths", "`/npm/`, registry API"),
    ("cargo", "`[cargo.…]`, Cargo.lock; vendor trees", "checksum, Cargo.toml, paths", "`/cargo/`, sparse index"),
    ("go", "`[go.…]`, go.mod and go.sum", "h1 hash, go.mod, paths", "`/go/`, GOPROXY"),
    ("git", "`[git.…]`, by git itself", "every object, delta and link; refs; git's own fsck", "`/git/`, smart HTTP"),
    ("maven", "`[maven.…]`", "checksums, coordinates", "`/maven/`, repository layout"),
    ("helm", "`[chart.…]`, repositories, URLs, files", "Chart.yaml, paths, digest of the index", "`/charts/`, index.yaml; `/v2/charts/` (OCI)"),
    ("model", "`[model.…]`, files, URLs, Hub, Ollama stores and registries", "GGUF, safetensors, ONNX; shards, indexes", "gateway; load gate"),
    ("hub", "the same; `[dataset.…]`", "the same; parquet, csv, no programs", "`/hf/`, Hugging Face Hub API; cache folder"),
    ("ollama", "the same", "the same", "Ollama's pull protocol; store folder"),
    ("modelpack", "the same", "the same", "`/v2/modelpack/`, OCI artifacts (CNCF ModelPack)"),
    ("engine", "`[engine.…]`, Debian closures, archives", "programs, libraries, `--help` probed", "sandboxed, no network"),
    ("advisories", "`[advisories.…]`, OSV exports", "every record", "`liftlock report`"),
    ("file", "`[file.…]`", "digest, path", "`liftlock export`"),
]


def clients(path):
    seen = {}
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        kind, client, version = line.split("\t")
        seen.setdefault(kind, {})[client] = version
    unknown = seen.keys() - {row[0] for row in ROWS}
    if unknown:
        sys.exit(f"no row for {sorted(unknown)}")
    return seen


def main():
    seen = clients(sys.argv[1])
    lines = ["| kind | collected | checked | served | taken by, in the tests |", "|---|---|---|---|---|"]
    for kind, collected, checked, served in ROWS:
        taken = ", ".join(f"{client} {version}" for client, version in sorted(seen.get(kind, {}).items()))
        lines.append(f"| {kind} | {collected} | {checked} | {served} | {taken or '–'} |")
    readme = pathlib.Path(sys.argv[2])
    text = readme.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        sys.exit(f"{readme} has no place for the table")
    table = BEGIN + "\n".join(lines) + "\n" + END
    readme.write_text(re.sub(re.escape(BEGIN) + ".*?" + re.escape(END), lambda _: table, text, flags=re.S), encoding="utf-8")


main()
