#!/bin/sh
# Registers the namespace and its retention, or corrects the retention; running it again changes nothing.
# The CLI reads TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE itself.
set -eu

retention=720h # 30 days: how long closed runs can be shown, exported and resumed
attempts=30

until temporal operator namespace describe >/dev/null 2>&1 || temporal operator namespace create --retention "$retention"; do
  attempts=$((attempts - 1))
  [ "$attempts" -gt 0 ] || exit 1
  sleep 1
done
# The server's caches learn of a new namespace within some seconds: until then it refuses changes.
until temporal operator namespace update --retention "$retention"; do
  attempts=$((attempts - 1))
  [ "$attempts" -gt 0 ] || exit 1
  sleep 1
done
