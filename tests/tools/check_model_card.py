#!/usr/bin/env python3
"""Compares a GGUF file with what its model card says of it; Python standard library only.

  check_model_card.py MODEL.gguf MODEL_CARD.md

Each row "| `KEY` | VALUE |" of the card must be true: KEY is a key of the file's metadata, or one of `size`, `sha256`,
`parameters`, `tensor types`.
"""
import hashlib
import math
import re
import struct
import sys

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
TENSOR_TYPES = {0: "F32", 1: "F16", 8: "Q8_0"}


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def scalar(self, form):
        size = struct.calcsize("<" + form)
        self.at += size
        return struct.unpack_from("<" + form, self.data, self.at - size)[0]

    def string(self):
        size = self.scalar("Q")
        self.at += size
        return self.data[self.at - size:self.at].decode()

    def value(self, kind):
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            kind = self.scalar("I")
            return [self.value(kind) for _ in range(self.scalar("Q"))]
        return self.scalar(SCALARS[kind])


def facts(data):
    reader = Reader(data)
    if data[:4] != b"GGUF":
        sys.exit("not a GGUF file")
    reader.at = 8
    tensors, pairs = reader.scalar("Q"), reader.scalar("Q")
    found = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    for _ in range(pairs):
        key = reader.string()
        found[key] = reader.value(reader.scalar("I"))
    parameters, kinds = 0, set()
    for _ in range(tensors):
        reader.string()
        parameters += math.prod(reader.scalar("Q") for _ in range(reader.scalar("I")))
        kinds.add(TENSOR_TYPES.get(reader.scalar("I"), "other"))
        reader.scalar("Q")
    return {**found, "parameters": parameters, "tensor types": ", ".join(sorted(kinds))}


def shown(value):
    """As the card has it: a list by its length or, when it is short, its members; numbers plainly."""
    if isinstance(value, list):
        return f"{len(value)} entries" if len(value) > 8 else ", ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def main():
    model, card = sys.argv[1:]
    found = facts(open(model, "rb").read())
    rows = re.findall(r"^\| `([^`]+)` \| (.*?) \|$", open(card).read(), re.M)
    wrong = [f"{key}: the card says '{said}', the file '{shown(found[key]) if key in found else 'nothing'}'"
             for key, said in rows if key not in found or shown(found[key]) != said.strip("`")]
    for line in wrong:
        print(line)
    if wrong or len(rows) < 10:
        sys.exit(f"{len(wrong)} of {len(rows)} rows of the card are wrong")
    print(f"{len(rows)} rows of the card are true")


if __name__ == "__main__":
    main()
