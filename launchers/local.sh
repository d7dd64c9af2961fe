#!/usr/bin/env bash
# A study on this machine. The same line again continues it.
#
#   launchers/local.sh                                   the architecture search
#   launchers/local.sh +experiment=hpo study.budget=50   any words of python -m moosnn
#
# PYTHON  the interpreter (default python)
set -euo pipefail

[ $# -gt 0 ] || set -- +experiment=nas
exec "${PYTHON:-python}" -m moosnn "$@"
