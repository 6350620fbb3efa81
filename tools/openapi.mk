# Targets of the document: bundling, generation, drift and lint. Included by the Makefile.

.PHONY: doc gen gen-check lint-doc breaking changelog release-document

doc: gen lint-doc ## Bundle and lint the document, and generate from it: all that a change of openapi/ needs

gen: ## Bundle the document and generate servers and client from it
	@go run ./tools/bundle
	@go run ./tools/codegen
	@go run ./tools/clientgen

gen-check: gen ## Fail when gen/ is not what the document generates
	@git diff --exit-code -- gen
	@untracked=$$(git ls-files --others --exclude-standard -- gen); \
	if [ -n "$$untracked" ]; then echo "generated but not committed:" >&2; echo "$$untracked" >&2; exit 1; fi

lint-doc: tools/lintdoc/node_modules/.installed ## Lint the document with Redocly, Spectral and the Go linter
	@go run ./tools/lintdoc

breaking: ## Fail when clients of the released document can fail and the version does not say so
	@go run ./tools/changes breaking

changelog: ## Print what changed since the released document, as Markdown
	@go run ./tools/changes changelog

release-document: ## Make the document the released one, and add to openapi/released/CHANGELOG.md
	@go run ./tools/changes release

tools/lintdoc/node_modules/.installed: tools/lintdoc/package.json tools/lintdoc/package-lock.json
	@npm --prefix tools/lintdoc ci --no-progress --ignore-scripts --loglevel=error
	@touch $@
