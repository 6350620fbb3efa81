package extract

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

const jsonDepthMax = 100

// readJSON writes each object as a line of "name: value", in the file's order,
// with the path that leads to it. Several values one after the other (JSON
// lines) are read as if they stood in a list.
func readJSON(in input, b *builder) error {
	r := jsonReader{d: json.NewDecoder(strings.NewReader(decode(in.content, in.Type))), b: b}
	r.d.UseNumber()
	for {
		scalar, err := r.value("", 0)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return jsonFault(err)
		}
		b.add(Paragraph, 0, scalar)
	}
}

var errTooDeep = errors.New("nested too deeply")

func jsonFault(err error) error {
	if errors.Is(err, errTooDeep) {
		return refuse("The JSON is nested more than %d deep.", jsonDepthMax)
	}
	return refuse("The file is not valid JSON.")
}

type jsonReader struct {
	d *json.Decoder
	b *builder
}

// value reads one value. Scalars and lists of scalars are returned, all else is
// written and "" returned.
func (r *jsonReader) value(path string, depth int) (string, error) {
	if depth > jsonDepthMax {
		return "", errTooDeep
	}
	token, err := r.d.Token()
	if err != nil {
		return "", err
	}
	switch token {
	case json.Delim('{'):
		return "", ended(r.object(path, depth+1))
	case json.Delim('['):
		text, err := r.list(path, depth+1)
		return text, ended(err)
	case nil:
		return "", nil
	}
	return fmt.Sprint(token), nil
}

// ended: a file that stops inside a value is broken, not finished.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (r *jsonReader) object(path string, depth int) error {
	var line []string
	flush := func() {
		if len(line) > 0 && path != "" {
			line[0] = path + ": " + line[0]
		}
		r.b.add(Paragraph, 0, strings.Join(line, "; "))
		line = nil
	}
	for r.d.More() {
		key, err := r.d.Token()
		if err != nil {
			return err
		}
		name := fmt.Sprint(key)
		before := len(r.b.doc.Blocks)
		scalar, err := r.value(join(path, name), depth)
		if err != nil {
			return err
		}
		if scalar != "" {
			line = append(line, name+": "+scalar)
		}
		if len(r.b.doc.Blocks) > before && len(line) > 0 {
			// What stands before a nested object is written before it.
			last := append([]Block(nil), r.b.doc.Blocks[before:]...)
			r.b.doc.Blocks = r.b.doc.Blocks[:before]
			flush()
			r.b.doc.Blocks = append(r.b.doc.Blocks, last...)
		}
	}
	flush()
	_, err := r.d.Token()
	return err
}

// scalarsBytesMax is the length up to which a list of scalars is one value.
const scalarsBytesMax = 2000

func (r *jsonReader) list(path string, depth int) (string, error) {
	var scalars []string
	size := 0
	for r.d.More() {
		scalar, err := r.value(path, depth)
		if err != nil {
			return "", err
		}
		if scalar == "" {
			continue
		}
		if size += len(scalar); size > scalarsBytesMax {
			r.b.add(Paragraph, 0, strings.Join(scalars, ", "))
			scalars, size = nil, len(scalar)
		}
		scalars = append(scalars, scalar)
	}
	_, err := r.d.Token()
	return strings.Join(scalars, ", "), err
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
