// Command example streams one answer with the generated Go client.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"parley/gen/client"
	"parley/gen/client/webchat"
)

func main() {
	c, err := client.New("http://127.0.0.1:8080", client.WithKey(os.Getenv("PARLEY_KEY")))
	if err != nil {
		log.Fatal(err)
	}
	for event, err := range c.Webchat.StreamSendWebchatMessage(context.Background(), webchat.WebchatRequest{Message: "Hello!"}) {
		if err != nil {
			log.Fatal(err)
		}
		switch {
		case event.Message != nil:
			fmt.Print(event.Message.Content)
		case event.End != nil:
			fmt.Println("\nsession", event.End.SessionID)
		}
	}
}
