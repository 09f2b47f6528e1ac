#!/usr/bin/env bash
# RUSTC_WRAPPER for type checks against a Postgres whose headers are not at hand: pgrx-pg-sys ships bindings for every
# version, made for its documentation, and takes them when it is compiled with the cfg `docsrs`. Other crates must not
# see that cfg: they would turn on compiler features that stable Rust does not have.
set -euo pipefail
case " $* " in
    *" --crate-name pgrx_pg_sys "*) exec "$@" --cfg docsrs ;;
    *) exec "$@" ;;
esac
