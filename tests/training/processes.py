"""Processes of their own, to be killed, or to train together; they start in no time."""

import multiprocessing
import os
import socket
import sys

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["helpers.training", "helpers.cli"])


def start(run, *given, **variables):
    """Run a function in a new process, with further environment variables."""
    process = CONTEXT.Process(target=_quietly, args=(run, given, variables))
    process.start()
    return process


def _quietly(run, given, variables):
    import torch

    torch.set_num_threads(1)
    os.environ |= variables
    sys.stdout = sys.stderr = open(os.devnull, "w")
    run(*given)


def of_two(rank: int, port: int) -> dict[str, str]:
    """Return what torchrun tells each of two processes on one computer."""
    told = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}
    told |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return {name: str(value) for name, value in told.items()}


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
