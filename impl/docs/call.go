package docs

import (
	"fmt"
	"net/url"
	"strings"
)

// request is the operation's first example of a body; its type is "" without one.
func (o *operation) request() (contentType string, value any) {
	if len(o.Bodies) == 0 {
		return "", nil
	}
	first := o.Bodies[0]
	if len(first.Examples) > 0 {
		return first.Type, first.Examples[0].Value
	}
	raw := o.book.resolve(o.raw.child("requestBody")).child("content").child(first.Type).child("schema")
	return first.Type, o.book.sample(raw, 0)
}

// address is the operation's path and query with the examples of what is required.
func (o *operation) address() string {
	path, query := o.Path, url.Values{}
	for _, p := range o.Parameters {
		switch {
		case p.In == "path":
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(p.Example))
		case p.In == "query" && p.Required:
			query.Set(p.Name, p.Example)
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path
}

// curl is the operation as a command for a shell, with $PARLEY and $PARLEY_KEY from its environment.
func (o *operation) curl() string {
	if o.Socket {
		return fmt.Sprintf("npx wscat -c \"${PARLEY/http/ws}%s\" -H \"Authorization: Bearer $PARLEY_KEY\"", o.address())
	}
	lines := []string{fmt.Sprintf("curl \"$PARLEY%s\"", o.address())}
	contentType, value := o.request()
	if o.Method != "GET" && (o.Method != "POST" || contentType == "") {
		lines[0] = fmt.Sprintf("curl -X %s \"$PARLEY%s\"", o.Method, o.address())
	}
	if len(o.Credentials) > 0 {
		lines = append(lines, `-H "Authorization: Bearer $PARLEY_KEY"`)
	}
	for _, p := range o.Parameters {
		if p.In == "header" && p.Required {
			lines = append(lines, "-H "+quoted(p.Name+": "+p.Example))
		}
	}
	return strings.Join(append(lines, bodyArguments(contentType, value)...), " \\\n  ")
}

func bodyArguments(contentType string, value any) []string {
	members, _ := value.(*object)
	var all []string
	switch contentType {
	case "":
	case "multipart/form-data":
		for _, name := range members.names() {
			all = append(all, "-F "+quoted(name+"="+members.text(name)))
		}
	case "application/x-www-form-urlencoded":
		for _, name := range members.names() {
			all = append(all, "--data-urlencode "+quoted(name+"="+members.text(name)))
		}
	default:
		text, err := indented(value)
		if err != nil {
			return nil
		}
		all = append(all, "-H "+quoted("Content-Type: "+contentType), "-d "+quoted(text))
	}
	return all
}

// quoted is a word for a shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// form is the operation as the playground needs it: with no references, cut where they would never end.
func (o *operation) form() map[string]any {
	contentType, value := o.request()
	parameters := make([]map[string]any, 0, len(o.Parameters))
	for _, p := range o.Parameters {
		parameters = append(parameters, map[string]any{
			"name": p.Name, "in": p.In, "required": p.Required, "description": p.About, "example": p.Example,
			"schema": o.book.expanded(p.raw.child("schema"), 0),
		})
	}
	bodies := make([]map[string]any, 0, len(o.Bodies))
	content := o.book.resolve(o.raw.child("requestBody")).child("content")
	for _, b := range o.Bodies {
		example := value
		if b.Type != contentType {
			example = o.book.sample(content.child(b.Type).child("schema"), 0)
			if len(b.Examples) > 0 {
				example = b.Examples[0].Value
			}
		}
		bodies = append(bodies, map[string]any{"type": b.Type, "schema": o.book.expanded(content.child(b.Type).child("schema"), 0), "example": example})
	}
	return map[string]any{
		"id": o.ID, "method": o.Method, "path": o.Path, "summary": o.Summary, "description": o.About, "scopes": o.Scopes, "credentials": o.Credentials,
		"socket": o.Socket, "streams": o.Streams, "parameters": parameters, "bodies": bodies, "docs": o.At(),
	}
}

// expanded is a schema with what it refers to in place.
func (b *book) expanded(raw *object, depth int) any {
	s := b.resolve(raw)
	if s == nil || depth > depthMax {
		return &object{at: map[string]any{}}
	}
	out := &object{at: map[string]any{}}
	for _, key := range s.keys {
		switch v := s.at[key].(type) {
		case *object:
			switch key {
			case "properties":
				members := &object{at: map[string]any{}}
				for _, name := range v.keys {
					members.put(name, b.expanded(v.child(name), depth+1))
				}
				out.put(key, members)
			case "items", "additionalProperties":
				out.put(key, b.expanded(v, depth+1))
			}
		case []any:
			if key != "oneOf" && key != "anyOf" && key != "allOf" {
				out.put(key, v)
				continue
			}
			var all []any
			for _, one := range v {
				variant, _ := one.(*object)
				all = append(all, b.expanded(variant, depth+1))
			}
			out.put(key, all)
		default:
			out.put(key, v)
		}
	}
	return out
}
