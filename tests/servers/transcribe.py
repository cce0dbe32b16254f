"""Transcription for tests: refuses every request that is not as the interface is documented, decodes the
sound, and says which tone it hears.

    python3 transcribe.py

Listens on a free port of the loopback interface, prints it, and ends with its standard input. Tones above
2 kHz are refused.
"""

import email.parser
import email.policy
import io
import struct
import wave

from loopback import expect, serve


def fields_of(kind, body):
    head = f"Content-Type: {kind}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    expect(message.is_multipart(), "no form")
    fields = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        expect(name not in fields, f"{name} twice")
        fields[name] = (part, part.get_payload(decode=True))
    return fields


def tone_of(samples, rate):
    """By the mean distance of its crossings of zero."""
    loud = max(map(abs, samples)) / 4
    places = []
    for index in range(1, len(samples)):
        before, now = samples[index - 1], samples[index]
        if before < 0 <= now and max(map(abs, samples[max(0, index - 40):index + 40])) > loud:
            places.append(index - 1 + before / (before - now))
    expect(len(places) > 10, "nothing to hear")
    steps = sorted(b - a for a, b in zip(places, places[1:]))
    return rate / steps[len(steps) // 2]


def answer(kind, body):
    fields = fields_of(kind, body)
    known = {"file", "model", "response_format", "timestamp_granularities[]", "temperature", "language", "prompt"}
    expect(set(fields) <= known, f"unknown fields {set(fields) - known}")
    expect(fields["model"][1] == b"tones-of-tests", "another model")
    expect(fields["response_format"][1] == b"verbose_json", "another form of answer")
    expect(fields["language"][1] == b"en", "another language")
    part, data = fields["file"]
    expect(part.get_filename().endswith(".wav") and part.get_content_type() == "audio/wav", "no WAV file")
    with wave.open(io.BytesIO(data)) as sound:
        expect(sound.getnchannels() == 1 and sound.getsampwidth() == 2, "another form of sound")
        rate, count = sound.getframerate(), sound.getnframes()
        samples = struct.unpack(f"<{count}h", sound.readframes(count))
    tone = round(tone_of(samples, rate) / 10) * 10
    expect(tone <= 2000, f"a tone of {tone} Hz is too high")
    text = f"{tone} Hz"
    return {
        "task": "transcribe", "language": "english", "duration": count / rate, "text": text,
        "segments": [{"id": 0, "start": 0.0, "end": count / rate, "text": f" {text}", "avg_logprob": -0.10536}],
    }


serve("/v1/audio/transcriptions", answer)
