# Checks a new configuration. keepalived 2.2 ends itself when it tests one with a check that another user than root runs,
# and any version runs without a check that it cannot execute. So the check is looked at apart.
set -e
trap 'rm -f "$1.test"' EXIT
user=$(sed -n 's/^ *script_user //p' "$1")
command=$(sed -n 's/^ *script "\([^ "]*\).*/\1/p' "$1")
if ! id -u "$user" > /dev/null 2>&1; then
    echo "keepalived_check_user: there is no user $user on this host."
    exit 1
elif [ -n "$command" ] && ! setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups test -x "$command"; then
    echo "keepalived_check_command: $user cannot execute $command. Install it before, and make it executable."
    exit 1
fi
sed '/^vrrp_script/,/^}/d; /^    track_script/,/^    }/d' "$1" > "$1.test"
keepalived --config-test --use-file="$1.test"
