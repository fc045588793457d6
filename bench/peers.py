#!/usr/bin/env python3
"""The race: the same content, from sources on disk to served content on the high side, by Liftlock and by what people use today.

usage: peers.py BUILD_FOLDER WORK_FOLDER [--gib N] [--small N] [--images N] [--rounds N] [--limit SECONDS] [--only CONTENT,…]
                [--results FILE.tsv]

Contents: a few large files, many small ones, images that share layers, and a new top layer on one of those images for a receiver
that has the rest. Racers: Liftlock (lock, fetch, pack, sign, ingest, serve; many small
files also with pack --form tar); tar and zstd, and tar and gzip, with sha256sum before
and after, behind nginx (images: skopeo and docker-registry); Zarf (package create, package deploy or mirror-resources, behind the
same servers, for Zarf has none outside a cluster); Hauler (store add, save, load, serve); casync (make, extract) and `nix copy` over a
binary cache, behind the same servers. ZARF, HAULER, CASYNC and NIX name the binaries; a racer
that is not there is left out and named. Rounds are interleaved; time ends with the first file, or manifest, that a client got whole.
Hauler serves many small files as one archive only. Every run is kept in BUILD_FOLDER/race.json and plotted beside it, and
appended to FILE.tsv, for others to read. Each racer
starts without state, except for the new layer. Images come from a docker-registry on loopback.

Nobody needs to watch: a racer that fails, or needs more than --limit seconds for one race, is stopped, named, and left out of the
further rounds with that content; the exit status says whether one failed. A disk that cannot hold it all is told before the start.
"""
import collections
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import crossing  # noqa: E402
import measure  # noqa: E402
import plot  # noqa: E402
import skopeo  # noqa: E402


class Content:
    """What crosses: a folder of files, or images in the registry of the low side."""

    def __init__(self, name, folder=None, images=(), before=()):
        self.name, self.folder, self.images, self.before = name, folder, list(images), list(before)

    def files(self):
        return sorted(path for path in self.folder.rglob("*") if path.is_file())


class Server:
    """A server of the high side; it ends with the race."""

    def __init__(self, command, cwd=None):
        self.process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def close(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait()


def get(url, accept="*/*", patience=60):
    """Until somebody answers."""
    end = time.monotonic() + patience
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept})) as answer:
                return answer.read()
        except OSError:
            if time.monotonic() > end:
                raise measure.Failed(f"nothing answers at {url}")
            time.sleep(0.01)


def manifest(address, image):
    name, tag = image.rsplit(":", 1)
    return get(f"http://{address}/v2/{name}/manifests/{tag}", "application/vnd.oci.image.manifest.v1+json")


def nginx(work, root, port):
    (work / "nginx.conf").write_text(
        f"user root; daemon off; pid {work}/nginx.pid; error_log /dev/null; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {work}/b; proxy_temp_path {work}/p; fastcgi_temp_path {work}/f;\n"
        f"uwsgi_temp_path {work}/u; scgi_temp_path {work}/s; server {{ listen 127.0.0.1:{port}; root {root}; }} }}\n")
    return Server(["/usr/sbin/nginx", "-c", str(work / "nginx.conf")])


def registry(work, port):
    (work / "registry.yml").write_text(
        f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {work}/registry}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n")
    server = Server(["docker-registry", "serve", str(work / "registry.yml")])
    skopeo.wait_for(f"http://127.0.0.1:{port}/v2/")
    return server


