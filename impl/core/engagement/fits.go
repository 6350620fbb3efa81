package engagement

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// fits tells whether an answer has all members of the form and holds its rules.
func (f form) fits(raw json.RawMessage) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return false
	}
	for name := range f.schema["properties"].(object) {
		if members[name] == nil {
			return false
		}
	}
	return f.check(raw) == nil
}

// checked decodes an answer strictly into T and holds its rules.
func checked[T any](rules func(T) error) func(json.RawMessage) error {
	return func(raw json.RawMessage) error {
		var value T
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&value); err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		return rules(value)
	}
}

func isShare(name string, v float64) error {
	if !(v >= 0 && v <= 1) {
		return fmt.Errorf("%s: must be 0 to 1", name)
	}
	return nil
}

func isOneOf(name, v string, values ...string) error {
	for _, allowed := range values {
		if v == allowed {
			return nil
		}
	}
	return fmt.Errorf("%s: must be one of %q", name, values)
}
