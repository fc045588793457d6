#!/usr/bin/env python3
"""Checks an exported audit log: every entry, every tile, the root and the signature of its checkpoint.

    python3 check_log.py [FOLDER] [--key VERIFIER_KEY] [--earlier CHECKPOINT] [--witness WITNESS_KEY] [--print]

Formats: RFC 6962 hashes, C2SP tlog-tiles, tlog-checkpoint, tlog-cosignature and signed-note, RFC 8032 signatures. Standard
library only.
Without --key the signature is checked with the key.pub of the folder, which only shows that the folder is whole: compare
the key that is printed with one you got another way. Exit status: 0 good, 1 not.
"""
import argparse, base64, datetime, hashlib, json, pathlib, sys

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):  # points as (X, Y, Z, T), RFC 8032 section 5.1.4
    A, B = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    C, E = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    return (B - A) * (E - C) % P, (E + C) * (B + A) % P, (E - C) * (E + C) % P, (B - A) * (B + A) % P


def times(n, point):
    out = (0, 1, 1, 0)
    while n:
        out, point, n = add(out, point) if n & 1 else out, add(point, point), n >> 1
    return out


def point(raw):
    sign, y = raw[31] >> 7, int.from_bytes(raw, "little") & (1 << 255) - 1
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    need(y < P and (x * x - xx) % P == 0 and (x or not sign), "a point that is not on the curve")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def ed25519(key, message, signature):
    s = int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    base = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
    left, right = times(s, base), add(point(signature[:32]), times(k, point(key)))
    return s < L and all((left[i] * right[2] - right[i] * left[2]) % P == 0 for i in (0, 1))


def need(fact, what):
    if not fact:
        sys.exit(f"BAD: {what}")


def unbase64(text, what):
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raw = b""
    need(base64.b64encode(raw).decode() == text, f"{what} is not base64")
    return raw


def read(path):
    try:
        return path.read_bytes()
    except OSError as error:
        sys.exit(f"BAD: {error}")


def digests(folder):
    """SHA256SUMS names every file of the folder, and no other, with the digest that it has."""
    text = read(folder / "SHA256SUMS").decode(errors="replace")
    need(text.endswith("\n"), "SHA256SUMS: the last line is not ended")
    listed = {line[66:]: line[:66] for line in text[:-1].split("\n")}
    there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    there.pop("SHA256SUMS")
    for name in sorted(listed.keys() | there.keys()):
        need(name in there and name in listed, f"{name} is not both in the folder and in SHA256SUMS")
        need(listed[name] == hashlib.sha256(read(there[name])).hexdigest() + "  ", f"{name} does not have the digest of SHA256SUMS")


def checkpoint(path, key_text, witness=None):
    """Size, root, and when the witness cosigned it."""
    try:
        text, signatures = read(path).decode().split("\n\n")
        origin, size, root, end = (text + "\n").split("\n")
    except ValueError:
        sys.exit(f"BAD: {path}: not a checkpoint")
    size_number = int(size) if size.isascii() and size.isdigit() else -1
    need(origin == key_text.split("+")[0] and end == "" and str(size_number) == size, f"{path}: its lines are wrong")
    need(signatures.endswith("\n"), f"{path}: the last line is not ended")

    def signature(key_text, kind, length):
        try:
            name, key_id, key = key_text.split("+", 2)
        except ValueError:
            sys.exit("BAD: not a verifier key")
        key = unbase64(key, "the key")
        key_hash = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
        need(len(key) == 33 and key[0] == kind and key_hash.hex() == key_id, f"the verifier key of {name} is malformed")
        mine = [line for line in signatures[:-1].split("\n") if line.startswith(f"\u2014 {name} ")]
        raw = [unbase64(line.split(" ", 2)[2], f"{path}: the signature") for line in mine]
        raw = [one for one in raw if one[:4] == key_hash]
        need(len(raw) == 1 and len(raw[0]) == length, f"{path}: no signature of {name}")
        return key[1:], raw[0][4:]

    body, time = (text + "\n").encode(), None
    key, raw = signature(key_text, 1, 68)
    need(ed25519(key, body, raw), f"{path}: the signature does not fit")
    if witness:
        key, raw = signature(witness, 4, 76)
        time = int.from_bytes(raw[:8], "big")
        need(ed25519(key, b"cosignature/v1\ntime %d\n" % time + body, raw[8:]), f"{path}: the cosignature does not fit")
    return size_number, unbase64(root, f"{path}: the root"), time


