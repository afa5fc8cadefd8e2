# Bitcloud: everything a person or a machine does with a checkout. `make help` lists it.
.DEFAULT_GOAL := help
.PHONY: help setup run test lint bench bench-wire bench-nodepool split screenshots lock clean

PYTHON := .venv/bin/python
HOME_DIR := .run/home

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

setup: ## make .venv with all that is needed (under a second when nothing changed)
	@./tools/setup.sh

run: setup ## open the desktop on a local test grid; without a display, tell the story in the terminal
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ] || [ "$$(uname)" = Darwin ]; then \
		exec .venv/bin/bitcloud-desktop --test-grid 10 --home $(HOME_DIR); \
	else \
		exec .venv/bin/bitcloud demo; \
	fi

test: setup lint ## lint, then run every test, on all cores
	QT_QPA_PLATFORM=offscreen $(PYTHON) -m pytest -rs -n auto --maxprocesses 8 --dist loadgroup

lint: setup ## ruff, mypy --strict, import-linter
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: setup ## print the benchmark's figures as one JSON document
	@$(PYTHON) tools/bench.py

bench-wire: setup ## compare our wire with py-libp2p's layers and with raw TCP, at 0 to 200 ms
	@$(PYTHON) tools/bench_wire.py

bench-nodepool: setup ## what the shared database costs real nodes: time, memory, bytes (four minutes)
	@$(PYTHON) tools/bench_nodepool.py

split: setup ## cut a grid of 20 real nodes in half for three periods, heal it, count what is lost
	@$(PYTHON) tools/split_grid.py

screenshots: setup ## take the README's pictures of the real window
	QT_QPA_PLATFORM=offscreen $(PYTHON) tests/app/screenshots.py docs/images

lock: setup ## renew requirements/*.txt from pyproject.toml
	@./tools/lock.sh

clean: ## remove everything that was made here, the local test grid too
	rm -rf .venv .run .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
