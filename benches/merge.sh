#!/usr/bin/env bash
# Compares the time of `svdr-agent merge` with `cp` and `sync`, and with `jq -s add`, on the same files, in turn, in one
# run. Prints a table of medians and ratios.
#
#   benches/merge.sh [MEGABYTES] [ROUNDS]        the defaults are 1000 and 7
#
# Needs bash, cargo, jq and python3, and space for three times the snapshot in ${TMPDIR:-/tmp}. jq needs memory for
# several times the snapshot: SKIP_JQ=1 skips it.
set -euo pipefail
cd "$(dirname "$0")/.."
megabytes=${1:-1000}
rounds=${2:-7}

cargo build --release --quiet --locked -p svdr-agent --bin svdr-agent
agent=${CARGO_TARGET_DIR:-target}/release/svdr-agent
agent=$(realpath "$agent")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

umask 077
cat > identities.json <<'JSON'
{"identities":{"sv_party_id":"sv::1220aa","dso_party_id":"DSO::1220bb","domain_alias":"global","domain_id":"global-domain::1220cc","participant":{},"sequencer":{},"mediator":{}}}
JSON
{
  printf '{"created_at":"2026-04-21T23:10:00Z","migration_id":6,"data_snapshot":{"acs_snapshot":"'
  # Three bytes become four characters.
  head -c $((megabytes * 750000)) /dev/urandom | base64 -w0
  printf '","acs_timestamp":"2026-04-21T23:10:00Z","dars":[{"hash":"1220ab","content":"UEsDBA=="}]}}\n'
} > snapshot.json
cat snapshot.json > /dev/null

AGENT=$agent ROUNDS=$rounds python3 - <<'PYTHON'
import os, platform, shutil, statistics, subprocess, time

agent, rounds = os.environ["AGENT"], int(os.environ["ROUNDS"])
merge = [agent, "merge", "--node-identities", "identities.json", "--data", "snapshot.json",
         "--timestamp", "2026-04-21T23:10:00Z", "--out", "out"]
commands = {
    "cp and sync": ["sh", "-c", "cp snapshot.json out && sync out"],
    "merge": merge,
    "merge --part-digests": merge + ["--part-digests"],
}

def run(command):
    """Wall seconds, and the largest resident set in MiB."""
    subprocess.run(["sync", "."], check=True)
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{command[0]} failed with {process.returncode}")
    if os.path.exists("out"):
        os.remove("out")
    return seconds, usage.ru_maxrss / 1024

runs = {name: [] for name in commands}
for round in range(rounds + 1):
    for name, command in commands.items():
        measured = run(command)
        if round > 0:  # the first warms the cache
            runs[name].append(measured)
if shutil.which("jq") and not os.environ.get("SKIP_JQ"):
    runs["jq -s add"] = [run(["sh", "-c", "jq -s add identities.json snapshot.json > out"])]

size = os.path.getsize("snapshot.json")
seconds = {name: statistics.median(second for second, _ in measured) for name, measured in runs.items()}
print(f"Snapshot of {size / 1e6:.0f} MB, medians of {rounds} rounds (jq: one), {platform.machine()}, "
      f"{len(os.sched_getaffinity(0))} processors, Linux {platform.release()}.\n")
print("| command | seconds | of cp and sync | of jq -s add | peak memory, MiB |")
print("| --- | ---: | ---: | ---: | ---: |")
for name, measured in runs.items():
    of_jq = f"{seconds[name] / seconds['jq -s add']:.3f}" if "jq -s add" in seconds else "—"
    ratio = seconds[name] / seconds["cp and sync"]
    print(f"| `{name}` | {seconds[name]:.2f} | {ratio:.2f} | {of_jq} | {max(peak for _, peak in measured):.0f} |")
PYTHON
