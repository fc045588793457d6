#!/usr/bin/env python3
"""Writes git bundles, one small file per rule that it breaks (evil_*) and some that are fine (good_*): the seed corpus
fuzz/git_bundle_fuzz, and what tests/interop/git_test.sh carries across. Python standard library only; equal runs give
equal bytes.

  make_evil_bundles.py [FOLDER]
"""
import hashlib
import pathlib
import sys
import zlib

COMMIT, TREE, BLOB, TAG, OFFSET_DELTA, ID_DELTA = 1, 2, 3, 4, 6, 7
NAMES = {COMMIT: "commit", TREE: "tree", BLOB: "blob", TAG: "tag"}
PERSON = "A <a@example.test> 1700000000 +0000"


def id_of(kind, content):
    return hashlib.sha1(f"{NAMES[kind]} {len(content)}\0".encode() + content).digest()


def head_of(kind, size):
    out = bytearray([kind << 4 | size & 15])
    size >>= 4
    while size:
        out[-1] |= 0x80
        out.append(size & 0x7F)
        size >>= 7
    return bytes(out)


def number(value):
    out = bytearray()
    while True:
        out.append(value & 0x7F)
        value >>= 7
        if not value:
            return bytes(out)
        out[-1] |= 0x80


class Pack:
    def __init__(self):
        self.objects = []

    def add(self, kind, content):
        self.objects.append(head_of(kind, len(content)) + zlib.compress(content, 9))
        return id_of(kind, content)

    def raw(self, data):
        self.objects.append(data)

    def data(self, more=0):
        body = b"PACK" + (2).to_bytes(4, "big") + (len(self.objects) + more).to_bytes(4, "big") + b"".join(self.objects)
        return body + hashlib.sha1(body).digest()


def entry(mode, name, identity):
    return f"{mode} {name}".encode() + b"\0" + identity


def commit(tree, parents=()):
    lines = [f"tree {tree.hex()}"] + [f"parent {one.hex()}" for one in parents]
    return ("\n".join(lines) + f"\nauthor {PERSON}\ncommitter {PERSON}\n\nword\n").encode()


def bundle(refs, pack, first="# v2 git bundle\n", more=0):
    head = first + "".join(f"{identity.hex()} {name}\n" for name, identity in refs.items()) + "\n"
    return head.encode() + pack.data(more)


def small(*extra, tree=None):
    """A pack with a file in a commit, and what extra(pack) adds; the refs."""
    pack = Pack()
    blob = pack.add(BLOB, b"hello\n")
    made = pack.add(TREE, tree(pack, blob) if tree else entry("100644", "a", blob))
    tip = pack.add(COMMIT, commit(made))
    for one in extra:
        one(pack)
    return pack, {"refs/heads/main": tip}


def with_modules(text):
    def tree(pack, blob):
        modules = pack.add(BLOB, text.encode())
        return entry("100644", ".gitmodules", modules) + entry("160000", "x", b"\1" * 20)
    return tree


