"""Patches per second of the training loop, with and without torch.compile."""

import copy
import random
import sys
import time

import torch

from dptools.purifiers.denoiser.network import DenoiserUNet
from dptools.purifiers.denoiser.training.loop import Schedule, Synthetic, train
from dptools.purifiers.denoiser.training.state import State

torch.manual_seed(0)
torch.backends.cudnn.benchmark = True
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
begun = time.perf_counter()
pool = Synthetic(256, device, 128)
torch.cuda.synchronize()
print(f"256 synthetic images: {time.perf_counter() - begun:.2f} s", flush=True)
begun = time.perf_counter()
pool.renew()
torch.cuda.synchronize()
print(f"128 more: {time.perf_counter() - begun:.2f} s", flush=True)
for batch, compiled in [(64, False), (128, False), (256, False), (128, True), (256, True)][
    : 5 if "compile" in sys.argv else 3
]:
    network = DenoiserUNet().to(device)
    state = State(
        network, copy.deepcopy(network), torch.optim.AdamW(network.parameters(), fused=True), random.Random(0)
    )
    begun = time.perf_counter()
    for _ in train(state, None, pool, Schedule(15), batch=batch, share=1.0, renew_every=10**9, compiled=compiled):
        pass
    torch.cuda.synchronize()
    warm = time.perf_counter() - begun
    state.progress.iteration = 0
    begun = time.perf_counter()
    count = 40
    for _ in train(state, None, pool, Schedule(count), batch=batch, share=1.0, renew_every=10**9, compiled=compiled):
        pass
    torch.cuda.synchronize()
    seconds = time.perf_counter() - begun
    print(
        f"batch {batch}, compiled {compiled}: warm-up {warm:.1f} s, {batch * count / seconds:.0f} patches/s, "
        f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB",
        flush=True,
    )
if "profile" in sys.argv:
    from torch.profiler import ProfilerActivity, profile

    state.progress.iteration = 0
    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as prof:
        for _ in train(state, None, pool, Schedule(5), batch=128, share=1.0, renew_every=10**9):
            pass
        torch.cuda.synchronize()
    print(prof.key_averages().table(sort_by="cuda_time_total", row_limit=22, max_name_column_width=60), flush=True)
