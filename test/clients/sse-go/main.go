// Server-sent events by a library of Go, as its page shows it: LIBRARY URL LAST_EVENT_ID LARGEST.
//
// The last id, and how many bytes a message may have, are empty where the library's own are meant.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strconv"

	launchdarkly "github.com/launchdarkly/eventsource"
	r3labs "github.com/r3labs/sse/v2"
	tmaxmax "github.com/tmaxmax/go-sse"
)

var libraries = map[string]func(url, lastEventID string, largest int) error{
	"r3labs/sse": func(url, lastEventID string, largest int) error {
		client := r3labs.NewClient(url)
		if largest > 0 {
			client = r3labs.NewClient(url, r3labs.ClientMaxBufferSize(largest))
		}
		if lastEventID != "" {
			client.Headers["Last-Event-ID"] = lastEventID
		}
		return client.SubscribeRaw(func(event *r3labs.Event) {
			tell(string(event.Event), string(event.ID), string(event.Data))
		})
	},
	"tmaxmax/go-sse": func(url, lastEventID string, largest int) error {
		request, err := http.NewRequest("GET", url, http.NoBody)
		if err != nil {
			return err
		}
		request.Header.Set("Accept", "text/event-stream")
		if lastEventID != "" {
			request.Header.Set("Last-Event-ID", lastEventID)
		}
		connection := tmaxmax.NewConnection(request)
		if largest > 0 {
			connection.Buffer(nil, largest)
		}
		connection.SubscribeToAll(func(event tmaxmax.Event) {
			tell(event.Type, event.LastEventID, event.Data)
		})
		return connection.Connect()
	},
	"launchdarkly/eventsource": func(url, lastEventID string, _ int) error {
		stream, err := launchdarkly.Subscribe(url, lastEventID)
		if err != nil {
			return err
		}
		go func() {
			for err := range stream.Errors {
				log.Print(err)
			}
		}()
		for event := range stream.Events {
			tell(event.Event(), event.Id(), event.Data())
		}
		return nil
	},
}

func tell(name, id, data string) {
	if name == "" {
		name = "message"
	}
	told := map[string]any{"name": name, "id": id, "n": nil, "length": len(data)}
	var payload map[string]any
	if json.Unmarshal([]byte(data), &payload) != nil {
		told["n"] = "no JSON"
	} else {
		told["n"] = payload["n"]
	}
	line, err := json.Marshal(told)
	if err != nil {
		log.Fatal(err)
	}
	os.Stdout.Write(append(line, '\n'))
}

func main() {
	largest, _ := strconv.Atoi(os.Args[4])
	if err := libraries[os.Args[1]](os.Args[2], os.Args[3], largest); err != nil {
		log.Fatal(err)
	}
}
