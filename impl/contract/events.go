package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/getkin/kin-openapi/openapi3"

	"parley/gen/client/wire"
)

// Events reads the server-sent events of a body.
func Events(body []byte) ([]wire.Event, error) {
	var events []wire.Event
	reader := wire.NewReader(bytes.NewReader(body))
	for {
		e, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return events, err
		}
		events = append(events, e)
	}
}

// checkStream holds each event, as an object, against the schema. A stream
// that ended must end with a terminal event, and nothing may follow one; what
// is terminal is known where the schema lists the events.
func checkStream(schema *openapi3.Schema, body []byte, ended bool) error {
	events, err := Events(body)
	if err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	terminal := false
	for i, e := range events {
		if terminal {
			return fmt.Errorf("event %d (%s) follows the last one", i, e.Name)
		}
		if err := checkEvent(schema, e); err != nil {
			return fmt.Errorf("event %d (%s): %w", i, e.Name, err)
		}
		terminal = isTerminal(schema, e)
	}
	open := len(schema.OneOf) == 0 && schema.Extensions[lastData] == nil // events as another operation describes them
	if ended && !terminal && !open {
		return errors.New("the stream ended without a terminal event")
	}
	if ended && !bytes.HasSuffix(body, []byte("\n\n")) {
		return errors.New("the stream ended in the middle of an event")
	}
	return nil
}

// lastData is the extension of schemas of nameless events that names the data of the last one, which need not be JSON.
const lastData = "x-last-data"

func checkEvent(schema *openapi3.Schema, e wire.Event) error {
	var data any
	if err := json.Unmarshal(e.Data, &data); err != nil {
		if schema.Properties["data"] == nil { // only nameless events may carry what is no JSON
			return fmt.Errorf("decode data: %w", err)
		}
		data = string(e.Data)
	}
	object := map[string]any{"data": data}
	if schema.Properties["data"] == nil || schema.Properties["event"] != nil {
		object["event"] = e.Name
	}
	if e.ID != "" {
		object["id"] = e.ID
	}
	if e.Retry != 0 {
		object["retry"] = float64(e.Retry.Milliseconds())
	}
	if err := schema.VisitJSON(object, append(formats(), openapi3.VisitAsResponse())...); err != nil {
		return err
	}
	return undocumented(eventSchema(schema, e.Name), object, "")
}

// eventSchema returns the alternative of a stream's schema that describes the event.
func eventSchema(schema *openapi3.Schema, name string) *openapi3.Schema {
	for _, alternative := range schema.OneOf {
		for _, documented := range alternative.Value.Properties["event"].Value.Enum {
			if documented == name {
				return alternative.Value
			}
		}
	}
	return schema
}

func isTerminal(schema *openapi3.Schema, e wire.Event) bool {
	if data, ok := schema.Extensions[lastData].(string); ok {
		return string(e.Data) == data
	}
	last, _ := eventSchema(schema, e.Name).Extensions["x-last-event"].(bool)
	return last
}
