# Usage: state.sh ROOT CONFIGURATION_ROOT RELEASE STATIC_ROOT
# Prints as YAML which release is served and how far the wanted one is. Changes nothing.
root=$1
configuration=$2
release=$1/releases/$3

mark() { printf "%s: '%s'\n" "$1" "$(cat "$release/.$1" 2>/dev/null)"; }
link() { printf "%s: '%s'\n" "$1" "$(basename "$(readlink "$2")")"; }
there() { if [ -e "$2" ]; then echo "$1: true"; else echo "$1: false"; fi; }

printf "release: '%s'\n" "$release"
link current "$root/current"
link previous "$root/previous"
link settings "$configuration/current"
there static "$release/static.tar.gz"
there published "$4/.published/$3"
there collected "$release/static/.published/$3"
mark wheels
mark installed
mark checked
mark migrated
