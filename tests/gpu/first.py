"""What works on a GPU today: every preset at several batch sizes, with time, memory and differences."""

import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from dptools.purifiers.dip import PRESETS, Wanted, restore_all
from dptools.purifiers.dip.stopping import Fixed

files = sorted(Path(sys.argv[1]).rglob("*@deepfool.png"))[:16]
images = [
    torch.from_numpy(np.array(Image.open(f).convert("RGB"))).permute(2, 0, 1)[None].float().cuda() / 255 for f in files
]
while len(images) < 16:
    images.append(images[len(images) % len(files)])
print(torch.__version__, torch.cuda.get_device_name(), torch.backends.cudnn.version(), flush=True)
torch.backends.cudnn.deterministic = True
torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
cases = [
    ("default", None, "auto"),
    ("photo", None, "auto"),
    ("cold", 40, "auto"),
    ("cold", 40, "fp32"),
    ("paper", 10, "bf16"),
    ("paper", 10, "fp32"),
]
for name, steps, precision in cases:
    preset = PRESETS[name]
    if steps:
        preset = replace(preset, rule=Fixed(steps), iterations=steps, precision=precision)
    first = None
    for count in (1, 3, 16):
        torch.cuda.reset_peak_memory_stats()
        try:
            restore_all([Wanted(image, preset, 7) for image in images[:count]])
            torch.cuda.synchronize()
            begun = time.perf_counter()
            done = restore_all([Wanted(image, preset, 7) for image in images[:count]])
            torch.cuda.synchronize()
            seconds = time.perf_counter() - begun
            errors = [d for d in done if isinstance(d, Exception)]
            if errors:
                print(name, precision, count, "ERROR", repr(errors[0])[:300], flush=True)
                continue
            out = torch.cat([d.image for d in done])
            first = out[:1] if first is None else first
            print(
                f"{name:8} {precision:5} batch {count:2}: {seconds / count:7.3f} s/image, {1e3 * seconds / count / (steps or preset.iterations):7.2f} ms/image-step, "
                f"peak {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB, differs from batch 1 by {float((out[:1] - first).abs().max()):.2e}",
                flush=True,
            )
        except Exception as error:
            print(
                name,
                precision,
                count,
                "RAISED",
                type(error).__name__,
                str(error)[:400].replace("\n", " | "),
                flush=True,
            )
            if "NYI" not in str(error):
                traceback.print_exc(limit=-3)
