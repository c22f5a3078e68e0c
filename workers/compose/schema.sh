#!/bin/sh
# Makes the two databases of the Temporal server, or brings their schema up to date; running it again changes nothing.
# The tool reads SQL_HOST, SQL_PORT, SQL_USER and SQL_PASSWORD itself, and brings the schema of its own version.
set -eu

for name in temporal visibility; do
  database=temporal
  [ "$name" = temporal ] || database=temporal_visibility
  tool() { temporal-sql-tool --plugin postgres12_pgx --db "$database" "$@"; }
  tool create-database
  tool setup-schema --version 0.0
  tool update-schema --schema-name "postgresql/v12/$name"
done
