"""The binary extension of the Open Inference Protocol, which MLServer lacks: a model in the ONNX format,
tensors as bytes behind the JSON. Refuses everything else.

    python3 binary.py MODEL_NAME MODEL_FILE

Listens on a free port of the loopback interface, prints it, and ends with its standard input.
"""

import http.server
import json
import sys
import threading

import numpy
import onnxruntime

name = sys.argv[1]
session = onnxruntime.InferenceSession(sys.argv[2])


def infer(body, length):
    head, data = json.loads(body[:length]), body[length:]
    (tensor,) = head["inputs"]
    assert set(tensor) == {"name", "shape", "datatype", "parameters"}, tensor
    assert tensor["datatype"] == "FP32" and tensor["parameters"]["binary_data_size"] == len(data)
    assert head["parameters"] == {"binary_data_output": True}, head
    given = {tensor["name"]: numpy.frombuffer(data, "<f4").reshape(tensor["shape"])}
    names = [output.name for output in session.get_outputs()]
    values = [value.astype("<f4") for value in session.run(names, given)]
    outputs = [
        {"name": name, "shape": value.shape, "datatype": "FP32",
         "parameters": {"binary_data_size": value.nbytes}}
        for name, value in zip(names, values)
    ]
    head = json.dumps({"model_name": name, "outputs": outputs}).encode()
    return head, head + b"".join(value.tobytes() for value in values)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            assert self.path == f"/v2/models/{name}/versions/7/infer", self.path
            assert self.headers["Content-Type"] == "application/octet-stream"
            head, reply = infer(body, int(self.headers["Inference-Header-Content-Length"]))
            status, length = 200, len(head)
        except Exception as error:
            reply = json.dumps({"error": repr(error)}).encode()
            status, length = 400, None
        self.send_response(status)
        if length is not None:
            self.send_header("Inference-Header-Content-Length", str(length))
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
