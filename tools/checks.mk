# Checks of the built server by tools that others wrote. Each brings its own server, stops it, and keeps what it
# downloads in .cache/. Included by the Makefile.

SCHEMATHESIS_FLAGS ?= --examples=30

BENCH_FLAGS ?=

.PHONY: fuzz verify eval search-bench schemathesis sdk-customgpt sdk-typescript sdk-openai sdk-realtime sdk-mcp asyncapi upstream-litellm overdraft faults pgbouncer bench bench-peers deploy-check dashboard browser events-load events-scale realtime-idle blob-clouds image image-check reproducible upgrade-check kubernetes-check acme-check soak idle-connections disk-full major-upgrade-check scale pgvector sdks sdk-python sdk-java sdk-rust sdk-go observation-cost contract

schemathesis: build ## Test the server by Schemathesis: all checks, generated and stateful
	@tools/schemathesis/run $(SCHEMATHESIS_FLAGS)

CONTRACT_FLAGS ?=

contract: build ## The long form: every kind of credential, two servers behind a balancer, 200 cases an operation; hours
	@tools/schemathesis/run --long $(CONTRACT_FLAGS)

BROWSER_FLAGS ?=

browser: build ## Drive the pages in Chromium (Debian's, installed when missing); BROWSER_FLAGS names scenarios
	@tools/browser/run $(BROWSER_FLAGS)

FUZZ_CASES ?= 64

fuzz: build ## A second opinion: openapi-fuzzer, built by Cargo, looks for answers that the document does not promise; takes long
	@tools/checks/fuzz/run $(FUZZ_CASES)

verify: build ## Let the program hold the built server against its document
	@tools/checks/verify/run

sdk-customgpt: build ## Run the projects' own Python client, and OpenAI's, on the server
	@tools/sdk/customgpt/run

sdks: sdk-typescript sdk-python sdk-java sdk-rust sdk-go ## Generate clients in five languages from the served document, compile and run them

sdk-typescript: build ## Generate, compile and run two TypeScript clients
	@tools/sdk/typescript/run

sdk-python: build ## Generate, type-check and run two Python clients
	@tools/sdk/python/run

sdk-java: build ## Generate, compile with Maven and run a Java client (needs Java 17 and Maven)
	@tools/sdk/java/run

sdk-rust: build ## Generate, compile with Cargo and run a Rust client (needs Java 17 and Rust)
	@tools/sdk/rust/run

sdk-go: build ## Generate, compile and run a Go client that is not ours (needs Java 17)
	@tools/sdk/go/run

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

pgbouncer: ## Run two servers behind a PgBouncer in transaction mode: the system's, else Debian's package, which is brought along
	@tools/checks/pgbouncer/run

pgvector: ## Search by vectors on a Postgres that has pgvector, which is brought along
	@tools/checks/pgvector/run

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

deploy-check: build ## Have Prometheus, systemd and docker-compose, where they are installed, read the files of tools/deploy and collect from a server
	@tools/deploy/check

dashboard: build ## Draw the dashboard of a busy server by Grafana's own components in Chromium and keep the picture (needs Debian's packages prometheus and chromium)
	@tools/deploy/dashboard/run

blob-clouds: build ## Keep files in servers of S3's, Google's and Azure's protocols that others wrote
	@tools/blobclouds/run

image: build ## Build the container image parley:latest by buildah, podman or docker; nothing is downloaded
	@tools/deploy/container/build

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

PEBBLE := .cache/bin/pebble .cache/bin/pebble-challtestsrv

acme-check: $(PEBBLE) ## Get a certificate for two servers from Pebble, the test authority of Let's Encrypt
	@PATH="$(CURDIR)/.cache/bin:$$PATH" go run ./tools/withdb go test -count=1 -timeout=5m -tags acme -run TestCertificatesByACME -v ./tools/faults

$(PEBBLE):
	@GOBIN=$(CURDIR)/.cache/bin go install github.com/letsencrypt/pebble/v2/cmd/$(@F)@v2.8.0

SOAK_FLAGS ?= -soak-for 30m -soak-load 0.6

soak: ## Keep two servers busy for half an hour and look whether anything grows
	@go run ./tools/withdb go test -count=1 -timeout=90m -run TestSoak -v ./tools/faults $(SOAK_FLAGS)

idle-connections: ## Hold 19,000 connections that say nothing, or say it slowly, while others are answered
	@go run ./tools/withdb go test -count=1 -timeout=10m -run TestIdleAndSlowConnections -v ./tools/faults -idle-connections 19000

disk-full: ## Fill the disks of files, of forms and of the embedded Postgres (needs root)
	@go run ./tools/withdb go test -count=1 -timeout=10m -tags diskfull -run TestAFullDisk -v ./tools/faults

major-upgrade-check: ## Move data from Postgres 16 to 18 and to a Postgres outside, both brought along, and compare
	@tools/checks/majors/run

scale: ## Store five million messages and measure what they, housekeeping and retention take; needs 8 GB for a while
	@go run ./tools/withdb go test -count=1 -timeout=60m -run TestTheCostOfManyMessages -v ./db -scale-messages 5000000

observation-cost: ## Measure what metrics and traces take of a request, by two servers in turns
	@go run ./tools/withdb go test -count=1 -timeout=20m -run TestTheCostOfObservation -v ./tools/faults -observation-rounds 15
