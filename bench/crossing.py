#!/usr/bin/env python3
"""Measures pack, verify and ingest against the floor of this machine (openssl dgst on all cores, cp -r + sync) and
against the shell recipe (tar + gzip + sha256sum), medians of interleaved rounds, time ending after the sync.

usage: crossing.py BUILD_FOLDER WORK_FOLDER [--gib N] [--small N] [--rounds N]
"""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import measure  # noqa: E402

CORES = len(os.sched_getaffinity(0))


def sh(command, **kwargs):
    return measure.run(command, **kwargs)


def make_large(folder, gib, files=4):
    """Weight-like data: it does not compress. Each file is another stretch of one AES keystream."""
    folder.mkdir(parents=True)
    size = int(gib * 2**30 / files)
    for i in range(files):
        key = f"{i:032x}"
        sh(f"openssl enc -aes-128-ctr -K {key} -iv {key} -in /dev/zero 2>/dev/null | head -c {size} > {folder}/weights-{i}.bin; true")


def make_small(folder, count, size=8192):
    """Like the large ones, they do not compress."""
    folder.mkdir(parents=True)
    for i in range(count):
        below = folder / f"d{i // 256:03d}"
        below.mkdir(exist_ok=True)
        (below / f"f{i:05d}").write_bytes(os.urandom(size))


def discard(path):
    """Out of the way, not removed: ext4 searches past inodes that were freed in the last minutes, which would make every
    later round pay for the rounds before."""
    if path.exists():
        trash = path.parent / "trash"
        trash.mkdir(exist_ok=True)
        path.rename(trash / f"{path.name}-{len(os.listdir(trash))}")


class Crossing:
    """One stack through init, lock, fetch; then pack, verify and ingest as often as asked."""

    def __init__(self, build, work, entries):
        self.low = str(build / "src/cli/liftlock-low")
        self.high = str(build / "src/cli/liftlock-high")
        self.work = work
        self.low_state, self.high_state = work / "low", work / "high"
        self.out = work / "out"
        self.out.mkdir()
        (work / "stack").mkdir()
        (work / "stack/liftlock.toml").write_text(
            f'[stack]\nname = "bench"\nchannel = "bench"\nplatform = "linux/amd64"\n\n{entries}')
        self.run_low("init", "--zone", "low")
        self.run_low("trust", "keygen", "--role", "root", "--out", str(work / "root.pem"))
        self.run_low("trust", "keygen", "--role", "builder", "--out", str(work / "builder.pem"))
        self.run_low("trust", "init", "--organisation", "bench", "--root-key", str(work / "root.pem"), "--add", f"builder:{work}/builder.pem")
        self.run_low("lock", cwd=work / "stack")
        self.run_low("fetch", cwd=work / "stack")
        self.sequence = 0

    def run_low(self, *args, **kwargs):
        return sh([self.low, "--quiet", "--state", str(self.low_state), *args], **kwargs)

    def run_high(self, *args, **kwargs):
        return sh([self.high, "--quiet", "--state", str(self.high_state), *args], **kwargs)

    def fresh_high(self):
        discard(self.high_state)
        self.run_high("init", "--zone", "ingest")
        (self.high_state / "config.toml").write_text(
            f'zone = "ingest"\n[policy]\nrequire_expect = false\n[source.out]\npath = "{self.out}"\nrequire_read_only = false\n')
        statement = next((self.low_state / "trust").glob("1.root.json"))
        shown = json.loads(self.run_low("--json", "trust", "show")["output"])
        self.run_high("trust", "pin", str(statement), "--fingerprint", shown["fingerprint"])

    def pack(self, memory=False):
        discard(self.out / "bundle")
        self.sequence += 1
        result = self.run_low("pack", "--output", str(self.out / "bundle"), "--sequence", str(self.sequence),
                              cwd=self.work / "stack", memory=memory)
        self.run_low("sign", str(self.out / "bundle"), "--role", "builder", "--key", str(self.work / "builder.pem"))
        return result

    def repack(self):
        return self.run_low("pack", "--output", str(self.out / "bundle"), "--sequence", str(self.sequence),
                            cwd=self.work / "stack")

    def verify(self):
        return self.run_high("verify", str(self.out / "bundle"))

    def ingest(self, memory=False):
        return self.run_high("ingest", "out/bundle", memory=memory)


def floor_hash(folder):
    return sh(f"find {folder} -type f -print0 | xargs -0 -n 64 -P {CORES} openssl dgst -sha256 >/dev/null" if len(os.listdir(folder)) > 16 else
              f"find {folder} -type f -print0 | xargs -0 -n 1 -P {CORES} openssl dgst -sha256 >/dev/null")


def floor_copy(folder, to):
    discard(to)
    return sh(f"cp -r {folder} {to} && sync -f {to}")


