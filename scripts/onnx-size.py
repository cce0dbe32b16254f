#!/usr/bin/env python3
"""Gives a model in the ONNX format another size of its input, where it works with any.

    scripts/onnx-size.py MODEL OUT WIDTHxHEIGHT [BATCH]

Some models are exported for one size (CenterFace: ten pictures of 32x32) though nothing in them depends on
it. The first input becomes [BATCH, channels, HEIGHT, WIDTH] (BATCH is 1 unless it is given), outputs become
of any size. Needs nothing but Python: the format is Protocol Buffers.
"""

import sys
from pathlib import Path


def varint(data, at):
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return number, at


def written(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def fields(data):
    """Number, wire type and content of each field; a number is its own content."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            content, at = varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(kind)
            if size is None:
                size, at = varint(data, at)
            content = data[at : at + size]
            at += size
        yield key >> 3, kind, content


def field(number, kind, content):
    head = written(number << 3 | kind)
    if kind == 0:
        return head + written(content)
    return head + (written(len(content)) if kind == 2 else b"") + bytes(content)


def edited(data, number, change):
    """A message in which each field `number` is changed."""
    parts = (field(n, kind, change(content) if n == number else content) for n, kind, content in fields(data))
    return b"".join(parts)


def dimension(size):
    """A dimension: of a size, or of any, by a name."""
    return field(1, 0, size) if isinstance(size, int) else field(2, 2, size.encode())


def shaped(value, sizes):
    """An input or output with another shape: value info, type, tensor, shape, dimensions."""
    shape = b"".join(field(1, 2, dimension(size)) for size in sizes)
    return edited(value, 2, lambda kind: edited(kind, 1, lambda tensor: edited(tensor, 2, lambda _: shape)))


def name(value):
    return next(bytes(content).decode() for number, _, content in fields(value) if number == 1)


def rank(value):
    sizes = []

    def count(shape):
        sizes.extend(content for number, _, content in fields(shape) if number == 1)
        return shape

    edited(value, 2, lambda kind: edited(kind, 1, lambda tensor: edited(tensor, 2, count)))
    return len(sizes)


def resized(model, width, height, batch):
    def graph(graph):
        # Old files name their constants among the inputs.
        constants = set()
        for number, _, content in fields(graph):
            if number == 5:
                constants.update(bytes(text).decode() for n, _, text in fields(content) if n == 8)
        pictures = next(
            name(content) for number, _, content in fields(graph) if number == 11 and name(content) not in constants
        )

        def given(value):
            return shaped(value, [batch, 3, height, width]) if name(value) == pictures else value

        def gone(value):
            return shaped(value, [f"{name(value)}_{at}" for at in range(rank(value))])

        return edited(edited(graph, 11, given), 12, gone)

    return edited(model, 7, graph)


def main():
    if not 4 <= len(sys.argv) <= 5:
        sys.exit(__doc__)
    width, height = (int(side) for side in sys.argv[3].split("x"))
    batch = int(sys.argv[4]) if len(sys.argv) == 5 else 1
    model = memoryview(Path(sys.argv[1]).read_bytes())
    Path(sys.argv[2]).write_bytes(resized(model, width, height, batch))


if __name__ == "__main__":
    main()
