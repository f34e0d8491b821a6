"""Small models with random weights, as a user brings them: files for 32 x 32 pixels and seven classes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

NAMES = ("cat", "dog", "fish", "bird", "horse", "frog", "ship")

# The network contains a view, which fails for channels-last tensors, as networks of users often do.
MINE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, classes=7):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=4, padding=1)
        self.fc = nn.Linear(8 * 8 * 8, classes)

    def forward(self, images):
        features = torch.relu(self.conv(images))
        return 20 * self.fc(features.view(-1, 8 * 8 * 8))

def network():
    return Net()

def softmax():
    return nn.Sequential(Net(), nn.Softmax(dim=1))

def described():
    net = Net()
    net.pretrained_cfg = {"input_size": (3, 32, 32), "mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}
    return net

def nothing():
    return {"net": Net()}

def broken():
    undefined_name

def wrong():
    return nn.Conv2d(3, 8, 3)

def leaves():
    exit(5)

class Hidden(nn.Module):
    def __init__(self, parts):
        super().__init__()
        self.body = Net()
        self.parts = parts

    def forward(self, images):
        return self.body(images)

def listed():
    return nn.Sequential(Hidden([nn.Dropout()]))

def nested():
    return Hidden({"a": (1, [nn.BatchNorm2d(3)])})

def listed_parameter():
    return Hidden([nn.Parameter(torch.zeros(3))])

def lazy():
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(7))

def meta():
    with torch.device("meta"):
        return Net()

def misdescribed():
    net = Net()
    net.pretrained_cfg = {"input_size": (32, 32)}
    return net

def undivided():
    net = Net()
    net.pretrained_cfg = {"input_size": (3, 32, 32), "std": (0, 0, 0)}
    return net

class Rounding(Net):
    def forward(self, images):
        return super().forward((255 * images).round() / 255)

class Frozen(Net):
    @torch.no_grad()
    def forward(self, images):
        return super().forward(images)

def rounding():
    return Rounding()

def frozen():
    return Frozen()

def inference():
    with torch.inference_mode():
        return Net()

def known():
    net = Net()
    net.layers = [net.conv, net.fc]
    return net
"""


def write_mine(directory: Path) -> torch.nn.Module:
    """Write ``mine.py``, ``names.txt`` and ``mine.pth``, and return the network with the weights of the file."""
    (directory / "mine.py").write_text(MINE)
    (directory / "names.txt").write_text("\n".join(NAMES) + "\n")
    namespace: dict[str, object] = {}
    exec(MINE, namespace)
    torch.manual_seed(0)
    network: torch.nn.Module = namespace["Net"]()  # type: ignore[operator]
    torch.save(network.state_dict(), directory / "mine.pth")
    return network.eval()


def write_onnx(path: Path, network: torch.nn.Module, batch: int | str = 1, *, external: bool = False) -> None:
    """Write the network of ``mine.py`` as an ONNX file, node by node.

    Args:
        path: The file.
        network: The network.
        batch: The batch size, or a name for any.
        external: Whether the weights are in a file of their own.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = [numpy_helper.from_array(value.numpy(), name) for name, value in network.state_dict().items()]
    constants = [
        numpy_helper.from_array(np.array([-1, 512], np.int64), "shape"),
        numpy_helper.from_array(np.array(20, np.float32), "twenty"),
    ]
    nodes = [
        helper.make_node(
            "Conv", ["image", "conv.weight", "conv.bias"], ["a"], kernel_shape=[3, 3], strides=[4, 4], pads=[1, 1, 1, 1]
        ),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Reshape", ["b", "shape"], ["c"]),
        helper.make_node("Gemm", ["c", "fc.weight", "fc.bias"], ["d"], transB=1),
        helper.make_node("Mul", ["d", "twenty"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "mine",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, 32, 32])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, len(NAMES)])],
        [*weights, *constants],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.with_name(f"{path.name}.weights").unlink(missing_ok=True)
    # The threshold counts 33 bytes of each Python object; the shape of a reshape must stay in the graph.
    onnx.save(model, path, save_as_external_data=external, location=f"{path.name}.weights", size_threshold=55)


def write_exported(path: Path, network: torch.nn.Module) -> None:
    """Write the network as an exported program for any batch size. A process of its own imports the compiler."""
    torch.save(network.state_dict(), path.with_suffix(".state"))
    program = (
        "import sys, torch; sys.path.insert(0, sys.argv[1]); import mine; net = mine.Net(); "
        "net.load_state_dict(torch.load(sys.argv[2])); images = torch.rand(2, 3, 32, 32); "
        "exported = torch.export.export(net.eval(), (images,), dynamic_shapes=({0: torch.export.Dim('batch')},)); "
        "torch.export.save(exported, sys.argv[3])"
    )
    arguments = [str(path.parent), str(path.with_suffix(".state")), str(path)]
    subprocess.run([sys.executable, "-c", program, *arguments], check=True, capture_output=True)


def write_weights(directory: Path) -> None:
    """Write random weights for seven classes: of a bundled network, of one of torchvision and of one of timm."""
    from efficientnet_lite_pytorch import EfficientNet
    from timm import create_model
    from torchvision.models import resnet18

    torch.manual_seed(0)
    networks = {
        "efficientnet-lite0": EfficientNet.from_name("efficientnet-lite0", num_classes=len(NAMES)),
        "resnet18": resnet18(num_classes=len(NAMES)),
        "resnet10t": create_model("resnet10t", num_classes=len(NAMES)),
    }
    for name, network in networks.items():
        torch.save(network.state_dict(), directory / f"{name}.pth")


def write_images(directory: Path, classify: torch.nn.Module, count: int = 4, side: int = 40) -> None:
    """Write images into folders that are named by the classes that a network sees in them."""
    for seed in range(count):
        coarse = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
        cropped = np.asarray(image.resize((32, 32), Image.Resampling.BICUBIC))
        with torch.no_grad():
            label = int(classify(torch.tensor(cropped).permute(2, 0, 1)[None].float() / 255).argmax())
        path = directory / NAMES[label] / f"{seed}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
