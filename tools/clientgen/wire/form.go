package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"strings"
)

// Form is a multipart form: fields and files in the order in which they were added.
type Form struct {
	parts []part
	raw   body // when somebody else encoded it
}

// part is a field, or a file when it has content.
type part struct {
	name, value, file string
	content           io.Reader
	start             int64 // where a content that can be read again begins
}

// NewForm returns an empty form.
func NewForm() *Form { return &Form{} }

// EncodedForm is a form that somebody else encoded, as its content type says. It is sent once, never repeated.
func EncodedForm(contentType string, content io.Reader) *Form {
	return &Form{raw: once(contentType, -1, func() (io.ReadCloser, error) { return io.NopCloser(content), nil })}
}

// Field adds a field.
func (f *Form) Field(name, value string) *Form {
	f.parts = append(f.parts, part{name: name, value: value})
	return f
}

// File adds a file. A content that is an io.Seeker can be sent again when a request has to be repeated; any other is read once.
func (f *Form) File(name, fileName string, content io.Reader) *Form {
	p := part{name: name, file: fileName, content: content}
	if seeker, ok := content.(io.Seeker); ok {
		if start, err := seeker.Seek(0, io.SeekCurrent); err == nil {
			p.start = start
		}
	}
	f.parts = append(f.parts, p)
	return f
}

func (f *Form) body() body {
	if f.raw.open != nil {
		return f.raw
	}
	var frame bytes.Buffer
	writer := multipart.NewWriter(&frame)
	open := func() (io.ReadCloser, error) { return f.encode(writer.Boundary()) }
	for _, p := range f.parts {
		if _, ok := p.content.(io.Seeker); p.content != nil && !ok {
			return once(writer.FormDataContentType(), -1, open)
		}
	}
	return body{kind: writer.FormDataContentType(), length: -1, open: open, again: func() bool { return true }}
}

// once is a body that can be opened one time.
func once(kind string, length int64, open func() (io.ReadCloser, error)) body {
	opened := false
	return body{
		kind: kind, length: length, again: func() bool { return !opened },
		open: func() (io.ReadCloser, error) {
			if opened {
				return nil, errors.New("a body that can be read once was to be sent twice")
			}
			opened = true
			return open()
		},
	}
}

// encode lines up what frames the parts and the parts' contents.
func (f *Form) encode(boundary string) (io.ReadCloser, error) {
	var frame bytes.Buffer
	writer := multipart.NewWriter(&frame)
	if err := writer.SetBoundary(boundary); err != nil {
		return nil, err
	}
	var all []io.Reader
	for _, p := range f.parts {
		if p.content == nil {
			if err := writer.WriteField(p.name, p.value); err != nil {
				return nil, err
			}
			continue
		}
		if _, err := writer.CreateFormFile(p.name, p.file); err != nil {
			return nil, err
		}
		if seeker, ok := p.content.(io.Seeker); ok {
			if _, err := seeker.Seek(p.start, io.SeekStart); err != nil {
				return nil, fmt.Errorf("go back in file %s: %w", p.file, err)
			}
		}
		all = append(all, strings.NewReader(frame.String()), p.content)
		frame.Reset()
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return io.NopCloser(io.MultiReader(append(all, &frame)...)), nil
}
