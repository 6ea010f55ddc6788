#!/usr/bin/env bash
# Compares the transfer of a donated snapshot between two agents on loopback (mutual TLS, gRPC) with three copies of the
# same file, in turn, in one run: over a bare TCP connection on loopback, with `cp`, and with `cp` and `sync`. Prints a
# table of medians and ratios of speed.
#
#   benches/transfer.sh [MEGABYTES] [ROUNDS]        the defaults are 2000 and 7
#
# Needs bash, cargo and python3, and space for twice the snapshot in ${TMPDIR:-/tmp}, which should be on the disk to
# measure.
set -euo pipefail
cd "$(dirname "$0")/.."
megabytes=${1:-2000}
rounds=${2:-7}

cargo build --release --quiet --locked -p svdr-tests --bin transfer
transfer=$(realpath "${CARGO_TARGET_DIR:-target}/release/transfer")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

umask 077
head -c $((megabytes * 1000000)) /dev/urandom > snapshot.json
cat snapshot.json > /dev/null

TRANSFER=$transfer ROUNDS=$rounds python3 - <<'PYTHON'
import os, platform, statistics, subprocess, time

transfer, rounds = os.environ["TRANSFER"], int(os.environ["ROUNDS"])
donor = subprocess.Popen([transfer, "serve", "snapshot.json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
address, size, digest = donor.stdout.readline().split()
# Does the same as `nc` on both ends, with larger buffers.
bare = """
import os, socket
server = socket.create_server(("127.0.0.1", 0))
buffer = bytearray(1 << 18)
view = memoryview(buffer)
if os.fork() == 0:
    with open("snapshot.json", "rb", buffering=0) as snapshot, socket.create_connection(server.getsockname()) as to:
        while (read := snapshot.readinto(buffer)):
            to.sendall(view[:read])
    os._exit(0)
connection, _ = server.accept()
with open("out", "wb", buffering=0) as out:
    while (read := connection.recv_into(buffer)):
        out.write(view[:read])
"""
commands = {
    "bare copy over TCP": ["python3", "-c", bare],
    "cp": ["cp", "snapshot.json", "out"],
    "cp and sync": ["sh", "-c", "cp snapshot.json out && sync out"],
    "transfer": [transfer, "fetch", address, size, digest, "out"],
}

def run(command):
    """Wall seconds, and the largest resident set in MiB."""
    # A virtual machine returns memory that was free for some seconds to its host, and getting the memory back takes longer
    # than any of these commands. A copy beforehand gets the memory back for each command.
    subprocess.run(["sync", "."], check=True)
    subprocess.run(["cp", "snapshot.json", "out"], check=True)
    os.remove("out")
    started = time.monotonic()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{command[0]} failed with {process.returncode}")
    os.remove("out")
    return seconds, usage.ru_maxrss / 1024

runs = {name: [] for name in commands}
for round in range(rounds + 1):
    for name, command in commands.items():
        measured = run(command)
        if round > 0:  # the first warms the cache
            runs[name].append(measured)
with open(f"/proc/{donor.pid}/status") as status:
    peak = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
donor.stdin.close()
donor.wait()

seconds = {name: statistics.median(second for second, _ in measured) for name, measured in runs.items()}
print(f"Snapshot of {int(size) / 1e6:.0f} MB, medians of {rounds} rounds, {platform.machine()}, "
      f"{len(os.sched_getaffinity(0))} processors, Linux {platform.release()}.\n")
print("| what | seconds | MB/s | speed of the bare copy | speed of cp | speed of cp and sync | peak memory, MiB |")
print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
for name, measured in runs.items():
    of = lambda other: f"{seconds[other] / seconds[name]:.2f}"
    memory = f"{max(peak for _, peak in measured):.0f}"
    if name == "transfer":
        memory += f", the donor's {peak:.0f}"
    print(f"| {name} | {seconds[name]:.2f} | {int(size) / 1e6 / seconds[name]:.0f} | {of('bare copy over TCP')} | {of('cp')} | {of('cp and sync')} | {memory} |")
PYTHON
