# Usage: activate.sh ROOT CONFIGURATION_ROOT RELEASE SETTINGS KEEP
# Points "current" at a release and its settings, "previous" at what was current, and removes what is older.
root=$1 configuration=$2 release=$3 settings=$4 keep=$5

[ -f "$root/releases/$release/.installed" ] || {
    echo "Release $release is not installed on this host." >&2
    exit 1
}

# A link is replaced in one step: there is always a current release.
point() { ln -sfn "$2" "$1.new" && mv -T "$1.new" "$1"; }
switch() {
    old=$(readlink "$1/current" || true)
    [ "$old" != "$2" ] || return 0
    [ -z "$old" ] || point "$1/previous" "$old"
    point "$1/current" "$2"
}
kept() { [ "$(readlink "$1/current")" = "$2" ] || [ "$(readlink "$1/previous" || true)" = "$2" ]; }

switch "$root" "releases/$release"
switch "$configuration" "$settings"

cd "$root"
count=0
for mark in $(ls -t releases/*/.installed); do
    count=$((count + 1))
    old=$(dirname "$mark")
    [ "$count" -le "$keep" ] || kept "$root" "$old" || rm -rf "$old"
done
for old in releases/*; do
    # What a run left half done, except what is made right now by another.
    [ -f "$old/.installed" ] || [ -z "$(find "$old" -maxdepth 0 -mmin +1440)" ] || rm -rf "$old"
done
cd "$configuration"
for old in settings-*; do
    kept "$configuration" "$old" || rm -rf "$old"
done
