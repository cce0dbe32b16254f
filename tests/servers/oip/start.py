"""Starts MLServer with one model on free ports of the loopback interface.

    python3 start.py MODEL_NAME MODEL_FILE DIRECTORY

Prints the port for HTTP when it can be asked, and ends with its standard input.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time
import urllib.request

name, model, directory = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
sockets = [socket.socket() for _ in range(3)]
for one in sockets:
    one.bind(("127.0.0.1", 0))
http, grpc, metrics = [one.getsockname()[1] for one in sockets]
for one in sockets:
    one.close()

(directory / "settings.json").write_text(json.dumps({
    "host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics,
    "parallel_workers": 0, "debug": False,
}))
(directory / "model-settings.json").write_text(json.dumps({
    "name": name, "implementation": "runtime.OnnxModel", "parameters": {"uri": model},
}))
environment = dict(os.environ, PYTHONPATH=str(pathlib.Path(__file__).parent), PYTHONDONTWRITEBYTECODE="1")
server = subprocess.Popen(
    [pathlib.Path(sys.executable).parent / "mlserver", "start", str(directory)],
    env=environment, stdout=sys.stderr,
)


def end_with_input():
    sys.stdin.read()
    server.terminate()


threading.Thread(target=end_with_input, daemon=True).start()
while server.poll() is None:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{http}/v2/models/{name}/ready", timeout=1).read()
        print(http, flush=True)
        break
    except OSError:
        time.sleep(0.1)
sys.exit(server.wait())
