# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A thin front for meson. Where there is a choice, meson is the place to make it.
BUILD ?= build
PREFIX ?= /usr/local

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	meson setup $(BUILD) --prefix=$(PREFIX)

# Installs what is missing, builds, and shows the life of a domain on a private bus.
demo: dependencies
	$(MAKE) all
	demo/demo $(BUILD)

# Installs what is missing, builds, and runs all tests. The last line is the sum.
check: test-dependencies
	$(MAKE) all
	scripts/run-tests $(BUILD)

# Installs what is missing, builds, and measures: a table of figures, each beside its limit.
bench: test-dependencies
	$(MAKE) all
	tests/bench/bench $(BUILD)

# The same work by libvirt and libvirt-dbus. They are measured where they are installed, and not installed for that; the build may be
# older than they are.
bench-libvirt: test-dependencies $(BUILD)/build.ninja
	scripts/install-dependencies --tell libvirt
	meson setup --reconfigure $(BUILD)
	$(MAKE) all
	tests/bench/bench $(BUILD) --libvirt --rounds 3

# Installs what is missing, and builds the Debian packages into $(BUILD)/deb, from a copy of the sources.
deb:
	scripts/install-dependencies deb
	scripts/build-deb $(BUILD)/deb

# The packages on a Debian of their own that systemd boots, with its bus and polkit. It wants root; where it cannot be, its cases
# are skipped. The last line is the sum.
check-system:
	scripts/check-system $(BUILD)-system $(BUILD)/deb

install: all
	meson install -C $(BUILD) --no-rebuild

dependencies:
	scripts/install-dependencies

test-dependencies:
	scripts/install-dependencies test

clean:
	rm -rf build build-asan build-system build-tsan

help:
	@echo 'make                 build into $(BUILD)/'
	@echo 'make demo            install what is missing, build, show it at work'
	@echo 'make check           install what is missing, build, run all tests'
	@echo 'make check-system    the packages on a Debian of their own, as root'
	@echo 'make bench           install what is missing, build, measure'
	@echo 'make bench-libvirt   the same work by libvirt, if it is installed'
	@echo 'make deb             install what is missing, build the Debian packages into $(BUILD)/deb'
	@echo 'make install         install to PREFIX ($(PREFIX)), honours DESTDIR'
	@echo 'make clean           remove the build folders'

.PHONY: all demo check check-system bench bench-libvirt deb install dependencies test-dependencies clean help
