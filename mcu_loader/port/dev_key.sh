#!/bin/sh
# Makes the two development signing keys (ECDSA P-256) of development loaders, unless they are there already:
#   dev_key.sh DIRECTORY      writes dev-key.pem (0600), dev-key.pub.pem, dev-next-key.pem, dev-next-key.pub.pem
# dev-key signs packages, dev-next-key the rotation that takes its place. They are never packaged: releases are built with
# -DMCUOTA_LOADER_PUBKEY=file.pem -DMCUOTA_LOADER_NEXT_PUBKEY=file.pem (docs/keys.md).
set -eu
directory=${1:?usage: dev_key.sh DIRECTORY}
mkdir -p "$directory"
umask 077

make_pair() { # make_pair NAME
    pem=$directory/$1.pem
    pub=$directory/$1.pub.pem
    if [ ! -s "$pem" ]; then
        openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$pem.new" 2>/dev/null ||
            openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$pem.new"
        mv "$pem.new" "$pem"
    fi
    chmod 600 "$pem"
    openssl pkey -in "$pem" -pubout -out "$pub.new"
    chmod 644 "$pub.new"
    if cmp -s "$pub.new" "$pub" 2>/dev/null; then
        rm "$pub.new"
        touch "$pub"
    else
        mv "$pub.new" "$pub"
    fi
}
make_pair dev-key
make_pair dev-next-key