class Racer:
    """create() on the low side, land() on the high side, then serve() and the first byte. `low` and `high` are empty folders,
    but for what ship() left of the content before."""

    def __init__(self, name, source, build):
        self.name, self.source, self.build = name, source, build  # source: the registry of the low side
        self.end = None

    def begins(self, limit):
        """The clock of one race starts: of all its commands together."""
        self.peak = self.read = self.written = 0
        self.end, self.limit = time.monotonic() + limit, limit

    def count(self, done):
        """What a command of this race took, as measure.run() has it."""
        self.peak = max(self.peak, done["memory"])
        self.read += done["read"]
        self.written += done["written"]

    def remaining(self):
        left = self.end - time.monotonic()
        if left <= 0:
            raise measure.TookTooLong(f"{self.name} took more than {self.limit} s")
        return left

    def begin(self, work):
        self.low, self.high, self.medium, self.port = work / "low", work / "high", work / "medium", skopeo.free_port()
        for folder in (self.low, self.high, self.medium):
            folder.mkdir(parents=True)

    def first(self, content):
        """What a client gets first, to be compared with what was sent."""
        if content.images:
            return manifest(f"127.0.0.1:{self.port}", content.images[-1])
        return get(f"http://127.0.0.1:{self.port}/{self.path_of(content)}")

    def path_of(self, content):
        return str(content.files()[-1].relative_to(content.folder))


class Liftlock(Racer):
    form = ()

    def run(self, side, *arguments, **options):
        return measure.run([str(self.build / f"src/cli/liftlock-{side}"), "--quiet", "--state", str(self.low / "state" if side == "low" else self.high / "state"),
                            *arguments], limit=self.remaining(), **options)

    def begin(self, work):
        super().begin(work)
        self.sequence, self.last = 0, None
        self.run("low", "init")
        for role in ("root", "builder"):
            self.run("low", "trust", "keygen", "--role", role, "--out", str(self.low / f"{role}.pem"))
        self.run("low", "trust", "init", "--organisation", "bench", "--root-key", str(self.low / "root.pem"), "--add",
                 f"builder:{self.low}/builder.pem")
        fingerprint = json.loads(self.run("low", "--json", "trust", "show")["output"])["fingerprint"]
        self.run("high", "init", "--zone", "ingest")
        (self.high / "state/config.toml").write_text(
            f'zone = "ingest"\n[policy]\nrequire_expect = false\n[source.usb]\npath = "{self.medium}"\nrequire_read_only = false\n'
            f'[serve]\nlisten = "127.0.0.1:{self.port}"\n')
        self.run("high", "trust", "pin", str(self.low / "state/trust/1.root.json"), "--fingerprint", fingerprint)

    def create(self, content):
        stack = '[stack]\nname = "bench"\n'
        if content.folder:
            stack += f'[file.data]\nsource = "{content.folder}"\n'
        for image in content.before + content.images:
            name, tag = image.rsplit(":", 1)
            stack += f'[image.{name}-{tag}]\nsource = "docker://{self.source}/{image}"\nname = "{name}"\ninsecure = true\n'
        (self.low / "liftlock.toml").write_text(stack)
        self.sequence += 1
        bundle = self.medium / f"bench-{self.sequence}"
        base = ["--since", str(self.last)] if self.last else []
        for command in (["lock"], ["fetch"], ["pack", "--output", str(bundle), *self.form, *base],
                        ["sign", str(bundle), "--role", "builder", "--key", str(self.low / "builder.pem")]):
            self.count(self.run("low", *command, cwd=self.low, memory=True))
        self.last = bundle

    def land(self, content):
        self.count(self.run("high", "ingest", f"usb/bench-{self.sequence}", memory=True))

    def serve(self, content):
        return Server([str(self.build / "src/cli/liftlock-high"), "--quiet", "--state", str(self.high / "state"), "serve"])

    def path_of(self, content):
        return f"bundles/bench/latest/files/data/{super().path_of(content)}"


class LiftlockTar(Liftlock):
    """The same with the content as one content.tar, as the archives carry it: for many small files."""

    form = ("--form", "tar")


