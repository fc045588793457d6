#!/usr/bin/env python3
"""make_crates.py FOLDER BASE_URL: a made-up sparse registry in FOLDER, for `python3 -m http.server` (or file:) at BASE_URL.

Its crates build with nothing but rustc: a library with features, a crate under another name, a procedural macro, what a build
script needs, and one that only Windows takes. FOLDER/Cargo.lock names them all. Python standard library only. It stands in for a registry on the internet, which
a test without a network cannot have.
"""
import gzip
import hashlib
import io
import json
import pathlib
import sys
import tarfile

ROOT, BASE = pathlib.Path(sys.argv[1]), sys.argv[2].rstrip("/")
CRATES = [
    ("plainlib", "1.0.0", "", [], {"default": ["std"], "std": [], "loud": []},
     'pub fn word() -> &\'static str { if cfg!(feature = "loud") { "LOUD" } else { "quiet" } }\n'),
    ("plainlib", "2.0.0", "", [], {}, "pub fn word() -> &'static str { \"newer\" }\n"),
    ("Mixed_Case", "0.1.0-beta.1+build.5", "", [{"name": "old-plain", "package": "plainlib", "req": "^1.0"}], {"extra": ["dep:maybe"]},
     "pub fn both() -> String { format!(\"mixed {}\", old_plain::word()) }\n"),
    ("maybe", "0.3.0", "", [], {}, "pub fn unused() {}\n"),
    ("onlywin", "0.1.0", "", [], {}, "compile_error!(\"for Windows only\");\n"),
    ("makes-code", "1.2.3", "[lib]\nproc-macro = true\n", [], {},
     "use proc_macro::TokenStream;\n#[proc_macro]\npub fn answer(_: TokenStream) -> TokenStream { \"42\".parse().unwrap() }\n"),
    ("build-helper", "0.9.1", "", [], {}, "pub fn emit() { println!(\"cargo:rustc-env=FROM_BUILD=built\"); }\n"),
    ("abc", "1.0.0", "", [{"name": "makes-code", "req": "1"}, {"name": "onlywin", "req": "0.1", "target": "cfg(windows)"}], {},
     "pub fn abc() -> i32 { makes_code::answer!() }\n"),
    ("x", "1.0.0", "", [{"name": "abc", "req": "=1.0.0"}], {}, "pub fn x() -> i32 { abc::abc() }\n"),
]
CRATES[2][3].append({"name": "maybe", "req": "0.3", "optional": True})


def index_path(name):
    low = name.lower()
    return {1: f"1/{low}", 2: f"2/{low}", 3: f"3/{low[:1]}/{low}"}.get(len(low), f"{low[:2]}/{low[2:4]}/{low}")


def manifest(name, version, more, deps, features):
    out = f'[package]\nname = "{name}"\nversion = "{version}"\nedition = "2021"\nlicense = "MIT"\n' + more
    for dep in deps:
        table = f"target.'{dep['target']}'.dependencies" if "target" in dep else "dependencies"
        out += f"[{table}.{dep['name']}]\nversion = \"{dep['req']}\"\n"
        out += f"package = \"{dep['package']}\"\n" if "package" in dep else ""
        out += "optional = true\n" if dep.get("optional") else ""
    if features:
        out += "[features]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in features.items())
    return out


def crate(name, version, files):
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.GNU_FORMAT) as out:
        for path, text in files.items():
            info = tarfile.TarInfo(f"{name}-{version}/{path}")
            info.size = len(text.encode())
            out.addfile(info, io.BytesIO(text.encode()))
    return gzip.compress(tar.getvalue(), mtime=0)


(ROOT / "crates").mkdir(parents=True, exist_ok=True)
(ROOT / "index").mkdir(exist_ok=True)
(ROOT / "index/config.json").write_text(json.dumps({"dl": BASE + "/crates/{crate}-{version}.crate"}))
lock = "version = 4\n"
for name, version, more, deps, features, code in CRATES:
    data = crate(name, version, {"Cargo.toml": manifest(name, version, more, deps, features), "src/lib.rs": code})
    (ROOT / f"crates/{name}-{version}.crate").write_bytes(data)
    new = {key: value for key, value in features.items() if any(one.startswith("dep:") for one in value)}
    entry = {"name": name, "vers": version, "cksum": hashlib.sha256(data).hexdigest(), "yanked": False, "v": 2,
             "features": {key: value for key, value in features.items() if key not in new}, "features2": new,
             "deps": [{"features": [], "optional": False, "default_features": True, "target": None, "kind": "normal", **dep} for dep in deps]}
    path = ROOT / "index" / index_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as out:
        out.write(json.dumps(entry) + "\n")
    lock += f'\n[[package]]\nname = "{name}"\nversion = "{version}"\nsource = "registry+{BASE}"\nchecksum = "{entry["cksum"]}"\n'
(ROOT / "Cargo.lock").write_text(lock)
