#!/bin/sh
# Makes the development signing key (ECDSA P-256) that development loaders trust, unless it is there already:
#   dev_key.sh DIRECTORY      writes dev-key.pem (0600) and dev-key.pub.pem
# It is never packaged: releases are built with -DMCUOTA_LOADER_PUBKEY=file.pem.
set -eu
directory=${1:?usage: dev_key.sh DIRECTORY}
mkdir -p "$directory"
umask 077
if [ ! -s "$directory/dev-key.pem" ]; then
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$directory/dev-key.pem.new" 2>/dev/null ||
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$directory/dev-key.pem.new"
    mv "$directory/dev-key.pem.new" "$directory/dev-key.pem"
fi
chmod 600 "$directory/dev-key.pem"
openssl pkey -in "$directory/dev-key.pem" -pubout -out "$directory/dev-key.pub.pem.new"
chmod 644 "$directory/dev-key.pub.pem.new"
if cmp -s "$directory/dev-key.pub.pem.new" "$directory/dev-key.pub.pem" 2>/dev/null; then
    rm "$directory/dev-key.pub.pem.new"
    touch "$directory/dev-key.pub.pem"
else
    mv "$directory/dev-key.pub.pem.new" "$directory/dev-key.pub.pem"
fi