class Archive(Racer):
    """tar with a compressor, and sha256sum on both sides, as people write it down."""

    def __init__(self, name, source, build, pack, unpack):
        super().__init__(name, source, build)
        self.pack, self.unpack = pack, unpack

    def do(self, command):
        self.count(measure.run(f"set -euo pipefail; {command}", memory=True, limit=self.remaining()))

    def gather(self, content):
        """The folder that crosses; of images a layout."""
        if not content.images:
            return content.folder
        layout = self.low / "images"
        self.do("; ".join(f"skopeo copy -q --src-tls-verify=false docker://{self.source}/{image} oci:{layout}:{image}" for image in content.images))
        return layout

    def publish(self, content, folder):
        """What landed in a folder: synced, and images in the registry of the high side."""
        self.do(f"sync -f {folder}")
        if content.images:
            with contextlib.closing(registry(self.high, self.port)):
                self.do("; ".join(f"skopeo copy -q --dest-tls-verify=false oci:{folder}:{image} docker://127.0.0.1:{self.port}/{image}"
                                  for image in content.images))
            measure.run(f"sync -f {self.high}")

    def create(self, content):
        folder = self.gather(content)
        self.do(f"cd {folder} && find . -type f -print0 | xargs -0 sha256sum > {self.low}/files.sha256 && "
                f"tar -C {folder} -c . | {self.pack} > {self.medium}/b.tar && cp {self.low}/files.sha256 {self.medium}/ && "
                f"cd {self.medium} && sha256sum b.tar files.sha256 > sums && sync -f .")

    def land(self, content):
        to = self.landed()
        self.do(f"cd {self.medium} && sha256sum --quiet -c sums && mkdir -p {to} && {self.unpack} < b.tar | tar -C {to} -x && "
                f"cd {to} && sha256sum --quiet -c {self.medium}/files.sha256")
        self.publish(content, to)

    def landed(self):
        return self.high / "data"

    def serve(self, content):
        return registry(self.high, self.port) if content.images else nginx(self.high, self.landed(), self.port)


class Casync(Archive):
    """Chunks by content; it checks their digests itself."""

    def __init__(self, source, build, program):
        super().__init__("casync", source, build, "", "")
        self.program = program

    def create(self, content):
        self.do(f"{self.program} make --store={self.medium}/store.castr {self.medium}/data.caidx {self.gather(content)} && sync -f {self.medium}")

    def land(self, content):
        shutil.rmtree(self.landed(), ignore_errors=True)
        self.do(f"{self.program} extract --store={self.medium}/store.castr {self.medium}/data.caidx {self.landed()}")
        self.publish(content, self.landed())


class Nix(Archive):
    """`nix copy` to a binary cache on the medium and from it, unsigned; it checks the digests of its archives itself."""

    def __init__(self, source, build, program):
        super().__init__("nix copy", source, build, "", "")
        self.program = program

    def nix(self, command):
        (self.low / "nix.conf").write_text("experimental-features = nix-command\nbuild-users-group =\nsandbox = false\n")
        self.do(f"NIX_CONF_DIR={self.low} HOME={self.low} {self.program} {command}")

    def create(self, content):
        self.nix(f"store add-path --store {self.low}/nix --name data {self.gather(content)} > {self.low}/path")
        self.path = (self.low / "path").read_text().strip()
        self.nix(f"copy --quiet --no-check-sigs --from {self.low}/nix --to 'file://{self.medium}/nix?compression=zstd' {self.path}")
        self.do(f"sync -f {self.medium}")

    def land(self, content):
        self.nix(f"copy --quiet --store {self.high}/none --no-check-sigs --from file://{self.medium}/nix --to {self.high}/nix {self.path}")
        self.publish(content, self.landed())

    def landed(self):
        return pathlib.Path(f"{self.high}/nix{self.path}")


