package turn

import (
	"encoding/json"
	"fmt"

	"parley/db"
)

// pack writes events as a log keeps them: without their numbers, which their
// places tell, and without the kind of a delta, of which most are. So a long
// answer takes little room, and most logs no out-of-line storage.
func pack(events []Event) []byte {
	kept := make([]Event, len(events))
	for i, e := range events {
		if kept[i] = e; e.Kind == Delta {
			kept[i].Kind = ""
		}
	}
	return encode(kept)
}

// Unpack reads the events of a batch.
func Unpack(b db.EventBatch) ([]Event, error) {
	var events []Event
	if err := json.Unmarshal(b.Events, &events); err != nil {
		return nil, fmt.Errorf("decode events from %d on: %w", b.First, err)
	}
	for i := range events {
		events[i].N = b.First + int64(i)
		if events[i].Kind == "" {
			events[i].Kind = Delta
		}
	}
	return events, nil
}
