#!/usr/bin/env python3
"""npm packages of a project of several hundred, side by side: `liftlock lock` against `npm ci`, both from the registry of
this machine's npm with empty caches; then `npm ci` from `liftlock serve` against Verdaccio (installed by npm, its storage
warmed by one installation), and the bare tarballs by curl from both, all on loopback, in interleaved rounds.

usage: npm.py BUILD_FOLDER WORK_FOLDER [--rounds N]
"""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import crossing  # noqa: E402
import measure  # noqa: E402
import skopeo  # noqa: E402

PROJECT = {"name": "bench", "version": "1.0.0", "dependencies": {
    "express": "4.21.2", "react": "18.3.1", "react-dom": "18.3.1", "webpack": "5.97.1", "webpack-cli": "6.0.1", "jest": "29.7.0",
    "eslint": "8.57.1", "typescript": "5.7.2", "@babel/preset-env": "7.26.0", "esbuild": "0.25.12", "prettier": "3.4.1"}}


def npm(arguments, folder, registry=None, cache=None, **environment):
    """npm with a configuration of its own, scripts off; seconds."""
    environment = {**os.environ, "npm_config_fund": "false", "npm_config_audit": "false", "npm_config_update_notifier": "false",
                   "npm_config_ignore_scripts": "true", **environment}
    if cache:
        environment["npm_config_cache"] = str(cache)
    if registry:
        environment |= {"npm_config_registry": registry, "npm_config_replace_registry_host": "always"}
    return measure.run(["npm", *arguments], cwd=folder, env=environment)["seconds"]


def ci(work, registry=None):
    """Cold: no cache, no node_modules. In memory: the disk's moods are not the server's."""
    place = pathlib.Path("/dev/shm") / f"npm-bench-{os.getpid()}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(work / "site" / name, place)
    try:
        return npm(["ci"], place, registry, place / "cache")
    finally:
        shutil.rmtree(place)


def start_verdaccio(work, upstream):
    (work / "verdaccio").mkdir()
    # It asks for node-fetch by a tag, which not every mirror of a registry has; this is the version behind it.
    (work / "verdaccio/package.json").write_text('{"dependencies": {"verdaccio": "6.0.5"}, "overrides": {"node-fetch": "2.6.7"}}')
    npm(["install"], work / "verdaccio")
    port = skopeo.free_port()
    (work / "verdaccio.yml").write_text(
        f"storage: {work}/verdaccio-storage\nuplinks: {{up: {{url: '{upstream}', cache: true, maxage: 60m}}}}\n"
        "packages: {'@*/*': {access: $all, proxy: up}, '**': {access: $all, proxy: up}}\nlog: {type: stdout, level: fatal}\n")
    process = subprocess.Popen(["node", str(work / "verdaccio/node_modules/.bin/verdaccio"), "--config", str(work / "verdaccio.yml"),
                                "--listen", f"127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/"
    skopeo.wait_for(url)
    return process, url


def curl_all(paths, registry):
    """Every tarball, 16 at a time, over kept connections."""
    with tempfile.NamedTemporaryFile("w") as config:
        config.write("".join(f'url = "{registry}{path}"\noutput = "/dev/null"\n' for path in paths))
        config.flush()
        return measure.run(["curl", "-fsS", "--parallel", "--parallel-max", "16", "--config", config.name])["seconds"]


def main():
    args = measure.arguments(rounds=3)
    site = args.work / "site"
    site.mkdir()
    (site / "package.json").write_text(json.dumps(PROJECT))
    npm(["install", "--package-lock-only"], site, npm_config_omit_lockfile_registry_resolved="false")
    upstream = subprocess.run(["npm", "config", "get", "registry"], capture_output=True, text=True, check=True).stdout.strip()
    mirror = verdaccio = None
    try:
        times = {}

        def note(name, seconds):
            times.setdefault(name, []).append(seconds)
            print(f"  {name}: {seconds:.2f} s", flush=True)

        note("npm ci from the registry", ci(args.work))
        carried = crossing.Crossing(args.build.resolve(), args.work, f'[npm.bench]\nlock = "{site}/package-lock.json"\n')
        for _ in range(args.rounds):
            note("npm ci from the registry", ci(args.work))
            shutil.rmtree(args.work / "low-again", ignore_errors=True)
            measure.run([carried.low, "--quiet", "--state", str(args.work / "low-again"), "init", "--zone", "low"])
            (args.work / "stack/liftlock.lock").unlink()
            note("liftlock lock", measure.run([carried.low, "--quiet", "--state", str(args.work / "low-again"), "lock"],
                                              cwd=args.work / "stack")["seconds"])
        carried.pack()
        carried.fresh_high()
        note("ingest", carried.ingest()["seconds"])
        mirror, address = skopeo.start_mirror(carried.high, carried.high_state)
        ours = f"http://{address}/npm/"
        verdaccio, theirs = start_verdaccio(args.work, upstream)
        note("npm ci from Verdaccio, warming it", ci(args.work, theirs))
        lock = json.loads((args.work / "stack/liftlock.lock").read_text())
        artifacts = [one for entry in lock["entries"] for one in entry["artifacts"]]
        paths = [f"{one['name']}/-/{one['files'][0]['path'].rpartition('/')[2]}" for one in artifacts]
        size = sum(one["files"][0]["size"] for one in artifacts)
        curl_all(paths, theirs)
        for _ in range(args.rounds):
            note("npm ci from Verdaccio", ci(args.work, theirs))
            note("npm ci from liftlock serve", ci(args.work, ours))
            note("curl from Verdaccio", curl_all(paths, theirs))
            note("curl from liftlock serve", curl_all(paths, ours))
        medians = {name: statistics.median(values) for name, values in times.items()}
        print(f"\n{len(paths)} tarballs, {size / 2**20:.0f} MiB; medians of {args.rounds} rounds")
        for what, one, other in (("lock against npm ci, from the registry", "liftlock lock", "npm ci from the registry"),
                                 ("npm ci from the mirror against Verdaccio", "npm ci from liftlock serve", "npm ci from Verdaccio"),
                                 ("the tarballs by curl, against Verdaccio", "curl from liftlock serve", "curl from Verdaccio")):
            print(f"{what}: {medians[one]:.2f} s against {medians[other]:.2f} s, {medians[other] / medians[one]:.2f} times as fast")
    finally:
        for process in (mirror, verdaccio):
            if process:
                process.terminate()
                process.wait()
        shutil.rmtree(args.work, ignore_errors=True)


if __name__ == "__main__":
    main()
