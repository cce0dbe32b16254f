# Build, try and test matchcut. `make` alone looks whether this machine is ready.

export CARGO_TARGET_DIR ?= $(CURDIR)/target
# The tests find their Python readers here.
export PATH := $(CURDIR)/.venv/bin:$(PATH)

MATCHCUT := $(CARGO_TARGET_DIR)/release/matchcut

.PHONY: help check setup setup-test build demo kafka test format lint fmt fuzz soak bench docs reference deny clean

help: check
	@echo "This machine can build matchcut. Next:"
	@echo "  make demo    build, and run the two demo jobs (out/demo, out/usopen2019)"
	@echo "  make kafka   a Kafka broker on localhost:9092, until Ctrl-C"
	@echo "  make test    all tests"
	@echo "  make lint    formatting and clippy"
	@echo "  make fuzz    new inputs for everything that reads what comes from outside (SECONDS=20 each)"
	@echo "  make soak    what takes hours rather than minutes"
	@echo "  make bench   the bench harness"
	@echo "  make docs    the book (needs mdbook); make reference writes its generated pages"
	@echo "  make deny    licences and advisories of dependencies (needs cargo-deny)"

check:
	@scripts/check.sh

setup: check
	@scripts/setup.sh

setup-test:
	@scripts/check.sh test
	@scripts/setup.sh test

build: setup
	cargo build --release --locked

demo: build
	$(MATCHCUT) run demo/demo.toml --out out/demo --force
	$(MATCHCUT) replay demo/usopen2019/highlights.toml \
		--observations demo/usopen2019/observations.jsonl --out out/usopen2019 --force
	@echo
	@echo "Results:"
	@echo "  out/demo/report.html        the programme: timeline, clips, replays; open in a browser"
	@echo "  out/demo/                   clips, replays (MP4, HLS), EDL, JSON"
	@echo "  out/usopen2019/report.html  highlights of the US Open final of 2019"

# Its data stay in target/kafka/broker.
kafka:
	sleep infinity | scripts/kafka.sh run 9092 target/kafka/broker

test: setup-test
	cargo test --workspace --locked
	cd operators/python && $(CURDIR)/.venv/bin/python -m pytest -q
	cd clients/python && $(CURDIR)/.venv/bin/python -m mypy && $(CURDIR)/.venv/bin/python -m pytest -q
	.venv/bin/python -m pytest -q infra/tests

format: setup
	cargo fmt --all --check

lint: format
	cargo clippy --workspace --all-targets --locked -- -D warnings

fmt:
	cargo fmt --all

# SECONDS for each of TARGETS; all of them when none is named.
SECONDS ?= 20
fuzz: setup
	scripts/fuzz.sh $(SECONDS) $(TARGETS)

# What is too long for every change.
soak: setup-test build
	MATCHCUT_KILLS=50 cargo test --locked --test e2e killed_at_random_moments
	MATCHCUT_OUTAGE=60 cargo test --locked --test e2e a_broker_that_goes_away
	cargo run --release --locked -p matchcut-bench -- memory
	SEED=0 scripts/fuzz.sh 300

bench: setup-test build
	cargo run --release --locked -p matchcut-bench

docs:
	mdbook build docs

# Pages of the book that come from the code.
reference: build
	scripts/reference.py $(MATCHCUT)

deny:
	cargo deny check

clean:
	rm -rf out docs/book
