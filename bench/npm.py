#!/usr/bin/env python3
"""npm packages of a project of several hundred, side by side: `liftlock lock` against `npm ci`, both from the registry of
this machine's npm with empty caches; then `npm ci` from `liftlock serve` against Verdaccio (installed by npm, its storage
warmed by one installation), and the bare tarballs by curl from both, all on loopback, in interleaved rounds.

Then whether `lock` fills the link: its bytes per second against those of curl, which writes the same tarballs into a folder with 16 and
with 32 connections and syncs, from the registry, from nginx on loopback, and from a server on loopback whose answers come late, which also
counts how many requests wait at once. --only link or --only serve does one half.

usage: npm.py BUILD_FOLDER WORK_FOLDER [--rounds N] [--late MILLISECONDS] [--only link|serve]
"""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request

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


def curl_into(folder, urls, connections):
    """Every URL into a file of the folder, and a sync: what `lock` does, without the looking."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with tempfile.NamedTemporaryFile("w") as config:
        config.write("".join(f'url = "{url}"\noutput = "{folder}/{i}.tgz"\n' for i, url in enumerate(urls)))
        config.flush()
        return measure.run(f"curl -fsS --parallel --parallel-immediate --parallel-max {connections} --config {config.name} && sync -f {folder}")["seconds"]


class Place:
    """Where the tarballs of a package-lock.json come from: the lock with its URLs there, and those of them that are taken."""

    def __init__(self, name, lock, urls, base=None):
        self.name, self.lock, self.urls, self.counter = name, json.loads(json.dumps(lock)), urls, None
        if base:
            for package in self.lock["packages"].values():
                if "resolved" in package:
                    package["resolved"] = base + urllib.parse.urlsplit(package["resolved"]).path
            self.urls = [base + urllib.parse.urlsplit(url).path for url in urls]

    def in_flight(self):
        with urllib.request.urlopen(self.counter) as answer:
            return json.load(answer)


def lock_from(place, build, work):
    """`liftlock lock` with nothing there yet; seconds."""
    again = work / "link"
    crossing.discard(again)
    (again / "stack").mkdir(parents=True)
    (again / "package-lock.json").write_text(json.dumps(place.lock))
    (again / "stack/liftlock.toml").write_text(f'[stack]\nname = "bench"\n[npm.bench]\nlock = "{again}/package-lock.json"\n')
    low = [str(build / "src/cli/liftlock-low"), "--quiet", "--state", str(again / "low")]
    measure.run([*low, "init", "--zone", "low"])
    # The addresses of the lock count, whatever registry this machine's npm has.
    return measure.run([*low, "lock"], cwd=again / "stack", env={**os.environ, "npm_config_replace_registry_host": "never"})["seconds"]


def link(args, site):
    """Does `lock` fill the link? Against curl with many connections, from three places."""
    lock = json.loads((site / "package-lock.json").read_text())
    places = [Place("the registry", lock, [])]
    lock_from(places[0], args.build, args.work)  # it leaves out what is for other platforms
    locked = json.loads((args.work / "link/stack/liftlock.lock").read_text())
    taken = {one["files"][0]["origin"]: one["files"][0]["size"] for entry in locked["entries"] for one in entry["artifacts"]}
    places[0].urls, size = sorted(taken), sum(taken.values())
    tarballs = args.work / "tarballs"
    curl_into(tarballs, places[0].urls, 16)
    files = args.work / "files"
    for i, url in enumerate(places[0].urls):
        file = files / urllib.parse.urlsplit(url).path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tarballs / f"{i}.tgz", file)
    port = skopeo.free_port()
    (args.work / "nginx.conf").write_text(
        f"user root; daemon off; pid {args.work}/nginx.pid; error_log /dev/null; events {{}}\n"
        f"http {{ access_log off; sendfile on; client_body_temp_path {args.work}/b; proxy_temp_path {args.work}/p; fastcgi_temp_path {args.work}/f;\n"
        f"uwsgi_temp_path {args.work}/u; scgi_temp_path {args.work}/s; server {{ listen 127.0.0.1:{port}; root {files}; }} }}\n")
    nginx = subprocess.Popen(["/usr/sbin/nginx", "-c", str(args.work / "nginx.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    late = subprocess.Popen([sys.executable, str(pathlib.Path(__file__).parent / "distant_server.py"), str(files), str(args.late)],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        skopeo.wait_for(f"http://127.0.0.1:{port}/")
        places.append(Place("nginx on loopback", lock, sorted(taken), f"http://127.0.0.1:{port}"))
        base = f"http://127.0.0.1:{late.stdout.readline().strip()}"
        places.append(Place(f"answers {args.late} ms late", lock, sorted(taken), base))
        places[-1].counter = base + "/.in-flight"
        print(f"\n{len(places[0].urls)} tarballs, {size / 2**20:.1f} MiB")
        for place in places:
            runs = {}
            for _ in range(args.rounds):
                for name, run in (("liftlock lock", lambda: lock_from(place, args.build, args.work)),
                                  ("curl, 16", lambda: curl_into(tarballs, place.urls, 16)),
                                  ("curl, 32", lambda: curl_into(tarballs, place.urls, 32))):
                    if place.counter:
                        place.in_flight()
                    runs.setdefault(name, []).append((run(), place.in_flight() if place.counter else None))
            print(f"from {place.name}: medians of {args.rounds} rounds", flush=True)
            ours = statistics.median(seconds for seconds, _ in runs["liftlock lock"])
            for name, values in runs.items():
                seconds = statistics.median(one for one, _ in values)
                waiting = "".join(f"; in flight {one['mean']:.1f} on average, {one['most']} at most" for _, one in values[-1:] if one)
                print(f"  {name:14} {seconds:7.2f} s  {size / seconds / 2**20:7.1f} MiB/s  {seconds / ours:5.2f} × the time of lock{waiting}", flush=True)
    finally:
        nginx.terminate()
        late.stdin.close()
        nginx.wait()
        late.wait()


def serve(args, site):
    """Installing from the mirror and from Verdaccio."""
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


def main():
    args = measure.arguments(rounds=3, late=50, only="")
    site = args.work / "site"
    site.mkdir()
    (site / "package.json").write_text(json.dumps(PROJECT))
    npm(["install", "--package-lock-only"], site, npm_config_omit_lockfile_registry_resolved="false")
    try:
        if args.only != "serve":
            link(args, site)
        if args.only != "link":
            serve(args, site)
    finally:
        shutil.rmtree(args.work, ignore_errors=True)


if __name__ == "__main__":
    main()
