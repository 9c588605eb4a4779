"""Precision by capability: bfloat16 where this machine multiplies faster in it."""

import time

import torch

# Names of torch.cpu.get_capabilities, the fastest first.
INSTRUCTIONS = {
    "float32": ("avx512_f", "avx2", "sve", "neon"),
    "bfloat16": ("amx_bf16", "avx512_bf16", "sve_bf16", "bf16"),
    "int8": ("amx_int8", "avx512_vnni", "avx_vnni", "i8mm", "dot"),
}


def instructions(precision: str) -> str | None:
    """Return the processor's instructions for products in a precision, if any."""
    has = getattr(torch.cpu, "get_capabilities", dict)()  # newer than our oldest torch
    return next((name for name in INSTRUCTIONS[precision] if has.get(name)), None)


def choose_precision(device: str) -> tuple[torch.dtype, str]:
    """Return the precision to train in, and why in a line: measured, for 50 ms.

    Without instructions of its own (AMX, AVX-512 BF16) bfloat16 is many times slower
    than float32; with them, or on a GPU, it is faster.
    """
    single = product_seconds(torch.float32, device)
    half = product_seconds(torch.bfloat16, device)
    # Autocast converts the weights at each step, so a little faster would be slower.
    chosen = "bfloat16" if 1.2 * half < single else "float32"
    times = f"{1e3 * single:.2g} ms in float32, {1e3 * half:.2g} ms in bfloat16"
    line = f"training in {chosen}: a 512 x 512 product takes {times} on this {device}"
    return getattr(torch, chosen), line


def product_seconds(kind: torch.dtype, device: str) -> float:
    """Return the time of one product of 512 x 512: the least of many, in 25 ms."""
    matrix, seconds = torch.eye(512, dtype=kind, device=device), []
    while len(seconds) < 3 or sum(seconds) < 0.025:
        begun = time.perf_counter()
        (matrix @ matrix)[0, 0].item()  # waits for a GPU, too
        seconds.append(time.perf_counter() - begun)
    return min(seconds)