class Zarf(Archive):
    def __init__(self, source, build, program):
        super().__init__("Zarf", source, build, "", "")
        self.program = program

    def zarf(self, command):
        self.do(f"HOME={self.low} {self.program} {command} --no-progress --log-level error --zarf-cache {self.low}/cache --tmpdir {self.low}")

    def create(self, content):
        component = "components:\n  - name: data\n    required: true\n"
        if content.folder:
            component += f"    files:\n      - source: {content.folder}\n        target: {self.high}/data\n"
        if content.images:
            component += "    images:\n" + "".join(f"      - {self.source}/{image}\n" for image in content.images)
        (self.low / "zarf.yaml").write_text(f"kind: ZarfPackageConfig\nmetadata:\n  name: bench\n  architecture: amd64\n{component}")
        self.zarf(f"package create {self.low} --confirm --skip-sbom --plain-http -o {self.medium}")
        self.do(f"sync -f {self.medium}")

    def land(self, content):
        package = next(self.medium.glob("zarf-package-*"))
        if content.images:
            with contextlib.closing(registry(self.high, self.port)):
                self.zarf(f"package mirror-resources {package} --confirm --plain-http --no-img-checksum --images "
                          f"--registry-url 127.0.0.1:{self.port} --registry-push-username x --registry-push-password x")
        else:
            self.zarf(f"package deploy {package} --confirm")
        self.do(f"sync -f {self.high}")


class Hauler(Archive):
    def __init__(self, source, build, program):
        super().__init__("Hauler", source, build, "", "")
        self.program = program

    def hauler(self, side, command):
        self.do(f"cd {side} && HOME={side} {self.program} --log-level error --store {side}/store --tempdir {side} {command}")

    def create(self, content):
        kind, key = ("Images", "images") if content.images else ("Files", "files")
        members = [{"name": f"{self.source}/{image}"} for image in content.images] or \
                  [{"path": str(path)} for path in self.paths(content)]
        (self.low / "hauler.yaml").write_text(json.dumps(
            {"apiVersion": "content.hauler.cattle.io/v1", "kind": kind, "metadata": {"name": "bench"}, "spec": {key: members}}))
        self.hauler(self.low, f"store sync --filename {self.low}/hauler.yaml")
        self.hauler(self.low, f"store save --filename {self.medium}/haul.tar.zst")
        self.do(f"sync -f {self.medium}")

    def land(self, content):
        self.hauler(self.high, f"store load --filename {self.medium}/haul.tar.zst")
        self.do(f"sync -f {self.high}")

    def serve(self, content):
        what = "registry" if content.images else "fileserver"
        return Server(["/bin/sh", "-c", f"cd {self.high} && HOME={self.high} exec {self.program} --log-level error --store {self.high}/store --tempdir {self.high} "
                       f"store serve {what} --port {self.port} --directory {self.high}/served"])

    def paths(self, content):
        """Each file; of many the folder, which it makes one archive of: 20,000 files of their own took it minutes."""
        return content.files() if len(content.files()) < 100 else [content.folder]

    def path_of(self, content):
        return self.paths(content)[-1].name

    def first(self, content):
        # A name without a folder gets one.
        return manifest(f"127.0.0.1:{self.port}", f"library/{content.images[-1]}") if content.images else super().first(content)


def expected(source, content):
    return manifest(source, content.images[-1]) if content.images else content.files()[-1].read_bytes()


def disk_of(folder):
    return int(subprocess.run(["du", "-sB1", str(folder)], capture_output=True, text=True).stdout.split()[0])


class DiskWatch:
    """The most that was in use on the file system of a folder at one time, above what was when it began. Others who write there
    are counted as well."""

    def __init__(self, folder):
        self.folder, self.most = folder, 0
        self.begin = self.used()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def used(self):
        now = os.statvfs(self.folder)
        return (now.f_blocks - now.f_bfree) * now.f_frsize

    def watch(self):
        while not self.stop.wait(0.05):
            self.most = max(self.most, self.used() - self.begin)

    def close(self):
        self.stop.set()
        self.thread.join()


