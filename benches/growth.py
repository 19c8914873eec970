#!/usr/bin/env python3
"""Measures how Saola grows with a zone: signing, starting and memory, a line of CSV for each size.

growth.py --saola PATH --saolad PATH --work DIR N.zone [N.zone ...]  >docs/performance/growth.csv

Each zone is an unsigned master file of `vn` (the generator of the bench makes them), named by how many delegations it has.
It is signed with opt-out, served as it stands from one processor, started anew (from the image, where there is one), and stopped.
"""

import argparse
import os
import pathlib
import resource
import signal
import socket
import subprocess
import sys
import time

SOA = b"\x12\x34\0\0\0\x01\0\0\0\0\0\0\x02vn\0\0\x06\0\x01"
COLUMNS = "delegations,sign_s,sign_cpu_s,sign_mib,text_s,text_cpu_s,text_peak_mib,image_s,image_cpu_s,pss_mib"


def field(pid, file, name):
    """A line of /proc in MiB."""
    text = pathlib.Path(f"/proc/{pid}/{file}").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name + ":")) / 1024


def cpu(pid):
    """Processor time used so far, in seconds."""
    ticks = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def sign(saola, zone, signed, keys):
    """Signs once; wall time, processor time and peak memory."""
    command = [saola, "zone", "sign", "--origin", "vn.", "--keys", keys, "--make-keys", "--out", signed, zone]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        try:
            peak = max(peak, field(process.pid, "status", "VmHWM"))
        except (FileNotFoundError, ProcessLookupError, StopIteration):
            pass
        time.sleep(0.02)
    if process.returncode:
        sys.exit("signing failed")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - start, used, peak


def serve(saolad, folder, zone, patience):
    """Starts the server until its first answer, and lets it settle; wall and processor time, peak and settled memory."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "saola.toml"
    config.write_text(
        f'[server]\nlisten = ["127.0.0.1:{port}"]\nworkers = 1\nstate = "{folder}/state"\ncontrol = "{folder}/control.sock"\n\n'
        f'[[zone]]\nname = "vn."\nfile = "{zone}"\n'
    )
    start = time.monotonic()
    with open(folder / "log", "ab") as log:
        process = subprocess.Popen(["taskset", "-c", "1", saolad, "--config", str(config)], stdout=subprocess.DEVNULL, stderr=log)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(("127.0.0.1", port))
            client.settimeout(0.002)
            while True:
                try:
                    client.send(SOA)
                    reply = client.recv(4096)
                    if reply[3] & 15 == 0:
                        break
                except OSError:
                    if process.poll() is not None or time.monotonic() - start > 600:
                        sys.exit(f"the server does not answer, see {folder}/log")
                time.sleep(0.001)
        wall, used, peak = time.monotonic() - start, cpu(process.pid), field(process.pid, "status", "VmHWM")
        time.sleep(patience)
        return wall, used, peak, field(process.pid, "smaps_rollup", "Pss")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--saola", required=True)
    parser.add_argument("--saolad", required=True)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("zones", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    print(COLUMNS)
    for zone in options.zones:
        folder = options.work / zone.stem
        folder.mkdir(parents=True, exist_ok=True)
        signed = folder / "vn.signed"
        signing = sign(options.saola, str(zone), str(signed), str(options.work / "keys"))
        # A file that was written just now might change again unnoticed: no image is made of it.
        time.sleep(3)
        # The image is written in the background, some seconds after the start.
        text = serve(options.saolad, folder, signed, 10 + int(zone.stem) / 500_000)
        image = serve(options.saolad, folder, signed, 3)
        row = [*signing, *text[:3], *image[:2], image[3]]
        print(",".join([zone.stem] + [f"{value:.3f}" for value in row]), flush=True)
        signed.unlink()


if __name__ == "__main__":
    main()
