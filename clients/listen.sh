#!/bin/sh
# Follows a pubsubd topic and loses no event that the server still keeps: sh listen.sh URL CURSOR_FILE. Needs curl.
#
# Prints an event on each line. Better put your command into handle(): at least once, the cursor is stored when it has
# succeeded, so a run that was killed, or whose command failed, gets that event again. Gaps, cuts and what trying again
# cannot mend go to standard error. Credentials: ~/.netrc. Not for ?count=, ?until= and ?timeout=.
url=$1 file=$2 pause=1 child=

handle() { printf '%s\n' "$1"; }

keep() { # what stands behind the last such name: no string of an event can have these quotes in it
  cursor=${line##*"\"$1\": \""}
  printf '%s\n' "${cursor%%\"*}" >"$file.new" && mv "$file.new" "$file" || exit 1
}

trap 'kill $child 2>/dev/null' EXIT
trap 'exit 1' HUP INT TERM
while :; do
  rm -f "$file.pipe" && mkfifo "$file.pipe" || exit 1
  exec 3<>"$file.pipe" 4<"$file.pipe" 5>"$file.pipe" 3>&- # opened here, where both ends are: curl has none to wait for
  # A keep-alive is due every 5 s: 20 s of silence are a broken connection.
  curl -sSN --netrc-optional --connect-timeout 20 --speed-limit 1 --speed-time 20 -H 'Accept: application/x-ndjson' \
    -H "X-Fetch-Since-Cursor: $(cat "$file" 2>/dev/null)" -w ' status %{http_code}\n' "$url" >&5 4<&- 5>&- & child=$!; exec 5>&-
  while IFS= read -r line; do
    case $line in
      *' status 408' | *' status 429' | *' status '[0125][0-9][0-9]) echo "the stream broke: $line" >&2 ;;
      *' status '[34][0-9][0-9]) echo "refused: $line" >&2; exit 1 ;;
      *'"pubsub_cursor": "'*'"}') pause=1; handle "$line" </dev/null || exit 1; keep pubsub_cursor ;;
      *'"reason": "revoked"'*) echo "the right to see this was withdrawn: $line" >&2; exit 1 ;;
      *'"closing": {'*) keep cursor; pause=${line##*'"retry_after_ms": '} pause=$((${pause%%\}*} / 1000 + 1)) ;;
      *'"gap": {'*) echo "events are missing: $line" >&2; keep resumes_at ;;
      *'"cursor": "'*) pause=1; keep cursor ;;
      *) echo "$line" >&2 ;;
    esac
  done <&4
  ms=$((pause * 1000 + $(od -An -N2 -tu2 /dev/urandom) * pause / 66)) # by chance up to twice as long
  sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))" & child=$!
  wait "$child" || { sleep $((ms / 1000)) & child=$!; wait "$child"; } # a sleep that knows whole seconds only
  pause=$((pause < 16 ? pause * 2 : 30))
done
