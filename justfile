# The commands of a working day.
test:
    ./tests/run
ci:
    .ci/run
bench:
    cargo build --release && cargo bench --bench speed --bench relay --bench mcp
