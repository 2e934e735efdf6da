# Usage: collect.sh MANAGE SETTINGS RELEASE_ROOT USER
# Collects the static files of a release as the site's user, and packs them for the other servers.
manage=$1 settings=$2 release=$3 user=$4

rm -rf "$release/static"
install --directory --owner="$user" "$release/static"
"$manage" "$settings/tiered_collect.py"
# From here on nobody changes them. The mark is the last file in the archive: where it is, all the others are.
mkdir "$release/static/.published"
chown -R root: "$release/static"
chmod -R u=rwX,go=rX "$release/static"
touch "$release/static/.published/$(basename "$release")"
cd "$release"
{ find static -type f ! -path '*/.published/*' -print0 | LC_ALL=C sort --zero-terminated
  find static/.published -type f -print0; } |
    tar --create --gzip --no-recursion --null --files-from=- --owner=0 --group=0 --file static.tar.gz.new
mv static.tar.gz.new static.tar.gz
