"""Profile a step of the paper's network, and time variants of it."""

import sys
import time
import traceback
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from dptools.purifiers.dip.channels_last import features
from dptools.purifiers.dip.cuda_graph import Slot, run
from dptools.purifiers.dip.hourglass import paper

torch.backends.cudnn.benchmark = "benchmark" in sys.argv
torch.backends.cudnn.benchmark_limit = 4
file = sorted(Path(sys.argv[1]).rglob("*@deepfool.png"))[0]
image = torch.from_numpy(np.array(Image.open(file).convert("RGB"))).permute(2, 0, 1)[None].float() / 255
device = torch.device("cuda")


def variant(options):
    def forward(self, code):
        _, last, shuffle = self.network.body
        with torch.autocast("cuda", torch.bfloat16, enabled=self.bf16, cache_enabled=False):
            inner = self.network.body[0](code) if options is None else features(self.network, code, **options)
        return shuffle(last(inner.float())).sigmoid()

    return forward


def profile(name):
    slot = Slot(paper, (1, 3, 224, 224), device, steps=3000)
    slot.load(image, image, 0)
    from torch.profiler import ProfilerActivity

    with torch.profiler.profile(activities=[ProfilerActivity.CUDA]) as prof:
        for _ in range(3):
            slot._advance()
        torch.cuda.synchronize()
    print(name)
    rows = sorted(prof.key_averages(), key=lambda e: -e.self_device_time_total)
    total = sum(e.self_device_time_total for e in rows)
    print(f"total {total / 3:.0f} us per step, {sum(e.count for e in rows) / 3:.0f} kernels")
    for e in rows[:14]:
        print(f"{e.self_device_time_total / 3:8.0f} us {e.count / 3:6.1f} x  {e.key[:110]}")
    sys.stdout.flush()


def timed(name, options, counts=(1, 4), **settings):
    Slot._forward = variant(options)
    slots = []
    try:
        for count in counts:
            begun = time.perf_counter()
            while len(slots) < count:
                slots.append(Slot(paper, (1, 3, 224, 224), device, steps=3000, **settings))
            captured = time.perf_counter() - begun
            for at, slot in enumerate(slots):
                slot.load(image, image, at)
            run(slots, 20)
            begun = time.perf_counter()
            run(slots, 80)
            seconds = time.perf_counter() - begun
            print(
                f"{name} slots {count}: capture {captured:.1f} s, {1e3 * seconds / 80 / count:.3f} ms per image-step, loss {float(slots[0].statistics[99, 0]):.5f}",
                flush=True,
            )
    except Exception:
        traceback.print_exc(limit=-4)


Slot._forward = variant(None)
profile("as it is")
Slot._forward = variant({})
profile("all")
timed("as it is", None, (1,))
timed("align", {"reflect": False, "double": False})
timed("align, reflect", {"double": False})
timed("all", {})
torch.backends.cudnn.benchmark = True
timed("all, benchmark", {}, (1, 4, 8))
torch.backends.cudnn.benchmark = False
timed("all, fp32", {}, (1,), bf16=False)
timed("all, compiled", {}, (1, 4, 8), compiled=True)
