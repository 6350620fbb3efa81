# Checks of the built server by tools that others wrote. Each brings its own server, stops it, and keeps what it
# downloads in .cache/. Included by the Makefile.

SCHEMATHESIS_FLAGS ?= --examples=30

BENCH_FLAGS ?=

.PHONY: contract eval search-bench schemathesis sdk-customgpt sdk-typescript sdk-openai sdk-realtime sdk-mcp asyncapi upstream-litellm overdraft faults pgbouncer bench bench-peers deploy-check browser events-load events-scale realtime-idle blob-clouds image image-check reproducible upgrade-check kubernetes-check

schemathesis: build ## Test the server by Schemathesis: all checks, generated and stateful
	@tools/schemathesis/run $(SCHEMATHESIS_FLAGS)

CONTRACT_FLAGS ?=

contract: build ## The long form: every kind of credential, two servers behind a balancer, 200 cases an operation; hours
	@tools/schemathesis/run --long $(CONTRACT_FLAGS)

BROWSER_FLAGS ?=

browser: build ## Drive the pages in Chromium (Debian's, installed when missing); BROWSER_FLAGS names scenarios
	@tools/browser/run $(BROWSER_FLAGS)

sdk-customgpt: build ## Run the projects' own Python client, and OpenAI's, on the server
	@tools/sdk/customgpt/run

sdk-typescript: build ## Generate, compile and run two TypeScript clients
	@tools/sdk/typescript/run

sdk-openai: build ## Run OpenAI's own clients for Python and Node against the server
	@tools/sdk/openai/run

sdk-realtime: build ## Run OpenAI's realtime clients for Python and Node, in both shapes, over TLS
	@tools/sdk/realtime/run

asyncapi: ## Check the document of the WebSockets with AsyncAPI's parser
	@tools/checks/asyncapi/run

sdk-mcp: build ## Call the tools of MCP's reference server while WebSocket clients of others hold the chats
	@tools/sdk/mcp/run

upstream-litellm: build ## Run the server on LiteLLM's proxy
	@tools/upstreams/litellm/run

overdraft: ## Ask three servers 1,000 times for more calls than there is money for
	@go run ./tools/withdb go test -count=1 -timeout 60m -run TestNobodyEverOverdraws -v ./impl/core/turn -overdraft-trials 1000

eval: ## Measure what the search of knowledge finds: recall, rank, precision of citations
	@go run ./tools/withdb go test -count=1 -v -run TestEvaluation ./impl/core/knowledge -evaluate

search-bench: ## Measure searches among 1,000, 20,000 and 100,000 chunks; takes some minutes
	@go run ./tools/withdb go test -count=1 -timeout 90m -v -run TestSearchIsFast ./impl/core/knowledge -search-bench

faults: ## Kill, besiege and overdraw several servers for about half an hour; the tests have a short form
	@PARLEY_FAULTS_LONG=1 go run ./tools/withdb go test -count=1 -timeout=90m -v ./tools/faults

pgbouncer: ## Run two servers behind a PgBouncer in transaction mode (needs Debian's package pgbouncer)
	@go run ./tools/withdb go test -count=1 -timeout=10m -tags pgbouncer -run TestServersBehindPgBouncer -v ./tools/faults

events-load: ## Measure how many events of behaviour a second one server takes, beside what Postgres alone does
	@go run ./tools/withdb go test -count=1 -timeout=10m -v -run TestEventsLoad ./tools/faults -events-for 15s

events-scale: ## Measure the analysis of one user among ten million events of others; takes some minutes and 6 GB
	@go run ./tools/withdb go test -count=1 -timeout=60m -v -run TestAnalysisDoesNotGrowWithOthers ./impl/core/engagement -events 10000000

realtime-idle: ## Measure what 2,000 idle realtime sessions take
	@go run ./tools/withdb go test -count=1 -v -run TestRealtimeIdleSessionsAreSmall ./impl/apitest -realtime-idle 2000

bench: ## Measure the built server against the targets of the project, on a quiet machine in six minutes
	@go run ./tools/bench $(BENCH_FLAGS)

bench-peers: ## Run the same loads against Portkey's gateway and LiteLLM's proxy
	@go run ./tools/bench peers $(BENCH_FLAGS)

deploy-check: ## Read alerts with promtool where it is installed (Debian's package prometheus)
	@tools/deploy/check

blob-clouds: build ## Keep files in servers of S3's, Google's and Azure's protocols that others wrote
	@tools/blobclouds/run

image: ## Build the container image parley:latest by buildah, podman or docker; nothing is downloaded
	@CGO_ENABLED=0 $(MAKE) --no-print-directory build && tools/deploy/container/build

image-check: image ## Serve from the image's root, read-only and without privileges (needs root and Debian's package buildah)
	@container=$$(buildah from parley:latest) && trap 'buildah rm "$$container" >/dev/null' EXIT && \
	PARLEY_IMAGE_ROOT=$$(buildah mount "$$container") go run ./tools/withdb go test -count=1 -timeout=5m -tags container -run TestTheImageServes -v ./tools/faults

kubernetes-check: ## Build the Kustomize base and decode it strictly into the types of Kubernetes
	@cd tools/deploy/kubecheck && go run . ../kubernetes

reproducible: ## Build the program in two folders and compare the bytes
	@tools/deploy/reproducible

upgrade-check: ## Replace servers built from the commit PREVIOUS by today's, under load
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && mkdir "$$folder/src" && git archive $(PREVIOUS) | tar -x -C "$$folder/src" && \
	(cd "$$folder/src" && go build -o "$$folder/parley" ./impl/cmd/parley) && \
	PARLEY_FAULTS_PREVIOUS="$$folder/parley" go run ./tools/withdb go test -count=1 -timeout=10m -run TestAnUpgradeOfThreeServers -v ./tools/faults
