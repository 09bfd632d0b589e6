# A thin front: meson builds, the scripts in tests/ do the rest.

BUILD   ?= build
PREFIX  ?= /usr/local
SECONDS ?= 30
SUITES  ?=
PYTHON  := /usr/bin/python3
MESON   := $(shell command -v /usr/bin/meson || echo meson)

.PHONY: all help demo test bench bench-rfc2544 bench-ha fuzz lint format install clean prerequisites

PLUGIN = libstrongswan-kernel-isthmus.so

# charon's plugin needs strongSwan's headers, which may come later than the build folder.
all: $(BUILD)/build.ninja
	@grep -qs $(PLUGIN) $(BUILD)/build.ninja || ! control/strongswan/fetch.sh >/dev/null || \
		$(MESON) setup --reconfigure $(BUILD) >/dev/null
	@$(MESON) compile -C $(BUILD) $(if $(V),-v)
	@for f in isthmusd isthmus $(PLUGIN); do \
		p=$$(find $(BUILD)/control -name $$f -type f -perm /111 | head -n 1); \
		test -z "$$p" || ln -sfn "$${p#$(BUILD)/}" $(BUILD)/$$f; \
	done

$(BUILD)/build.ninja:
	@$(MESON) setup --prefix=$(PREFIX) $(BUILD) >/dev/null || { $(MESON) setup --prefix=$(PREFIX) $(BUILD); exit 1; }

help:
	@echo 'make                  build $(BUILD)/isthmusd and $(BUILD)/isthmus'
	@echo 'make demo             two appliances, a tunnel, NSG, peering and UDR (root); HOLD=1 to look around'
	@echo 'make test             every suite; SUITES="unit whole" for some of them (root for all)'
	@echo 'make bench            cycles per packet; QUICK=1 or FULL=1, SCENARIOS="whole" for some,'
	@echo '                      JSON=FILE to keep it, COMPARE=FILE with what was kept'
	@echo 'make bench-rfc2544    no-drop rate over memif (root); SCENES="forward tunnel", OPTIONS="seconds=10 loss=0.0001",'
	@echo '                      JSON=FILE'
	@echo 'make bench-ha         what failures of a pair cost, in ms (root); TRIALS=20, JSON=FILE'
	@echo 'make fuzz             each fuzz target for SECONDS=$(SECONDS)'
	@echo 'make lint             layer rules, format, sizes, scripts, man pages'
	@echo 'make format           clang-format all C files in place'
	@echo 'make install          PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)'
	@echo 'make prerequisites    install the Debian packages of tests/packages.txt (root)'
	@echo 'make clean            remove the build folders'

prerequisites:
	@tests/install.sh

demo: prerequisites
	@$(MAKE) --no-print-directory all
	@$(PYTHON) tests/demo.py --build $(BUILD) $(if $(HOLD),--hold)

test: prerequisites
	@$(MAKE) --no-print-directory all
	@$(PYTHON) tests/run.py --build $(BUILD) $(SUITES)

bench: prerequisites
	@$(MAKE) --no-print-directory all
	@tests/bench/run.sh $(BUILD) "$(JSON)" "$(COMPARE)" $(if $(FULL),--full,$(if $(QUICK),--quick)) $(if $(SCENARIOS),"$(SCENARIOS)")
	$(if $(SCENARIOS),,@$(BUILD)/tests/bench/bench-control $(if $(QUICK),,&& $(BUILD)/tests/bench/bench-steady))

bench-rfc2544: prerequisites
	@$(MAKE) --no-print-directory all
	@ISTHMUS_BUILD=$(abspath $(BUILD)) $(PYTHON) tests/bench/pktgen/rfc2544.py $(SCENES) $(if $(JSON),--json $(JSON)) $(OPTIONS:%=--option %)

bench-ha: prerequisites
	@$(MAKE) --no-print-directory all
	@ISTHMUS_BUILD=$(abspath $(BUILD)) $(PYTHON) tests/bench/ha_failover.py $(if $(TRIALS),--trials $(TRIALS)) $(if $(JSON),--json $(JSON))

fuzz: prerequisites
	@tests/fuzz/run.sh $(SECONDS)

lint: prerequisites
	@$(PYTHON) tests/lint/lint.py

format:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

install: all
	@$(MESON) configure $(BUILD) --prefix=$(PREFIX)
	@$(MAKE) --no-print-directory all
	@DESTDIR=$(DESTDIR) $(MESON) install -C $(BUILD) --no-rebuild

clean:
	@rm -rf $(BUILD) build-tsan build-fuzz
