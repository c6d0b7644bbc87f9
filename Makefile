# Two commands set everything up: `make demo` shows logscrub at work, `make test` proves it.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint bench soak crash mutation fuzz clean

demo: .venv/runtime
	rm -rf demo && mkdir -p demo
	$(BIN)/python -m benchmarks.sample demo/access.log
	$(BIN)/logscrub ingest demo/access.log --out demo/out
	@echo
	@echo "The Parquet is under demo/out/data. Its first query, the networks with the most failed requests:"
	$(BIN)/logscrub query demo/out "SELECT client_net, status, count(*) AS requests FROM logs WHERE status >= 400 GROUP BY ALL ORDER BY requests DESC, client_net LIMIT 5"

test: .venv/dev
	$(BIN)/pytest -q -n auto $(PYTEST_ARGS)

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# nginx under load, rotated in four ways, logscrub killed again and again, and the model of it: twenty minutes
soak: .venv/dev
	LOGSCRUB_SOAK=1200 LOGSCRUB_EXAMPLES=500 $(BIN)/pytest -q -s tests/test_follow_real.py tests/test_follow_model.py $(PYTEST_ARGS)

# every call and every kind of fault, for half an hour; `make test` takes a sample
crash: .venv/dev
	LOGSCRUB_CRASH=all $(BIN)/pytest -q -n auto tests/test_crash.py tests/test_power_cut.py $(PYTEST_ARGS)

mutation: .venv/dev
	$(BIN)/python tests/mutations.py

# ten minutes for each of nine families of formats
fuzz: .venv/dev
	$(BIN)/python tests/fuzz.py all --seconds 600 $(FUZZ_ARGS)

# against peers; GoAccess and rsyslog take part where the system has them (Debian: apt-get install goaccess rsyslog)
bench: .venv/bench
	$(BIN)/python -m benchmarks suite $(BENCH_ARGS)

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "logscrub needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv

.venv/runtime: .venv/bin/python requirements.lock pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock -r requirements-build.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

.venv/dev: .venv/runtime requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

.venv/bench: .venv/dev requirements-bench.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	touch $@

clean:
	rm -rf .venv demo dist build
