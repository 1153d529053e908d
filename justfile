# The commands of this project; `just --list` lists them. Each recipe is one or a few plain commands, which
# CONTRIBUTING.md explains. Install just with `cargo install just --locked` or `pipx install rust-just`.

export CARGO_TERM_COLOR := "auto"

# List the recipes.
default:
    @just --list --unsorted

# Format all Rust code.
fmt:
    cargo fmt --all
    cargo fmt --manifest-path fuzz/Cargo.toml

# Check formatting and lints, without building. Run it before each commit.
check:
    cargo fmt --all --check
    cargo clippy --all-targets --locked -- --deny warnings

# Run the tests, or those whose names contain a word: `just test page_token`.
test *arguments:
    cargo test --locked {{ arguments }}

# Regenerate files: docs/settings.md, the JSON Schema, the texts in tests/golden. Read `git diff` afterwards.
golden:
    UPDATE_GOLDEN=1 cargo test --locked --test it -- settings_reference cli::answers cli::diff
    cargo run --quiet --locked -- schema >target/scenario.schema.json
    mv target/scenario.schema.json docs/scenario.schema.json

# Compare contracts with an earlier version: page tokens, revisions, log lines, names of flags, metrics, error reasons.
contracts:
    cargo test --locked --test it contracts::

# Count instructions and allocations per call, and compare them with the committed figures. Needs valgrind.
counts *arguments:
    cargo bench --locked --bench instructions -- {{ arguments }}

# Build the documentation of all crates, private items included; a broken link is an error.
docs *arguments:
    RUSTDOCFLAGS='--deny warnings' cargo doc --no-deps --document-private-items --locked {{ arguments }}

# Run a benchmark: `just bench wire`. docs/benchmarks.md explains each.
bench name="engine" *arguments:
    cargo bench --locked --bench {{ name }} -- {{ arguments }}

# Fuzz a target for some seconds: `just fuzz scenario 600`. docs/fuzzing.md explains what a crash means.
fuzz target seconds="60":
    mkdir -p fuzz/corpus/{{ target }}
    cargo fuzz run --sanitizer none {{ target }} fuzz/corpus/{{ target }} fuzz/seeds/{{ target }} -- \
      -max_total_time={{ seconds }} -timeout=10 -rss_limit_mb=2048

# Run the load tests, which take minutes and gigabytes of memory: restarts, idle connections, reloads. Needs nginx.
soak:
    cargo build --profile dist --features otlp --locked
    python3 -m venv target/soak
    target/soak/bin/pip install --quiet --disable-pip-version-check grpcio==1.85.1
    target/soak/bin/python tests/load/rolling_restart.py --binary target/dist/detente
    target/soak/bin/python tests/load/rolling_restart.py --binary target/dist/detente --direct
    target/soak/bin/python tests/load/idle_connections.py --binary target/dist/detente
    target/soak/bin/python tests/load/idle_connections.py --binary target/dist/detente --tls
    target/soak/bin/python tests/load/reload_soak.py --binary target/dist/detente
    target/soak/bin/python tests/load/retry_load.py --binary target/dist/detente

# Write the licences of all parts of the program, as the image and the archives contain them. Needs cargo-about.
licences:
    deploy/licences.sh target/THIRD-PARTY-LICENSES.txt

# Run all checks that a change must pass.
ci:
    .ci/run
