#!/bin/sh
# Makes the certificates in this folder anew, with openssl. They are fixtures of tests, valid for a hundred years, and
# worth nothing: their keys are public. Nothing but a test that names the authority trusts them.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$1" 2>/dev/null; }

# leaf NAME SUBJECT USAGE ALTERNATIVE-NAMES START END
leaf() {
  key "$1.key.pem"
  openssl req -new -key "$1.key.pem" -subj "/CN=$2" -out "$work/$1.csr"
  printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=%s\nsubjectAltName=%s\n' "$3" "$4" >"$work/$1.ext"
  openssl ca -batch -notext -config "$work/ca.cnf" -in "$work/$1.csr" -extfile "$work/$1.ext" \
    -startdate "$5" -enddate "$6" -out "$1.pem" 2>/dev/null
}

key "$work/authority.key.pem"
: >"$work/index.txt"
cat >"$work/ca.cnf" <<CONFIG
[ca]
default_ca = authority
[authority]
database = $work/index.txt
new_certs_dir = $work
certificate = authority.pem
private_key = $work/authority.key.pem
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
CONFIG

openssl req -new -key "$work/authority.key.pem" -subj "/CN=Leveret fixtures" -out "$work/authority.csr"
printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n' >"$work/authority.ext"
openssl ca -batch -notext -selfsign -config "$work/ca.cnf" -in "$work/authority.csr" -extfile "$work/authority.ext" \
  -startdate 20200101000000Z -enddate 21241231000000Z -out authority.pem 2>/dev/null

names=DNS:localhost,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1
leaf server localhost serverAuth "$names" 20250101000000Z 21241231000000Z
leaf expired localhost serverAuth "$names" 20200101000000Z 20200201000000Z
leaf client leveret-client clientAuth DNS:client.test 20250101000000Z 21241231000000Z
openssl pkcs8 -topk8 -in client.key.pem -passout pass:rabbit -out client.encrypted-key.pem
openssl pkcs12 -export -in client.pem -inkey client.key.pem -passout pass:rabbit -out client.pfx
