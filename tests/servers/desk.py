"""A news desk for tests: chat completions about texts. Refuses every request that is not as the interface is
documented, and answers with what it reads in the question: lines of a transcript that say the same are a story,
high tones are good news, and a label is the title of what it saw most.

    python3 desk.py

Listens on a free port of the loopback interface, prints it, and ends with its standard input.
"""

import collections
import json
import re

from loopback import Refused, expect, serve


def stories_of(question):
    stories = []
    for start, end, text in re.findall(r"^\[([\d.]+) - ([\d.]+)\] (.*)$", question, re.MULTILINE):
        if stories and stories[-1]["title"] == text:
            stories[-1]["end"] = float(end)
        else:
            stories.append({"start": float(start), "end": float(end), "title": text, "summary": f"all of {text}"})
    return {"stories": stories}


def feelings_of(question):
    tones = re.findall(r"^\d+\. (\d+) Hz$", question, re.MULTILINE)
    return {"answers": [{"sentiment": "positive" if int(tone) >= 900 else "neutral"} for tone in tones]}


def label_of(question):
    seen = collections.Counter(re.findall(r"text=(\d+ Hz)", question))
    expect(seen, "nothing was observed")
    (text, count), = seen.most_common(1)
    return {"label": f"{text}, {count} times"}


def answer(body):
    known = {"model", "messages", "temperature", "max_tokens", "response_format"}
    expect(set(body) == known, f"keys {set(body) ^ known}")
    expect(body["model"] == "desk-of-tests" and body["temperature"] == 0, "another model")
    (message,) = body["messages"]
    expect(message["role"] == "user" and isinstance(message["content"], str), "no question")
    schema = body["response_format"]["json_schema"]["schema"]
    expect(schema["additionalProperties"] is False, "a schema that allows anything")
    for name, read in [("stories", stories_of), ("answers", feelings_of), ("label", label_of)]:
        if name in schema["properties"]:
            return json.dumps(read(message["content"]))
    raise Refused("an unknown question")


def complete(_, body):
    text = answer(json.loads(body))
    return {
        "id": "chat-1", "object": "chat.completion", "model": "desk-of-tests",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": len(body) // 4, "completion_tokens": len(text) // 4},
    }


serve("/v1/chat/completions", complete)
