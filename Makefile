# Every target sets up what it needs; see README.md. More automation belongs in crates/xtask.

.PHONY: run test torture bench deny sbom fmt clean toolchain

run: toolchain
	exec cargo run --release --locked --package runtime --bin beryl -- serve --data ./data

# One profile for everything: clippy, tests and the binary under test share what is compiled.
test: toolchain
	cargo run -q -p xtask -- node
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	if cargo nextest --version >/dev/null 2>&1; \
	then cargo nextest run --workspace --locked --no-fail-fast; \
	else cargo test --workspace --locked --no-fail-fast; fi

# Ten times the simulated power failures of `make test`, and every attack with neighbours under load.
torture: toolchain
	BERYL_TORTURE=100000 cargo test --locked --package storage power -- --nocapture
	BERYL_TORTURE=1 cargo test --locked --package runtime --test hostile -- --nocapture

# For instance: make bench ARGS="--quick --only hello --only counter"
bench: toolchain
	cargo run -q -p xtask -- node
	cargo build --release --locked --package runtime --package bench
	cargo run --release --locked -q --package bench -- $(ARGS)

# `runtime/tests/supply_chain.rs` checks all but the advisories without cargo-deny.
deny:
	cargo deny --locked check

# What the binary is made of, for scanners.
sbom:
	cargo run -q -p xtask -- sbom

fmt:
	cargo fmt --all

clean:
	cargo clean
	rm -rf bench/node_modules bench/out

toolchain:
	@command -v cargo >/dev/null || { echo "Rust is missing: install it from https://rustup.rs"; exit 1; }
	@cargo --version >/dev/null || { echo "install the toolchain that rust-toolchain.toml names"; exit 1; }
	@command -v cc >/dev/null || { echo "a C compiler is missing (Debian: apt install gcc make)"; exit 1; }
	@cargo run -q -p xtask -- v8