def race(racer, content, source, work, limit):
    """Seconds of each stage; bytes that the commands read and wrote; memory; disk in the end and at most. `work` is new: after many files were deleted ext4 is slow to make others for
    minutes (it does not take inodes that went just now), which would be counted as the next racer's."""
    racer.begins(limit)
    racer.begin(work)
    if content.before:  # the receiver has it, whoever brought it
        before = Content("before", images=content.before)
        racer.create(before)
        racer.land(before)
        for old in racer.medium.iterdir():
            if isinstance(racer, Liftlock):  # its delta names what it builds on
                continue
            if old.is_dir():
                shutil.rmtree(old)
            else:
                old.unlink()
        racer.begins(limit)
    with contextlib.closing(DiskWatch(work)) as disk:
        start = time.monotonic()
        racer.create(content)
        created = time.monotonic()
        racer.land(content)
        landed = time.monotonic()
    server = racer.serve(content)
    try:
        got = racer.first(content)
    finally:
        end = time.monotonic()
        server.close()
    archive = isinstance(racer, Hauler) and content.folder and racer.paths(content) == [content.folder]
    if not got or (not archive and hashlib.sha256(got).digest() != hashlib.sha256(expected(source, content)).digest()):
        raise measure.Failed(f"{racer.name} serves something else of {content.name}")
    return {"create": created - start, "land": landed - created, "serve": end - landed, "total": end - start,
            "memory": racer.peak, "read": racer.read, "written": racer.written, "disk_peak": disk.most,
            "disk": disk_of(racer.low) + disk_of(racer.medium) + disk_of(racer.high)}


def make_images(work, count, address):
    """Images that share four layers of 16 MiB and have one of 2 MiB of their own; and app-0:2 with a new one."""
    layout = work / "layout"
    measure.run(f"umoci init --layout {layout} && umoci new --image {layout}:base")

    def add(image, mib):
        (work / "layer.bin").write_bytes(os.urandom(mib * 2**20))
        measure.run(f"tar --owner 0 --group 0 -C {work} -cf {work}/layer.tar layer.bin && umoci raw add-layer --image {layout}:{image} {work}/layer.tar")

    for _ in range(4):
        add("base", 16)
    images = [f"app-{i}:1" for i in range(count)]
    for image in images + ["app-0:2"]:
        tag = image.replace(":", "-")
        measure.run(f"umoci tag --image {layout}:base {tag}")
        add(tag, 2)
        measure.run(f"skopeo copy -q --dest-tls-verify=false oci:{layout}:{tag} docker://{address}/{image}")
    shutil.rmtree(layout)
    return images


def racers(source, build):
    found = [Liftlock("Liftlock", source, build), LiftlockTar("Liftlock tar", source, build), Archive("tar, zstd", source, build, "zstd -q -T0", "zstd -q -d"),
             Archive("tar, gzip", source, build, "gzip", "gzip -d")]
    for name, make in (("ZARF", Zarf), ("HAULER", Hauler), ("CASYNC", Casync), ("NIX", Nix)):
        program = os.environ.get(name) or shutil.which(name.lower())
        if program:
            found.append(make(source, build, program))
            print(f"{name.lower()}: {program}")
        else:
            print(f"{name.lower()}: not here, left out")
    return found


def require_room(work, args):
    """Of the sources, of three copies of the largest content, and of every race with small files, whose folders stay."""
    large, small = args.gib * 2**30, args.small * 10000
    needed = int(5 * large + small + 6 * args.rounds * 4 * small + args.images * 2**23)
    free = shutil.disk_usage(work).free
    if free < needed:
        raise SystemExit(f"some {needed / 2**30:.0f} GiB are needed below {work}, and {free / 2**30:.0f} are free: fewer --rounds, --small or --gib")


COLUMNS = ("total", "create", "land", "serve", "memory", "read", "written", "disk", "disk_peak")


