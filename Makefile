# backscatter-milter. `make` alone says what there is.
SHELL   := bash
GO      ?= go
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
BINARY  := build/backscatter-milter
PACKAGE := build/package
TOOLS   := $(CURDIR)/build/tools

# How long `make fuzz` stays with each target, and where `make bench-load`
# writes its report (nowhere: it is printed).
FUZZTIME ?= 1m
OUT      ?=

# Messages that `make corpus` compares the classifier with: a folder that holds
# labels.tsv and, in dev/ or beside it, the messages.
CORPUS   ?= ../shared/corpus

export GO TOOLS

.DEFAULT_GOAL := help
.PHONY: help build run test test-unit test-e2e lint vuln fuzz corpus bench bench-load man package tools deps clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build/backscatter-milter, one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)' -o $(BINARY) ./cmd/backscatter-milter

run: build ## run the milter on its defaults, with its state in build/state
	$(BINARY) serve --state build/state

test: test-unit test-e2e ## all tests, the ones with real mail servers too (these need root)

test-unit: deps ## tests of single packages, under the race detector
	$(GO) test -race ./...

test-e2e: build ## tests with real mail servers, fetched from Debian (need root)
	.ci/e2e

lint: tools ## formatting, vet, staticcheck, golangci-lint
	.ci/lint

vuln: tools ## known vulnerabilities that the code reaches
	.ci/vuln

fuzz: ## each fuzz target for FUZZTIME=1m
	.ci/fuzz $(FUZZTIME)

corpus: ## compare the classifier with the labelled messages of CORPUS=DIR
	CLASSIFY_CORPUS='$(abspath $(CORPUS))' $(GO) test -count=1 -run '^TestCorpus$$' ./classify -v

bench: ## Go benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

bench-load: build ## load the built milter and a stock no-op; OUT=FILE writes the report
	cd e2e && $(GO) run ./load -daemon $(CURDIR)/$(BINARY) $(if $(OUT),-out '$(abspath $(OUT))')

man: build ## the manual pages, in build/man
	@mkdir -p build/man
	$(BINARY) manual build/man

package: build $(TOOLS)/nfpm ## .deb and .rpm, in build/package
	.ci/package $(BINARY) '$(VERSION)' $(PACKAGE)

$(TOOLS)/nfpm: tools/go.mod
	cd tools && $(GO) build -trimpath -buildvcs=false -o $@ github.com/goreleaser/nfpm/v2/cmd/nfpm

tools: ## build the checkers that tools/go.mod pins
	cd tools && $(GO) build -trimpath -buildvcs=false -o $(TOOLS)/ tool

deps: # what the tests need of the host
	.ci/deps

clean: ## remove what was built
	rm -rf build e2e/build
