# Checks of the built server by tools that others wrote. Each brings its own server, stops it, and keeps what it
# downloads in .cache/. Included by the Makefile.

SCHEMATHESIS_FLAGS ?= --examples=30

.PHONY: schemathesis sdk-customgpt sdk-typescript upstream-litellm overdraft faults

schemathesis: build ## Test the server by Schemathesis: all checks, generated and stateful
	@tools/schemathesis/run $(SCHEMATHESIS_FLAGS)

sdk-customgpt: build ## Run the projects' own Python client, and OpenAI's, on the server
	@tools/sdk/customgpt/run

sdk-typescript: build ## Generate, compile and run two TypeScript clients
	@tools/sdk/typescript/run

upstream-litellm: build ## Run the server on LiteLLM's proxy
	@tools/upstreams/litellm/run

overdraft: ## Ask three servers 1,000 times for more calls than there is money for
	@go run ./tools/withdb go test -count=1 -timeout 60m -run TestNobodyEverOverdraws -v ./impl/core/turn -overdraft-trials 1000

faults: ## Kill, besiege and overdraw several servers for about half an hour; the tests have a short form
	@PARLEY_FAULTS_LONG=1 go run ./tools/withdb go test -count=1 -timeout=90m -v ./tools/faults
