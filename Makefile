.DEFAULT_GOAL := help
SHELL := /bin/bash
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# Everything is built with the same flags, so that no target compiles again what another has compiled.
# disable_grpc_modules leaves out of Google's storage client what only its own network's direct paths need: a sixth of the program.
export GOFLAGS := $(GOFLAGS) -trimpath -tags=disable_grpc_modules
GOFLAGS_BUILD := -ldflags "-s -w -X main.version=$(VERSION)"
TEST_FLAGS ?=

include tools/openapi.mk
-include tools/checks.mk

GOLANGCI := .cache/bin/golangci-lint-2.15.0

.PHONY: help
help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

.PHONY: build
build: ## Build bin/parley, which needs no library of the system
	@CGO_ENABLED=0 go build $(GOFLAGS_BUILD) -o bin/parley ./impl/cmd/parley

.PHONY: run
run: build ## Build and serve on 127.0.0.1:8080 with an embedded Postgres
	@exec bin/parley serve

# make test DATABASE_URL=…: on that server, in databases of their own. One that is only in the environment is a running server's, and is left alone.
ifeq ($(origin DATABASE_URL),command line)
unexport DATABASE_URL
export PARLEY_TEST_DATABASE_URL := $(DATABASE_URL)
endif

# Programs that do one thing after the other, on a developer's machine. The race detector has nothing to find in them,
# and what they are built on takes minutes to compile for it: TEST_FLAGS is not for their tests.
SEQUENTIAL := bundle changes codegen contract lintdoc internal
space := $(subst x,,x x)
CONCURRENT = ./tools/faults ./impl/apitest $$(go list ./... | grep -vE '^parley/tools/($(subst $(space),|,$(SEQUENTIAL)))(/|$$)')

.PHONY: test
test: ## Run all tests on a Postgres of their own, or on the server DATABASE_URL, then name what of the document none exercised
	@log=$$(mktemp) && trap 'rm -f "$$log"' EXIT && \
	PARLEY_CONTRACT_LOG="$$log" go run ./tools/withdb go test -timeout=60m $(TEST_FLAGS) $(CONCURRENT) && \
	go run ./tools/contract "$$log" && go test $(patsubst %,./tools/%/...,$(SEQUENTIAL))

.PHONY: test-cost
test-cost: ## Hold what the race detector would change: the edge's allocations, the time of a drawing
	@go test -count=1 -run "Allocations|Hostile|TheCost" ./impl/httpd ./impl/core/drawing

.PHONY: bench-edge
bench-edge: ## Measure what the edge costs on top of a plain router
	@go test -run xxx -bench . -benchmem ./impl/httpd

.PHONY: lint
lint: $(GOLANGCI) lint-doc ## Lint code and document
	@$(GOLANGCI) run ./db/... ./impl/... ./tools/...
	@go vet ./gen/...

$(GOLANGCI):
	@GOBIN=$(CURDIR)/.cache/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
	@mv .cache/bin/golangci-lint $@

.PHONY: clean
clean: ## Remove what was built and cached, but no data
	@rm -rf bin .cache tools/lintdoc/node_modules
