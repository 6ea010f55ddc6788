#!/bin/sh
# Measures the load that one coordinator carries, with the real programs on this machine. Prints a markdown table.
#
#   benches/session.sh [OPTION]...        --help lists the options
#
# Needs cargo, some minutes, and 1 GB in ${TMPDIR:-/tmp}, which should be on the disk to measure.
set -eu
cd "$(git rev-parse --show-toplevel)"
cargo build --quiet --locked --release --workspace --bins
target=${CARGO_TARGET_DIR:-target}/release
echo "$(uname -sm), $(getconf _NPROCESSORS_ONLN) processors, $(rustc --version), $(df --output=fstype "${TMPDIR:-/tmp}" | tail -1)"
echo
exec "$target/capacity" "$@"
