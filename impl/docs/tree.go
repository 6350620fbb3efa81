package docs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// object is a JSON object whose members keep their order, as a reader of the document expects them.
type object struct {
	keys []string
	at   map[string]any // object, []any, string, json.Number, bool or nil
}

// parse reads a JSON object.
func parse(raw []byte) (*object, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	v, err := value(d)
	if err != nil {
		return nil, fmt.Errorf("parse the document: %w", err)
	}
	o, _ := v.(*object)
	return o, nil
}

func value(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		o := &object{at: map[string]any{}}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			key, _ := name.(string)
			if o.at[key], err = value(d); err != nil {
				return nil, err
			}
			o.keys = append(o.keys, key)
		}
		_, err = d.Token()
		return o, err
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := value(d)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	}
	return t, nil
}

// MarshalJSON writes the members in their order.
func (o *object) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, key := range o.keys {
		if i > 0 {
			out.WriteByte(',')
		}
		name, err := json.Marshal(key)
		if err != nil {
			return nil, err
		}
		member, err := json.Marshal(o.at[key])
		if err != nil {
			return nil, err
		}
		out.Write(name)
		out.WriteByte(':')
		out.Write(member)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// put adds a member, or replaces it.
func (o *object) put(key string, v any) {
	if _, there := o.at[key]; !there {
		o.keys = append(o.keys, key)
	}
	o.at[key] = v
}

// child returns an object member; nil when there is none. A nil object has no members.
func (o *object) child(key string) *object {
	if o == nil {
		return nil
	}
	c, _ := o.at[key].(*object)
	return c
}

// text returns a member as text; "" when there is none.
func (o *object) text(key string) string {
	if o == nil || o.at[key] == nil {
		return ""
	}
	return fmt.Sprint(o.at[key])
}

// list returns a member that is an array; nil when there is none.
func (o *object) list(key string) []any {
	if o == nil {
		return nil
	}
	l, _ := o.at[key].([]any)
	return l
}

// names are the members' names.
func (o *object) names() []string {
	if o == nil {
		return nil
	}
	return o.keys
}

// resolve follows a reference of the document.
func (b *book) resolve(o *object) *object {
	for o.text("$ref") != "" {
		at := b.document
		for part := range strings.SplitSeq(strings.TrimPrefix(o.text("$ref"), "#/"), "/") {
			at = at.child(strings.NewReplacer("~1", "/", "~0", "~").Replace(part))
		}
		o = at
	}
	return o
}
