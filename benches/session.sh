#!/bin/sh
# How much one coordinator carries, with the real programs on this machine: a markdown table on stdout.
#
#   benches/session.sh [OPTION]...        --help says which
#
# Needs cargo, some minutes, and 1 GB in ${TMPDIR:-/tmp}, which should be on the disk that is to be measured.
set -eu
cd "$(git rev-parse --show-toplevel)"
cargo build --quiet --locked --release --workspace --bins
target=${CARGO_TARGET_DIR:-target}/release
echo "$(uname -sm), $(getconf _NPROCESSORS_ONLN) processors, $(rustc --version), $(df --output=fstype "${TMPDIR:-/tmp}" | tail -1)"
echo
exec "$target/capacity" "$@"