def append(file, race_of, content, number, racer, run, why=""):
    """A line of a table that is committed: seconds and bytes of one run, or why it was stopped."""
    file.parent.mkdir(parents=True, exist_ok=True)
    is_new = not file.exists()
    figures = [f"{run[key]:.3f}" if isinstance(run[key], float) else str(run[key]) for key in COLUMNS] if run else [""] * len(COLUMNS)
    with file.open("a") as out:
        if is_new:
            out.write("\t".join(("race", "content", "round", "racer", *COLUMNS, "stopped")) + "\n")
        out.write("\t".join((race_of, content, str(number), racer, *figures, " ".join(why.split())[-200:])) + "\n")


def table(name, results, stopped):
    print(f"\n{name}\n{'':12} {'total':>8} {'create':>8} {'land':>8} {'serve':>8} {'memory':>10} {'read':>10} {'written':>10} {'disk':>10} {'at most':>10}   ours is")
    medians = {racer: {key: statistics.median(one[key] for one in runs) for key in runs[0]} for racer, runs in results.items()}
    ours = medians["Liftlock"]["total"] if "Liftlock" in medians else float("nan")
    for racer, one in medians.items():
        ratio = "" if racer == "Liftlock" else f"{one['total'] / ours:.2f} × as fast"
        print(f"{racer:12} {one['total']:>7.2f}s {one['create']:>7.2f}s {one['land']:>7.2f}s {one['serve']:>7.2f}s "
              + " ".join(f"{one[key] / 2**20:>6.0f} MiB" for key in ("memory", "read", "written", "disk", "disk_peak")) + f"   {ratio}", flush=True)
    for racer, why in stopped.items():
        print(f"{racer:12} stopped: {why[-300:]}", flush=True)


def main():
    args = measure.arguments(gib=4.0, small=20000, images=30, rounds=7, limit=1800, only="", results="")
    results_file = pathlib.Path(args.results) if args.results else None
    race_of = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    build, work = args.build.resolve(), args.work.resolve()
    require_room(work, args)
    failed = False
    port = skopeo.free_port()
    source = f"127.0.0.1:{port}"
    (work / "source").mkdir()
    upstream = registry(work / "source", port)
    try:
        wanted = set(filter(None, args.only.split(",")))
        contents = []
        if not wanted or "large" in wanted:
            crossing.make_large(work / "large", args.gib)
            contents.append(Content(f"{args.gib:g} GiB in four files", folder=work / "large"))
        if not wanted or "small" in wanted:
            crossing.make_small(work / "small", args.small)
            contents.append(Content(f"{args.small} files of 8 KiB", folder=work / "small"))
        if not wanted or "images" in wanted:
            images = make_images(work, args.images, source)
            contents.append(Content(f"{args.images} images that share layers", images=images))
            contents.append(Content("a new layer on one of them", images=["app-0:2"], before=images))
        os.sync()  # else the first racer that syncs pays for the sources
        found = racers(source, build)
        raw = {}  # every run, for the plots and for whoever wants other figures than medians
        for content in contents:
            results, stopped = collections.defaultdict(list), {}
            has_many = content.folder is not None and len(content.files()) > 1000
            for i in range(args.rounds):
                for racer in found:
                    if racer.name in stopped or isinstance(racer, LiftlockTar) and not has_many:
                        continue
                    folder = pathlib.Path(tempfile.mkdtemp(dir=work))
                    try:
                        run = race(racer, content, source, folder, args.limit)
                        results[racer.name].append(run)
                    except measure.Failed as error:
                        run, stopped[racer.name] = None, str(error)
                        print(f"{racer.name}, {content.name}: {error}", flush=True)
                    if results_file:
                        append(results_file, race_of, content.name, i + 1, racer.name, run, stopped.get(racer.name, ""))
                    if not has_many:
                        shutil.rmtree(folder)
                    raw[content.name] = results
                    (build / "race.json").write_text(json.dumps(raw, indent=1))
            table(content.name, results, stopped)
            failed = failed or bool(stopped)
        plot.plot(build / "race.json")
    finally:
        upstream.close()
        shutil.rmtree(work, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
