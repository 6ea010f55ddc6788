#!/usr/bin/env bash
# Compares the time that `svdr-agent evidence` takes to read logs with common tools: with rg (or grep, without rg) on
# plain logs, with zcat and grep on compressed ones. Compares --since with reading the whole file. Prints a table of
# medians and ratios. Plain logs are of three makers, with few and with many commitments, and the median over them is
# what counts: see logs.py. Writes missing logs, the same at every run.
#
#   BENCH_DIR    folder of the logs                 (default target/bench-logs)
#   BENCH_BYTES  size of the logs                   (default 1000000000)
#   BENCH_LARGE  size of the log for --since        (default 10000000000)
#   BENCH_RUNS   runs of each command               (default 7)
#
# Needs gzip and python3, better rg, and free memory for twice the size of the logs: all files are read from the page cache.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=${BENCH_DIR:-target/bench-logs}
bytes=${BENCH_BYTES:-1000000000}
large=${BENCH_LARGE:-10000000000}
runs=${BENCH_RUNS:-7}
target=${CARGO_TARGET_DIR:-target}

cargo build --quiet --release --locked --package svdr-agent --bin svdr-agent
cargo build --quiet --release --locked --package svdr-tests --bin logs
agent=$target/release/svdr-agent
logs=$target/release/logs
mkdir -p "$dir"

for format in text json cri-text; do
  log=$dir/$format-$bytes.log
  [ -f "$log" ] || "$logs" --format "$format" --bytes "$bytes" --roster "$dir/roster.toml" "$log"
done
for form in text json; do
  for maker in "other sparse" "other dense" "cases dense"; do
    log=$dir/${maker/ /-}-$form-$bytes.log
    [ -f "$log" ] || python3 benches/logs.py "${maker% *}" "$form" "${maker#* }" "$bytes" "$dir/roster.toml" "$log"
  done
done
# The same log as tools and platforms pass it on: a prefix before each line, a text in an object, a cell of a table.
plain=$dir/json-$bytes.log
wrap() { [ -f "$dir/$1-json-$bytes.log" ] || sed "${@:2}" "$plain" >"$dir/$1-json-$bytes.log"; }
wrap prefixed 's|^|[pod/participant-0/participant] |'
wrap exported -e 's|\\|\\\\|g; s|"|\\"|g' -e 's|^|{"labels":{"app":"participant"},"line":"|; s|$|"}|'
wrap tabled -e 's|"|""|g' -e 's|^|participant-0,"|; s|$|"|' -e '1i PodName,LogMessage'
packed=$dir/text-$bytes.log.gz
[ -f "$packed" ] || gzip --keep "$dir/text-$bytes.log"
long=$dir/days-$large.log
# Five days of log for any size: only the number of lines between two commitments varies.
[ -f "$long" ] || "$logs" --days 5 --bytes "$large" --roster "$dir/roster.toml" "$long"

python3 - "$agent" "$dir" "$bytes" "$large" "$runs" <<'PYTHON'
import json, os, platform, shutil, statistics, subprocess, sys, time

agent, folder, size, large, runs = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5])
phrase = "Commitment correct for sender"
scan = [agent, "--output", "json", "evidence", "--roster", f"{folder}/roster.toml", "--member", "Example-SV-1"]

def seconds(command):
    start = time.perf_counter()
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, shell=isinstance(command, str))
    taken = time.perf_counter() - start
    if result.returncode != 0:
        sys.exit(f"{command} failed")
    return taken, result.stdout

def compare(what, ours, theirs, limit):
    times = {"ours": [], "theirs": []}
    seconds(ours), seconds(theirs)  # reads each file once into the page cache
    for _ in range(runs):
        for name, command in (("theirs", theirs), ("ours", ours)):
            times[name].append(seconds(command)[0])
    mine, other = statistics.median(times["ours"]), statistics.median(times["theirs"])
    print(f"| {what} | {mine:.3f} s | {other:.3f} s | {mine / other:.2f} | {limit} |", flush=True)
    return mine / other

print(f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}; logs of {size} bytes, medians of {runs} runs\n")
print("| scan of | takes | against | ratio | at most |\n| --- | --- | --- | --- | --- |")
search = "rg" if shutil.which("rg") else "grep"
for form, name in (("text", "text"), ("json", "JSON")):
    logs = [("the log writer", form), ("another maker, few commitments", f"other-sparse-{form}"),
            ("another maker, many", f"other-dense-{form}"), ("repeated cases", f"cases-dense-{form}")]
    ratios = [compare(f"{name} of {maker}, against `{search} -c`", scan + [f"{folder}/{log}-{size}.log"],
                      [search, "-c", phrase, f"{folder}/{log}-{size}.log"], "") for maker, log in logs]
    print(f"| {name}, median of all makers | | | {statistics.median(ratios):.2f} | 3 |", flush=True)
log = f"{folder}/cri-text-{size}.log"
compare(f"text in CRI of the log writer, against `{search} -c`", scan + [log], [search, "-c", phrase, log], 3)
for name, what in (("prefixed", "the prefix of kubectl"), ("exported", "an export as JSON"), ("tabled", "an export as CSV")):
    compare(f"JSON in {what}, against the plain log", scan + [f"{folder}/{name}-json-{size}.log"],
            scan + [f"{folder}/json-{size}.log"], 1.3)
log = f"{folder}/text-{size}.log.gz"
compare("text, gzipped, against `zcat \\| grep -c`", scan + [log], f"zcat '{log}' | grep -c '{phrase}'", 0.5)
log = f"{folder}/days-{large}.log"
since = scan + ["--since", "2h", log]
compare(f"--since 2h of {large} bytes over five days, against all of it", since, scan + [log], 0.1)
read = json.loads(seconds(since)[1])["sources"][0]["bytes"]
print(f"\n--since 2h read {read} of {os.path.getsize(log)} bytes.")
peak = subprocess.run(["python3", "-c", "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"] + scan + [log], capture_output=True, text=True)
print(f"Scanning all of it took {int(peak.stdout) / 1024:.0f} MiB of memory at most, mapped parts of the log included.")
PYTHON
