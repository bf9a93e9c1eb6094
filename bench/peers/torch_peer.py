"""Runs benchmark workloads in torch on request, so that another process can alternate with them.

Speaks JSON, one object a line. It greets with {"torch", "threads"}, then answers each line of standard input:

  {"open": "unet", "config": {...}}          -> {"parameters": n}
  {"run": "unet.train", "times": 3}          -> {"milliseconds": [a, b, c]}

An answer {"error": "..."} says what went wrong. The end of standard input ends the process.

By hand: python torch_peer.py --threads 2 --once unet.train --config unet.json
"""

import argparse
import json
import sys
import time


def answer(message):
    print(json.dumps(message), flush=True)


def workload(name, config):
    if name in ("unet", "unet-channels-last"):
        from torch_unet import UNetWorkload

        return UNetWorkload({**config, "channelsLast": name == "unet-channels-last"})
    if name == "tree":
        from torch_tree import TreeWorkload

        return TreeWorkload(config)
    if name == "sd":
        from torch_sd_unet import SdUNetWorkload

        return SdUNetWorkload(config)
    raise ValueError(f"there is no workload {name!r}; there are unet, unet-channels-last, tree and sd")


def timed(action, times):
    milliseconds = []
    for _ in range(times):
        start = time.perf_counter()
        action()
        milliseconds.append((time.perf_counter() - start) * 1e3)
    return milliseconds


def handle(request, open_workloads):
    if "open" in request:
        opened = workload(request["open"], request.get("config", {}))
        open_workloads[request["open"]] = opened
        return {"parameters": opened.parameters}
    name, action = request["run"].split(".")
    return {"milliseconds": timed(getattr(open_workloads[name], action), request["times"])}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--once", help="WORKLOAD.ACTION: time it ten times and end")
    arguments.add_argument("--config", help="JSON file with the workload's config")
    arguments = arguments.parse_args()
    try:
        import torch
    except ImportError:
        answer({"error": "torch is not installed for this Python"})
        return
    torch.set_num_threads(arguments.threads)
    answer({"torch": torch.__version__, "threads": torch.get_num_threads()})

    if arguments.once:
        name = arguments.once.split(".")[0]
        config = json.load(open(arguments.config)) if arguments.config else {}
        open_workloads = {}
        answer(handle({"open": name, "config": config}, open_workloads))
        handle({"run": arguments.once, "times": 2}, open_workloads)
        answer(handle({"run": arguments.once, "times": 10}, open_workloads))
        return

    open_workloads = {}
    for line in sys.stdin:
        try:
            answer(handle(json.loads(line), open_workloads))
        except Exception as error:  # The other side decides what a failure means.
            answer({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
