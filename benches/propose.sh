#!/bin/sh
# Measures how fast `propose` is. Prints markdown tables. Run it from anywhere in the repository.
set -eu
cd "$(git rev-parse --show-toplevel)"
cargo build --quiet --locked --release --package svdr-agent --bin svdr-agent
cargo build --quiet --locked --release --package svdr-protocol --example propose_speed
target=${CARGO_TARGET_DIR:-target}/release
echo "$(uname -sm), $(getconf _NPROCESSORS_ONLN) processors, $(rustc --version); medians of 5 runs"
echo
exec "$target/examples/propose_speed" "$target/svdr-agent"
