#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Tells what happens to all domains, one line an event, with busctl and sed. That the bus has lost something is told as well;
# GetEvents() has it.
N=org.vmherald.Domains1
busctl --user --json=short monitor --match="type='signal',sender='$N',path_namespace='/org/vmherald/Domains1'" |
sed -nuE "
	# sequence, uuid, interface.member, and what the first two arguments of a Lifecycle are
	s/.*\"path\":\"[^\"]*\/_([0-9a-f_]{36})\",\"interface\":\"$N\.(\w+)\",\"member\":\"(\w+)\",(.*\[([0-9]+),[0-9]+,[0-9]+\],\{.*)/\5 \1 \2.\3 \4/
	t event
	d
	:event
	s/ Domain\.Lifecycle .*\"data\":\[\"([^\"]*)\",\"([^\"]*)\".*/ Domain.Lifecycle \1 \2/
	t tell
	s/^([^ ]+ [^ ]+ [^ ]+) .*/\1/
	:tell
	y/_/-/
	p" |
while read -r sequence line; do
	[ "$sequence" -eq "${next:-$sequence}" ] || echo "events $next to $((sequence - 1)) were lost on the bus" >&2
	next=$((sequence + 1))
	echo "$sequence $line"
done