def recipe_pack(folder, to):
    """The shell recipe that many use: sha256sum of the models, tar czf, sha256sum of the archive."""
    to.mkdir()
    return sh(f"cd {folder.parent} && find {folder.name} -type f -exec sha256sum {{}} + > {to}/models.sha256 && tar czf {to}/b.tar.gz {folder.name} && "
              f"sha256sum {to}/b.tar.gz > {to}/final.sha256 && sync -f {to}")


def recipe_ingest(to):
    return sh(f"cd {to} && sha256sum -c final.sha256 >/dev/null && mkdir v && tar xzf b.tar.gz -C v && (cd v && sha256sum -c ../models.sha256 >/dev/null) && "
              f"mkdir repo && cp -r v/* repo/ && sync -f {to}")


def settle():
    subprocess.run(["sync"], check=True)


def measure_set(title, build, work, rounds):
    data = work / "data"
    crossing = Crossing(build.resolve(), work, f'[file.data]\nsource = "{data}"\n')
    times = {}
    last = {}

    def note(name, result):
        times.setdefault(name, []).append(result["seconds"])
        last[name] = result
        print(f"  {name}: {result['seconds']:.2f} s", flush=True)

    for _ in range(rounds):
        settle(); note("hash floor", floor_hash(data))
        settle(); note("copy floor", floor_copy(data, work / "copy"))
        settle(); note("pack", crossing.pack())
        crossing.fresh_high()
        settle(); note("verify", crossing.verify())
        settle(); note("ingest", crossing.ingest())
    note("repack", crossing.repack())
    crossing.pack()
    io = {"pack": crossing.pack(memory=True)}
    crossing.fresh_high()
    io["ingest"] = crossing.ingest(memory=True)
    settle(); note("recipe pack", recipe_pack(data, work / "recipe"))
    settle(); note("recipe ingest", recipe_ingest(work / "recipe"))
    size = sum(f.stat().st_size for f in data.rglob("*") if f.is_file())
    return {"title": title, "bytes": size, "times": {k: statistics.median(v) for k, v in times.items()},
            "io": {k: {n: v[n] for n in ("read", "written", "memory")} for k, v in io.items()}}


def row(name, value, goal, met):
    return f"| {name} | {value} | {goal} | {'yes' if met else '**no**'} |"


def report(result, small):
    t, size = result["times"], result["bytes"]
    floor = max(t["hash floor"], t["copy floor"])
    limit = 2 * t["copy floor"] if small else 1.35 * floor
    basis = "2 × cp+sync" if small else "1.35 × larger floor"
    lines = [f"\n### {result['title']}: {size / 2**20:.0f} MiB", "",
             f"Floors: parallel `openssl dgst -sha256` {t['hash floor']:.2f} s, `cp -r` + sync {t['copy floor']:.2f} s.", "",
             "| what | measured | goal | met |", "|---|---|---|---|"]
    unit = t["copy floor"] if small else floor
    for name in ("pack", "ingest"):
        lines.append(row(name, f"{t[name]:.2f} s = {t[name] / unit:.2f} ×", basis, t[name] <= limit))
    if not small:
        lines.append(row("verify", f"{t['hash floor'] / t['verify']:.2f} × the rate of openssl", "≥ 0.9", t["hash floor"] / t["verify"] >= 0.9))
        for name in ("pack", "ingest"):
            io = result["io"][name]
            lines.append(row(f"{name}: read, written", f"{io['read'] / size:.3f} ×, {io['written'] / size:.3f} × the data", "≤ 1.05 each",
                             max(io["read"], io["written"]) <= 1.05 * size))
            lines.append(row(f"{name}: peak memory", f"{io['memory'] / 2**20:.0f} MiB", "< 128 MiB", io["memory"] < 128 * 2**20))
    else:
        lines.append(row("repack, nothing changed", f"{t['repack']:.2f} s", "< 2 s", t["repack"] < 2))
    for name in ("pack", "ingest"):
        lines.append(row(f"ahead of the shell recipe, {name}", f"{t['recipe ' + name] / t[name]:.1f} ×", "> 1", t["recipe " + name] > t[name]))
    return "\n".join(lines)


def main():
    args = measure.arguments(gib=4.0, small=20000, rounds=3)
    out = []
    print(f"few large files, {args.gib} GiB", flush=True)
    make_large(args.work / "large/data", args.gib)
    out.append(report(measure_set("few large files", args.build, args.work / "large", args.rounds), False))
    shutil.rmtree(args.work / "large")
    print(f"many small files, {args.small}", flush=True)
    make_small(args.work / "small/data", args.small)
    out.append(report(measure_set("many small files", args.build, args.work / "small", args.rounds), True))
    shutil.rmtree(args.work / "small")
    print("\n".join(out))


if __name__ == "__main__":
    main()
