# Usage: build.sh RELEASE_ROOT PLATFORM REQUIREMENTS USER ENVIRONMENT hashed|free -- [PACKAGE...]
# Builds wheels of all that a release needs, as an unprivileged user, into wheels.tar and requirements.lock.
release=$1 platform=$2 requirements=$3 user=$4 environment=$5 hashed=$6
shift 7

home=$(getent passwd "$user" | cut -d: -f6)
work=$(mktemp --directory --tmpdir="$home")
trap 'rm -rf "$work"' EXIT
cp -R "$release/code" "$work/code"
chown -R "$user:" "$work"

set -a
. "$environment"
HOME=$home
TMPDIR=$work
PIP_CACHE_DIR=$home/pip
PIP_DISABLE_PIP_VERSION_CHECK=1
PIP_NO_INPUT=1
# Without it the pip of Debian 12 wants the package "wheel", which a virtual environment there does not have.
PIP_USE_PEP517=1
set +a
umask 022
as_builder() { setpriv --reuid="$user" --regid="$user" --init-groups --inh-caps=-all --no-new-privs -- "$@"; }
wheel() { as_builder "$work/venv/bin/pip" wheel --quiet --wheel-dir "$work/wheels" "$@"; }

as_builder python3 -m venv "$work/venv"
cd "$work/code/$(dirname "$requirements")"
file=$work/code/$requirements
if [ "$hashed" = hashed ]; then
    # pip checks hashes of all packages or of none: what the project does not name comes second, and fits the first.
    wheel --requirement "$file"
    as_builder sh -c 'cd "$1" && ls | sed -E "s/^([^-]+)-([^-]+)-.*/\1==\2/" > ../versions' sh "$work/wheels"
    [ $# = 0 ] || wheel --find-links "$work/wheels" --constraint "$work/versions" "$@"
else
    wheel --requirement "$file" "$@"
fi

cd "$work/wheels"
ls | grep -qi '^django-[0-9]' || {
    echo "The requirements in $requirements do not bring Django." >&2
    exit 1
}
for wheel in *.whl; do
    echo "$wheel" | sed -E 's/^([^-]+)-([^-]+)-.*/\1==\2/' | tr '\n' ' '
    echo "--hash=sha256:$(sha256sum "$wheel" | cut -d' ' -f1)"
done > "$work/requirements.lock"
tar --create --sort=name --owner=0 --group=0 --numeric-owner --file "$work/wheels.tar" -- *.whl
install -m 0640 "$work/requirements.lock" "$release/requirements.lock"
install -m 0640 "$work/wheels.tar" "$release/wheels.tar.new"
mv "$release/wheels.tar.new" "$release/wheels.tar"
echo "$platform" > "$release/.wheels"
