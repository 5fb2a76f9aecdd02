#!/usr/bin/env bash
# Builds the wheel of the plugin.
exec bash "$VECRANK_ROOT/packages/python/build.sh" "$1" "$VECRANK_ROOT/packages/datasette"
