#!/usr/bin/env python3
"""`pip install` of a project of some seventy wheels from `liftlock serve` and from pypiserver (installed by pip, serving the same
files from a folder), then the wheels and their index pages by curl from both, all on loopback, in interleaved rounds.

usage: pip.py BUILD_FOLDER WORK_FOLDER [--rounds N]
"""
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import crossing  # noqa: E402
import measure  # noqa: E402
import npm  # noqa: E402
import skopeo  # noqa: E402

REQUIREMENTS = ["django==5.1.4", "djangorestframework==3.15.2", "flask==3.1.0", "fastapi==0.115.6", "uvicorn[standard]==0.34.0",
                "celery==5.4.0", "requests==2.32.3", "httpx==0.28.1", "sqlalchemy==2.0.36", "alembic==1.14.0", "rich==13.9.4",
                "pytest==8.3.4", "black==24.10.0", "jsonschema==4.23.0", "pydantic-settings==2.7.0"]


def pip(arguments, index=None):
    """pip with no configuration but this; seconds."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    environment |= {"PIP_CONFIG_FILE": "/dev/null", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    if index:
        environment["PIP_INDEX_URL"] = index
    return measure.run([sys.executable, "-m", "pip", *arguments], env=environment)["seconds"]


def install(index):
    """Cold: no cache, nothing installed. In memory: the disk's moods are not the server's."""
    place = pathlib.Path("/dev/shm") / f"pip-bench-{os.getpid()}"
    shutil.rmtree(place, ignore_errors=True)
    try:
        return pip(["install", "--quiet", "--no-cache-dir", "--no-compile", "--target", str(place), *REQUIREMENTS], index)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def start_pypiserver(work, wheels):
    measure.run([sys.executable, "-m", "venv", str(work / "venv")])
    measure.run([str(work / "venv/bin/pip"), "install", "--quiet", "pypiserver==2.3.2", "watchdog==6.0.0", "setuptools<81"])
    port = skopeo.free_port()
    # What it watches it need not list anew for each request: the faster of its two ways.
    process = subprocess.Popen([str(work / "venv/bin/pypi-server"), "run", "--interface", "127.0.0.1", "--port", str(port),
                                "--backend", "cached-dir", "--disable-fallback", "--hash-algo", "sha256", str(wheels)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/simple/"
    skopeo.wait_for(url)
    return process, url


def main():
    args = measure.arguments(rounds=5)
    carried = crossing.Crossing(args.build.resolve(), args.work,
                                "[python.bench]\nrequirements = [" + ", ".join(f'"{one}"' for one in REQUIREMENTS) + "]\n")
    mirror = other = None
    try:
        carried.pack()
        carried.fresh_high()
        carried.ingest()
        wheels = carried.out / "bundle/packages/pypi"
        files = sorted(path.name for path in wheels.glob("*.whl"))
        projects = sorted({name.split("-")[0].replace("_", "-").lower() for name in files})
        mirror, address = skopeo.start_mirror(carried.high, carried.high_state)
        ours = f"http://{address}/simple/"
        other, theirs = start_pypiserver(args.work, wheels)
        ways = {"liftlock serve": (ours, [f"{name.split('-')[0].replace('_', '-').lower()}/{name}" for name in files]),
                "pypiserver": (theirs, [f"../packages/{name}" for name in files])}
        times = {}
        for index, paths in ways.values():
            install(index)
        for _ in range(args.rounds):
            for name, (index, paths) in ways.items():
                for what, seconds in (("pip install", install(index)), ("the wheels by curl", npm.curl_all(paths, index)),
                                      ("the index pages by curl", npm.curl_all([f"{one}/" for one in projects], index))):
                    times.setdefault(what, {}).setdefault(name, []).append(seconds)
        size = sum((wheels / name).stat().st_size for name in files)
        print(f"{len(files)} wheels, {size / 2**20:.0f} MiB; medians of {args.rounds} rounds")
        for what, by_name in times.items():
            one, another = (statistics.median(by_name[name]) for name in ways)
            print(f"{what}: liftlock serve {one:.3f} s, pypiserver {another:.3f} s, {another / one:.2f} times as fast")
    finally:
        for process in (mirror, other):
            if process:
                process.terminate()
                process.wait()
        shutil.rmtree(args.work, ignore_errors=True)


if __name__ == "__main__":
    main()
