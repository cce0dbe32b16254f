"""Where somebody speaks, by the rules of the package silero-vad, with ONNX Runtime for Python.

    python3 silero_ranges.py MODEL < samples (16 kHz, mono, 16 bits, little-endian)

Prints a line for each range: start, end in milliseconds. Compared with what `speech` says.
"""

import sys

import numpy
import onnxruntime

THRESHOLD, MIN_SPEECH, MIN_SILENCE, PAD = 0.5, 250, 100, 30
WINDOW = 32


def probabilities(session, samples):
    state = numpy.zeros((2, 1, 128), numpy.float32)
    context = numpy.zeros(64, numpy.float32)
    for at in range(0, len(samples), 512):
        window = samples[at:at + 512]
        window = numpy.pad(window, (0, 512 - len(window)))
        given = {
            "input": numpy.concatenate([context, window])[None],
            "state": state,
            "sr": numpy.array(16000, dtype=numpy.int64),
        }
        out, state = session.run(None, given)
        context = window[-64:]
        yield float(out[0, 0])


def ranges(all_probabilities, end):
    found, start, pause = [], None, None
    for number, probability in enumerate(all_probabilities):
        time = number * WINDOW
        if probability >= THRESHOLD:
            pause = None
            if start is None:
                start = time
        elif start is not None and probability < THRESHOLD - 0.15:
            if pause is None:
                pause = time
            if time - pause >= MIN_SILENCE:
                if pause - start > MIN_SPEECH:
                    found.append((start, pause))
                start = pause = None
    if start is not None and end - start > MIN_SPEECH:
        found.append((start, end))
    return [(max(0, start - PAD), min(end, stop + PAD)) for start, stop in found]


options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options)
samples = numpy.frombuffer(sys.stdin.buffer.read(), "<i2").astype(numpy.float32) / 32768
for start, stop in ranges(probabilities(session, samples), len(samples) // 16):
    print(start, stop)
