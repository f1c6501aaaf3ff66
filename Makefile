# The recipes' names. What each does stands in cargo or in the script that it calls.
.PHONY: help tools build install demo test lint bench proof docs picture release matrix clean

help:
	@echo "make tools  build the pinned programs that the tests run (once, about 25 minutes)"
	@echo "make build  the release binary"
	@echo "make install  the release binary, where the init of terraform and tofu finds it without a registry"
	@echo "make demo   the whole guide with the real terraform, on a test node and a real Kubernetes control plane"
	@echo "make test   formatting, lints, every test, every acceptance case; KUBERNETES=1.30 for the oldest supported one"
	@echo "make lint   formatting, clippy, licences and bans"
	@echo "make bench  start, memory, size, and plans of up to 1,000 nodes"
	@echo "make proof  10,000 generated machine configurations through the editor, judged by Talos's parser"
	@echo "make docs   the registry's pages, from the schema"
	@echo "make picture  the README's picture of a plan, from a real one"
	@echo "make release  what the registries take, for the platforms that this machine can build, into target/release-files"
	@echo "make matrix   the main case with every version of both command lines (an hour at first)"
	@echo "make clean  everything that was built"

tools:
	acceptance-tests/tools/build.sh

build:
	cargo build --release

install:
	release/install.sh

demo: build
	acceptance-tests/demo.sh

test:
	acceptance-tests/test.sh

lint:
	acceptance-tests/lint.sh

bench: tools
	cargo bench --bench speed

proof:
	acceptance-tests/config-proof.sh

docs:
	acceptance-tests/docs.sh

picture:
	acceptance-tests/picture.sh

release:
	release/release.sh

matrix:
	acceptance-tests/matrix.sh

clean:
	cargo clean
