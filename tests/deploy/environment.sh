# shellcheck shell=bash
# Sourced by the commands beside it: puts the Python that they run on, and nothing else, at tests/deploy/.venv.
# Needs Python 3.11 or newer and, when requirements.txt has changed, PyPI.

venv=${here:?the folder of this file}/.venv
if ! cmp --silent "$here/requirements.txt" "$venv/requirements.txt"; then
  python3 -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$here/requirements.txt"
  cp "$here/requirements.txt" "$venv/requirements.txt"
fi
# No account's keys may get in, nor any settings for one.
for name in "${!AWS_@}"; do unset "$name"; done
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
export PYTHONDONTWRITEBYTECODE=1
