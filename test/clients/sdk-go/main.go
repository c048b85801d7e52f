// Sends CloudEvents in binary mode with the SDK for Go: sdk-go URL. Each line of standard input is the attributes of one, as JSON.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

func main() {
	client, err := cloudevents.NewClientHTTP(cloudevents.WithTarget(os.Args[1]))
	if err != nil {
		log.Fatal(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		attributes := map[string]string{}
		if err := json.Unmarshal(lines.Bytes(), &attributes); err != nil {
			log.Fatal(err)
		}
		event := cloudevents.NewEvent()
		event.SetID(attributes["id"])
		event.SetSource(attributes["source"])
		event.SetType(attributes["type"])
		event.SetSubject(attributes["subject"])
		event.SetExtension("comexample", attributes["comexample"])
		if err := event.SetData(cloudevents.ApplicationJSON, attributes); err != nil {
			log.Fatal(err)
		}
		fmt.Println(client.Send(context.Background(), event))
	}
}
