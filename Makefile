# `make help` lists the targets. Everything that a target needs, it installs or builds itself;
# what is large lives outside the checkout, under $XDG_CACHE_HOME/reranker-operator.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PY := .venv/bin/python

.PHONY: help setup demo demo-down test test-fast compat lint format verify generate release-check upgrade-check keda cluster-up cluster-down images clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

setup: .venv/.synced ## the Python environment with vLLM's CPU build and all the tools

.venv/.synced: pyproject.toml uv.lock hack/setup
	hack/setup
	@touch $@

demo: setup ## from nothing to a ranked list: cluster, images, chart, a RerankerDeployment, a benchmark
	$(PY) -m hack.demo up

demo-down: setup ## remove what the demo put into the cluster (and the local cluster itself)
	$(PY) -m hack.demo down

test: setup ## every suite, each within its time budget, with one summary line a suite
	$(PY) -m hack.suites

test-fast: setup ## the suites that need neither vLLM nor a cluster
	$(PY) -m hack.suites unit bench

compat: setup ## the service's tests on the oldest and on the newest vLLM that is supported (CPU builds)
	hack/compat/run

lint: setup ## ruff, mypy, import-linter, shellcheck
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy operator service bench tiny hack
	.venv/bin/lint-imports --no-cache
	hack/shellcheck

format: setup ## let ruff rewrite the layout
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

generate: setup ## everything that is generated
	hack/generate

verify: setup ## regenerate everything generated, then no diff
	hack/verify

cluster-up: ## a real Kubernetes node on this machine (needs root), or CLUSTER=current
	hack/cluster/cluster up

cluster-down: ## end it and leave nothing behind
	hack/cluster/cluster down

release-check: setup ## wheel, chart, bills of materials and images into dist/, and that their versions agree
	hack/release/check

upgrade-check: setup ## upgrades, rollbacks and two releases by Helm 3 and 4 on a node, under load (half an hour; needs root)
	hack/release/upgrade

keda: setup ## KEDA, built from its module, scales a reranker on a node (needs root)
	hack/keda/run

images: setup ## build the images without a Docker engine
	hack/images/build

clean: ## remove what was built in the checkout (caches outside it stay; see CONTRIBUTING.md)
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
