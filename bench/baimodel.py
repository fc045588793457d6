#!/usr/bin/env python3
"""`liftlock import` of one large .baimodel against the floor of this machine: the same file read once, hashed once and written
once (cat | tee | openssl dgst, then sync), in interleaved rounds, the page cache without the file each time. The package is made by
`liftlock model export`; it is believed once for the builder's signature in it, and once for the announced digest of the whole file.
Beside the times stands how many times the file's bytes were read and written.

usage: baimodel.py BUILD_FOLDER WORK_FOLDER [--gib N] [--rounds N]
"""
import hashlib
import json
import os
import pathlib
import shutil
import statistics
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import crossing  # noqa: E402
import load  # noqa: E402
import measure  # noqa: E402


def make_model(folder, size):
    """One tensor of safetensors form; weights that do not compress."""
    folder.mkdir()
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    (folder / "config.json").write_text('{"architectures": ["LlamaForCausalLM"], "model_type": "llama"}')
    weights = folder / "model.safetensors"
    weights.write_bytes(struct.pack("<Q", len(header)) + header)
    key = "1".zfill(32)
    measure.run(f"openssl enc -aes-128-ctr -K {key} -iv {key} -in /dev/zero 2>/dev/null | head -c {size} >> {weights}; true")


def floor(package, to):
    crossing.discard(to)
    return measure.run(f"set -o pipefail; cat {package} | tee {to} | openssl dgst -sha256 >/dev/null && sync -f {to}")["seconds"]


def main():
    args = measure.arguments(gib=4.0, rounds=3)
    try:
        make_model(args.work / "model", int(args.gib * 2**30))
        carried = crossing.Crossing(args.build.resolve(), args.work, f'[model.big]\nsource = "{args.work}/model"\n')
        package = args.work / "big.baimodel"
        carried.run_low("model", "export", "big", "--output", str(package), "--key", str(args.work / "builder.pem"))
        size = package.stat().st_size
        with open(package, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        times = {}
        for _ in range(args.rounds):
            load.forget([package])
            times.setdefault("floor", []).append((floor(package, args.work / "copy"), 1, 1))
            for name, believed in (("signed inside", []), ("announced digest", ["--expect", digest])):
                carried.fresh_high()
                load.forget([package])
                result = carried.run_high("import", str(package), *believed, memory=True)
                os.sync()
                times.setdefault(name, []).append((result["seconds"], result["read"] / size, result["written"] / size))
                print(f"  {name}: {result['seconds']:.2f} s, peak memory {result['memory'] / 2**20:.0f} MiB", flush=True)
        base = statistics.median(seconds for seconds, _, _ in times["floor"])
        print(f"{size / 2**30:.2f} GiB; medians of {args.rounds} rounds; read, hash and write once: {base:.2f} s")
        for name, results in times.items():
            if name == "floor":
                continue
            seconds, read, written = (statistics.median(values) for values in zip(*results))
            print(f"import, {name}: {seconds:.2f} s = {seconds / base:.2f} x the floor (goal 1.35); read {read:.3f} x, written "
                  f"{written:.3f} x the file")
    finally:
        shutil.rmtree(args.work, ignore_errors=True)


if __name__ == "__main__":
    main()