def tile(folder, level, number, width):
    groups = [f"{number % 1000:03}"]
    while number >= 1000:
        number //= 1000
        groups.insert(0, f"x{number % 1000:03}")
    return folder / "tile" / str(level) / ("/".join(groups) + (f".p/{width}" if width < 256 else ""))


def entries(folder, size):
    for number in range((size + 255) // 256):
        width = min(256, size - 256 * number)
        path = tile(folder, "entries", number, width)
        raw, at, found = read(path), 0, 0
        while at < len(raw):
            length = int.from_bytes(raw[at:at + 2], "big")
            need(at + 2 + length <= len(raw), f"{path}: cut within an entry")
            yield raw[at + 2:at + 2 + length]
            at, found = at + 2 + length, found + 1
        need(found == width, f"{path}: {found} entries, not {width}")


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def tree_root(hashes):
    if not hashes:
        return hashlib.sha256(b"").digest()
    while len(hashes) > 1:
        odd = hashes[-1:] if len(hashes) % 2 else []
        hashes = [node(a, b) for a, b in zip(hashes[::2], hashes[1::2])] + odd
    return hashes[0]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", nargs="?", default=".", type=pathlib.Path)
    options.add_argument("--key", help="the verifier key that you trust: NAME+HEX+BASE64")
    options.add_argument("--earlier", type=pathlib.Path, help="a checkpoint of this log that you saw before")
    options.add_argument("--witness", action="append", default=[], help="the key of a witness that you trust: NAME+HEX+BASE64")
    options.add_argument("--print", action="store_true", help="print the entries, one JSON document per line")
    chosen = options.parse_args()
    own_key = read(chosen.folder / "key.pub").decode(errors="replace")
    need(own_key.endswith("\n"), "key.pub does not end in a newline")
    key = chosen.key or own_key[:-1]
    need(key == own_key[:-1], "key.pub is not the key that you trust")

    size, root, _ = checkpoint(chosen.folder / "checkpoint", key)
    level, leaves = 0, []
    for entry in entries(chosen.folder, size):
        leaves.append(hashlib.sha256(b"\0" + entry).digest())
        if chosen.print:
            print(json.dumps(dict(json.loads(entry), index=len(leaves) - 1), ensure_ascii=False, sort_keys=True))
    hashes = leaves
    while hashes:
        for first in range(0, len(hashes), 256):
            part = hashes[first:first + 256]
            path = tile(chosen.folder, level, first // 256, len(part))
            need(read(path) == b"".join(part), f"{path}: not the hashes of what lies below it")
        hashes = [tree_root(hashes[i:i + 256]) for i in range(0, len(hashes) - len(hashes) % 256, 256)]
        level += 1
    need(tree_root(leaves) == root, "the root of the entries is not the root of the checkpoint")
    if chosen.earlier:
        old_size, old_root, _ = checkpoint(chosen.earlier, key)
        need(old_size <= size, f"the log is shorter than it was: {size} entries, {old_size} in {chosen.earlier}")
        need(tree_root(leaves[:old_size]) == old_root, f"the log is not a continuation of {chosen.earlier}: a fork")
    for witness in chosen.witness:
        path = chosen.folder / "witness" / (hashlib.sha256(witness.encode()).hexdigest()[:16] + ".checkpoint")
        old_size, old_root, time = checkpoint(path, key, witness)
        need(old_size <= size, f"the log is shorter than its witness saw it: {size} entries, {old_size} in {path}")
        need(tree_root(leaves[:old_size]) == old_root, f"the log is not a continuation of {path}: a fork")
        when = datetime.datetime.fromtimestamp(time, datetime.timezone.utc).isoformat()
        print(f"good: {old_size} entries were there on {when}, cosigned by {witness}", file=sys.stderr)
    digests(chosen.folder)
    print(f"good: {size} entries, root {root.hex()}, signed by {key}", file=sys.stderr)


main()
