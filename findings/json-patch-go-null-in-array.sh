#!/usr/bin/env bash
# github.com/evanphx/json-patch v5.9.11 applies a merge patch (RFC 7396) to what the patch's arrays hold: members of objects in an array
# that are null are left out of the result.
#
# By the RFC (section 2) an array of the patch takes the place of the target's value as it is: only objects are merged, so a null within
# an array is a value like any other. Libraries of other languages keep it: PyPI's json-merge-patch 0.3.0 does, shown beside it. A
# client that computes what PATCH will make of a resource with the Go library expects another result than a server that follows the RFC.
#
# Needs Go, Python 3 and the public registries.
set -euo pipefail

folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
export GOPATH="$folder/go" GOFLAGS=-mod=mod

cat > go.mod <<'MOD'
module example.com/merge

go 1.21

require github.com/evanphx/json-patch/v5 v5.9.11
MOD
cat > main.go <<'GO'
package main

import (
	"fmt"

	jsonpatch "github.com/evanphx/json-patch/v5"
)

func main() {
	merged, err := jsonpatch.MergePatch([]byte(`{}`), []byte(`{"phones":[{"number":"1","label":null}]}`))
	if err != nil {
		panic(err)
	}
	fmt.Println(string(merged))
}
GO
go mod tidy > log 2>&1 || { cat log; exit 1; }
go=$(go run .)

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check json-merge-patch==0.3.0
python=$(venv/bin/python -c '
import json
from json_merge_patch import merge
print(json.dumps(merge({}, {"phones": [{"number": "1", "label": None}]}), separators=(",", ":")))')

echo "Go, evanphx/json-patch v5.9.11:   $go"
echo "Python, json-merge-patch 0.3.0:   $python"
[[ $go == '{"phones":[{"number":"1"}]}' && $python == '{"phones":[{"number":"1","label":null}]}' ]] ||
  { echo "This has changed."; exit 1; }
