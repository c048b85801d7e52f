"""Follows a pubsubd topic and loses no event that the server still keeps. Python 3.8 or newer, nothing else: copy it.

    for event in listen("https://pubsub.example.org/fruits", "fruits.cursor"): ...

At least once: the cursor is stored when your loop asks for the next event; a killed run gets its last event again.
Gaps and cuts go to standard error; what trying again cannot mend is raised. Not for ?count=, ?until= and ?timeout=."""
import base64, http.client, json, os, pathlib, random, sys, time, urllib.request

def listen(url, cursor_file, user="", password=""):
    login, wait = base64.b64encode(f"{user}:{password}".encode()).decode(), 1
    headers = {"Accept": "application/x-ndjson", **({"Authorization": f"Basic {login}"} if user else {})}
    while True:
        if os.path.exists(cursor_file):
            headers["X-Fetch-Since-Cursor"] = pathlib.Path(cursor_file).read_text().strip()
        for told in lines_of(urllib.request.Request(url, headers=headers)):
            is_event = "pubsub_topics" in told
            place = told if is_event else told.get("opened") or told.get("gap") or told.get("closing") or told
            wait = 1 if place is told else place.get("retry_after_ms", 1000) / 1000
            if is_event:
                yield told
            elif "gap" in told:
                print("events are missing:", place["reason"], file=sys.stderr)
            elif place.get("reason") == "revoked":
                raise PermissionError("the right to see these events was withdrawn")
            if cursor := place.get("pubsub_cursor") or place.get("resumes_at") or place.get("cursor"):
                pathlib.Path(cursor_file + ".new").write_text(cursor)
                os.replace(cursor_file + ".new", cursor_file)
        time.sleep(wait * random.uniform(1, 1.5))
        wait = min(2 * wait, 30)

def lines_of(request):
    try:
        with urllib.request.urlopen(request, timeout=20) as lines:  # a keep-alive is due every 5 s
            yield from map(json.loads, lines)  # a line that was cut is no JSON
    except (OSError, http.client.HTTPException, ValueError) as error:
        if getattr(error, "code", 500) // 100 == 4 and error.code not in (408, 429):
            raise RuntimeError(f"{error}: {error.read().decode()}") from None
        after = str(getattr(error, "headers", {}).get("Retry-After"))
        print("the stream broke:", error, file=sys.stderr)
        time.sleep(int(after) * random.uniform(1, 1.5) if after.isdigit() else 0)
