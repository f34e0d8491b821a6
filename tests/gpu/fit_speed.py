"""Milliseconds per step of the paper's network, as CUDA graphs on several streams; bf16 beside fp32."""

import sys
import time
import traceback
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from dptools.purifiers.dip.cuda_graph import Slot, run
from dptools.purifiers.dip.hourglass import paper, small

torch.backends.cudnn.benchmark = True
file = sorted(Path(sys.argv[1]).rglob("*@deepfool.png"))[0]
image = torch.from_numpy(np.array(Image.open(file).convert("RGB"))).permute(2, 0, 1)[None].float() / 255
for name, make, bf16, compiled, counts in [
    ("paper", paper, True, False, (1, 2, 4, 8, 12)),
    ("paper", paper, False, False, (1, 4)),
    ("small", small, True, False, (1, 8, 16)),
    ("paper", paper, True, True, (1, 4, 8)),
][: 4 if "compile" in sys.argv else 3]:
    slots = []
    try:
        for count in counts:
            begun = time.perf_counter()
            while len(slots) < count:
                slots.append(
                    Slot(make, (1, 3, 224, 224), torch.device("cuda"), steps=3000, bf16=bf16, compiled=compiled)
                )
            captured = time.perf_counter() - begun
            for at, slot in enumerate(slots):
                slot.load(image, image, at)
            run(slots, 20)
            begun = time.perf_counter()
            run(slots, 100)
            seconds = time.perf_counter() - begun
            free, total = torch.cuda.mem_get_info()
            print(
                f"{name} bf16={bf16} compiled={compiled} slots {count:2}: capture {captured:.1f} s, {10 * seconds / count:.3f} ms per image-step, "
                f"loss after 120: {[round(float(s.statistics[119, 0]), 5) for s in slots[:3]]}, memory {(total - free) / 2**30:.1f} GiB",
                flush=True,
            )
    except Exception:
        traceback.print_exc(limit=-6)
    del slots
    torch.cuda.empty_cache()
