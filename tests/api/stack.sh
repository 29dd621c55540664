# shellcheck shell=bash
# Sourced, with the root of the repository in `root`: starts the local stack without data on a free port, as this shell's variables
# configure it, puts its URL into `stack`, and stops it when the script ends. Needs Rust.

(cd "$root" && cargo build --quiet --workspace --bin local)
stack_output=$(mktemp)
PORT=0 "${CARGO_TARGET_DIR:-$root/target}/debug/local" --memory > "$stack_output" &
stack_process=$!
# shellcheck disable=SC2064 # the process is this one, whatever happens later
trap "kill $stack_process 2> /dev/null || true; wait $stack_process || true; rm -f '$stack_output'" EXIT
for ((try = 0; try < 300; try++)); do
  stack=$(sed -n 's|^start  *\(http[^ ]*\)/ .*|\1|p' "$stack_output")
  if [[ -n $stack ]] || ! kill -0 "$stack_process" 2> /dev/null; then
    break
  fi
  sleep 0.1
done
if [[ -z $stack ]]; then
  echo "The local stack did not start." >&2
  exit 1
fi
