# Usage: install.sh RELEASE_ROOT PLATFORM
# Makes the virtual environment of a release from its wheels, each of which must have the hash in the lock file.
release=$1 platform=$2

umask 022
rm -rf "$release/wheels"
mkdir "$release/wheels"
trap 'rm -rf "$release/wheels"' EXIT
tar --extract --file "$release/wheels.tar" --directory "$release/wheels"
# The pip that Debian keeps for virtual environments. The release needs none of its own: nobody is to add to it by hand.
pip=$(ls /usr/share/python-wheels/pip-*.whl)
python3 -m venv --clear --without-pip "$release/venv"
python=$release/venv/bin/python
PIP_CONFIG_FILE=/dev/null "$python" "$pip/pip" install --quiet --disable-pip-version-check --no-cache-dir \
    --no-compile --root-user-action=ignore --no-index --find-links "$release/wheels" --require-hashes \
    --requirement "$release/requirements.lock"
# The site cannot write bytecode, and its files have no meaningful dates. A file for another Python is no error here.
"$python" -m compileall -q -j 0 --invalidation-mode unchecked-hash "$release/venv/lib" "$release/code" > /dev/null || true
echo "$platform" > "$release/.wheels"
echo "$platform" > "$release/.installed"
