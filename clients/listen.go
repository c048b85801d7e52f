// Follows a pubsubd topic and loses no event that the server still keeps: go run listen.go URL CURSOR_FILE.
//
// At least once: the cursor is stored when handle has returned, so a run that was killed gets its last event again.
// Gaps and cuts are logged; what trying again cannot mend is returned. Not for ?count=, ?until= and ?timeout=.
// Credentials: in the URL, https://user:password@host/. Go 1.19 or newer.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand"
	"net/http"
	"os"
	"time"
)

func main() { log.Fatal(listen(os.Args[1], os.Args[2], show)) }

func show(event []byte) { fmt.Printf("%s\n", event) }

func listen(url, place string, handle func(event []byte)) error {
	for wait, chance := time.Second, rand.New(rand.NewSource(time.Now().UnixNano())); ; wait += (30*time.Second - wait) / 4 {
		ctx, cancel := context.WithCancel(context.Background())
		silence := time.AfterFunc(20*time.Second, cancel) // a keep-alive is due every 5 s
		request, err := http.NewRequestWithContext(ctx, "GET", url, nil)
		if err != nil {
			return err
		}
		cursor, _ := os.ReadFile(place)
		request.Header = http.Header{"Accept": {"application/x-ndjson"}, "X-Fetch-Since-Cursor": {string(cursor)}}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			answer = &http.Response{Body: http.NoBody, Status: err.Error()}
		} else if code := answer.StatusCode; code/100 == 4 && code != 408 && code != 429 {
			text, _ := io.ReadAll(answer.Body)
			return fmt.Errorf("%s: %s", answer.Status, text)
		}
		lines, line, next := json.NewDecoder(answer.Body), json.RawMessage{}, ""
		for ; lines.Decode(&line) == nil; silence.Reset(20 * time.Second) {
			texts, places, times := map[string]string{}, map[string]map[string]string{}, map[string]map[string]time.Duration{}
			// Values of other types stay empty.
			_, _, _ = json.Unmarshal(line, &texts), json.Unmarshal(line, &places), json.Unmarshal(line, &times)
			next, wait = texts["pubsub_cursor"], time.Second
			if silence.Stop(); next != "" {
				handle(line)
			} else if next = texts["cursor"] + places["opened"]["cursor"] + places["gap"]["resumes_at"]; places["gap"] != nil {
				log.Print("events are missing: ", places["gap"]["reason"])
			} else if wait += times["closing"]["retry_after_ms"] * time.Millisecond; places["closing"]["reason"] == "revoked" {
				return fmt.Errorf("the right to see this was withdrawn: %s", line)
			}
			if next != "" && (os.WriteFile(place+".new", []byte(next), 0o600) != nil || os.Rename(place+".new", place) != nil) {
				return fmt.Errorf("%s cannot be written", place)
			}
		}
		log.Print("the stream broke: ", answer.Status)
		cancel()
		time.Sleep(wait + time.Duration(chance.Int63n(int64(wait/2))))
	}
}