def all_bundles():
    pack, refs = small()
    whole = bundle(refs, pack)
    yield "good_small", whole
    yield "good_v3", bundle(refs, pack, "# v3 git bundle\n@object-format=sha1\n")
    base = b"b" * 300
    copy = number(300) + number(303) + b"\xb0\x2c\x01" + b"\x03end"
    yield "good_id_delta", bundle(refs, small(lambda p: p.raw(head_of(ID_DELTA, len(copy)) + p.add(BLOB, base) + zlib.compress(copy)))[0])
    near = small(lambda p: p.add(BLOB, base))[0]
    near.raw(head_of(OFFSET_DELTA, len(copy)) + bytes([len(near.objects[-1])]) + zlib.compress(copy))
    yield "good_offset_delta", bundle(refs, near)
    tag = small()[0]
    text = f"object {refs['refs/heads/main'].hex()}\ntype commit\ntag v1\ntagger {PERSON}\n\nv1\n".encode()
    yield "good_tag", bundle({**refs, "refs/tags/v1": tag.add(TAG, text)}, tag)

    yield "evil_truncated", whole[:-30]
    yield "evil_in_head", whole[:60]
    yield "evil_trailer", whole[:-1] + bytes([whole[-1] ^ 1])
    yield "evil_after", whole + b"x"
    yield "evil_ref_elsewhere", bundle({"refs/heads/main": b"\1" * 20}, pack)
    yield "evil_ref_is_tree", bundle({"refs/heads/main": id_of(TREE, entry("100644", "a", id_of(BLOB, b"hello\n")))}, pack)
    yield "evil_prerequisite", bundle(refs, pack, "# v2 git bundle\n-" + "b" * 40 + " older\n")
    yield "evil_filter", bundle(refs, pack, "# v3 git bundle\n@filter=blob:none\n")
    lacks = small(tree=lambda p, blob: entry("100644", "a", b"\7" * 20))
    yield "evil_object_missing", bundle(lacks[1], lacks[0])
    shallow = Pack()
    tip = shallow.add(COMMIT, commit(shallow.add(TREE, b""), [b"\t" * 20]))
    yield "evil_parent_missing", bundle({"refs/heads/main": tip}, shallow)
    for name, tree in {
            "evil_dot_git": lambda p, blob: entry("100644", ".GIT", blob),
            "evil_dot_dot": lambda p, blob: entry("100644", "..", blob),
            "evil_slash": lambda p, blob: entry("100644", "a/b", blob),
            "evil_order": lambda p, blob: entry("100644", "b", blob) + entry("100644", "a", blob),
            "evil_modules_link": lambda p, blob: entry("120000", ".gitmodules", blob),
            "evil_in_tree": lambda p, blob: entry("100644", "a", blob)[:-1],
            # For git itself, which knows these: see src/ecosystem/git/pack.hpp.
            "git_modules_option": with_modules('[submodule "x"]\n\tpath = x\n\turl = -u./payload\n'),
            "git_modules_name": with_modules('[submodule "../../x"]\n\tpath = x\n\turl = https://git.example/x\n'),
            "git_dot_git_folded": lambda p, blob: "100644 .g\u200cit".encode() + b"\0" + blob}.items():
        attacked, where = small(tree=tree)
        yield name, bundle(where, attacked)
    yield "evil_bomb", bundle(refs, small(lambda p: p.raw(head_of(BLOB, 3) + zlib.compress(bytes(20_000_000), 9)))[0])
    yield "evil_huge", bundle(refs, small(lambda p: p.raw(head_of(BLOB, 1 << 50) + zlib.compress(b"x")))[0])
    yield "evil_count", bundle(refs, pack, more=1_000_000)
    for name, delta in {"base_size": number(99) + number(1) + b"\1x", "copy": number(6) + number(9) + b"\x90\t",
                        "reserved": number(6) + number(1) + b"\0", "grows": number(6) + number(1 << 40) + b"\x90\6",
                        "ends": number(6) + number(9) + b"\tx"}.items():
        yield f"evil_delta_{name}", bundle(
            refs, small(lambda p: p.raw(head_of(ID_DELTA, len(delta)) + id_of(BLOB, b"hello\n") + zlib.compress(delta)))[0])
    yield "evil_delta_alone", bundle(refs, small(lambda p: p.raw(head_of(ID_DELTA, 1) + b"\1" * 20 + zlib.compress(b"x")))[0])
    yield "evil_delta_far", bundle(refs, small(lambda p: p.raw(head_of(OFFSET_DELTA, 1) + b"\x7f" + zlib.compress(b"x")))[0])


def main():
    default = pathlib.Path(__file__).resolve().parents[2] / "fuzz/git_bundle_fuzz"
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in all_bundles():
        (folder / f"{name}.bundle").write_bytes(data)


if __name__ == "__main__":
    main()
