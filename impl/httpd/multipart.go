package httpd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"parley/impl/core/fault"
)

const (
	multipartType = "multipart/form-data"
	jsonType      = "application/json"
	// partsMax bounds the parts of a form, known or not.
	partsMax = 256
	// textPartMax bounds a part that is no file, in bytes.
	textPartMax = 64 << 10
	// uploadRateMin is the least that a form may come by, in bytes a second, once bodyTimeout is over.
	uploadRateMin = 4 << 10
)

// Upload is a file of a form. Its bytes lie in a file without a name, on the
// server's disk, which is gone when the request has been answered or the server has died.
type Upload struct {
	Name string // as the client calls it; of no directory
	Type string // the content type that the client states; "" without one
	Size int64

	file   *os.File
	digest hash.Hash
}

// Content reads the file from its beginning. It may be called more than once, while the request is being answered.
func (u *Upload) Content() io.Reader { return io.NewSectionReader(u.file, 0, u.Size) }

// UploadOf returns the file that a form has under a name; nil without one.
func UploadOf(ctx context.Context, name string) *Upload { return noteOf(ctx).uploads[name] }

// closeUploads gives the disk back.
func (n *note) closeUploads() {
	for _, u := range n.uploads {
		_ = u.file.Close() // nothing of it is needed any more
	}
}

// form is a multipart body while it is read.
type form struct {
	schema  *openapi3.Schema
	members map[string]any
	uploads map[string]*Upload
}

// validateMultipart reads a form to its end, files to disk, and leaves its
// other parts to the generated wrapper as if they had come as JSON: what a text
// means is in the schema.
func (o *operation) validateMultipart(w http.ResponseWriter, r *http.Request) error {
	control := http.NewResponseController(w)
	r.Body = http.MaxBytesReader(w, &patient{ReadCloser: r.Body, control: control, began: time.Now()}, o.maxUpload)
	reader, err := r.MultipartReader()
	if err != nil {
		return fault.New(fault.Invalid, "The request body is not a valid form.").Because(err)
	}
	f := form{schema: o.multipart, members: map[string]any{}, uploads: map[string]*Upload{}}
	noteOf(r.Context()).uploads = f.uploads
	err = f.read(reader)
	_ = control.SetReadDeadline(time.Time{}) // not supported by test recorders
	if tooBig := (*http.MaxBytesError)(nil); errors.As(err, &tooBig) {
		return tooLarge(o.maxUpload)
	}
	if err != nil {
		return err
	}
	return f.leave(r)
}

// patient is a body whose sender may take bodyTimeout for each piece of it, and
// for all of it as much more as uploadRateMin allows.
type patient struct {
	io.ReadCloser
	control *http.ResponseController
	began   time.Time
	come    int64 // bytes so far
}

// Read reads the next piece.
func (p *patient) Read(b []byte) (int, error) {
	end, slowest := time.Now().Add(bodyTimeout), p.began.Add(bodyTimeout+time.Duration(p.come/uploadRateMin)*time.Second)
	if slowest.Before(end) {
		end = slowest
	}
	_ = p.control.SetReadDeadline(end) // not supported by test recorders
	n, err := p.ReadCloser.Read(b)
	p.come += int64(n)
	return n, err
}

func (f form) read(reader *multipart.Reader) error {
	for range partsMax {
		part, err := reader.NextPart()
		if err == io.EOF { // the last boundary; a body that ends before it is an error around io.EOF
			return nil
		}
		if err != nil {
			return fault.New(fault.Invalid, "The request body is not a valid form.").Because(err)
		}
		if err := f.take(part); err != nil {
			return err
		}
	}
	return fault.New(fault.Invalid, "The form has more than %d parts.", partsMax)
}

// take reads a part. One that the schema does not know is left out.
func (f form) take(part *multipart.Part) error {
	name := strings.TrimSuffix(part.FormName(), "[]")
	property := f.schema.Properties[name]
	if property == nil {
		return nil
	}
	schema := property.Value
	if schema.Format == "binary" {
		return f.takeFile(name, schema, part)
	}
	raw, err := io.ReadAll(io.LimitReader(part, textPartMax+1))
	if err != nil {
		return fault.New(fault.Invalid, "The request body could not be read.").Because(err)
	}
	text := string(raw)
	if len(raw) > textPartMax {
		return fault.New(fault.TooLarge, "A part of the form is larger than %d bytes.", textPartMax)
	}
	if !storableParameters(text, nil) {
		return fault.New(fault.Invalid, "The form contains a NUL character or is not UTF-8.")
	}
	if schema.Type.Is("array") {
		items, _ := f.members[name].([]any)
		f.members[name] = append(items, valueOf(schema.Items.Value, text))
		return nil
	}
	if _, twice := f.members[name]; twice {
		return invalid([]fault.Field{{In: "body", Path: "/" + name, Rule: "single", Reason: "is given more than once"}})
	}
	if text != "" || schema.Type.Is("string") {
		f.members[name] = valueOf(schema, text)
	}
	return nil
}

// valueOf is a text as what its schema asks for; as it stands when it is nothing of the kind.
// Forms of many clients say "false" where a number is asked for: that is 0, and "true" 1.
func valueOf(schema *openapi3.Schema, text string) any {
	lower := strings.ToLower(text)
	switch {
	case schema.Type.Is("boolean") && (lower == "true" || lower == "1"):
		return true
	case schema.Type.Is("boolean") && (lower == "false" || lower == "0"):
		return false
	case schema.Type.Is("integer") && lower == "true":
		return json.Number("1")
	case schema.Type.Is("integer") && lower == "false":
		return json.Number("0")
	case schema.Type.Is("integer") && isDecimal(text):
		return json.Number(text)
	}
	return text
}

// isDecimal tells whether a text is an integer as JSON writes it.
func isDecimal(text string) bool {
	var n json.Number
	return json.Unmarshal([]byte(text), &n) == nil && !strings.ContainsAny(text, ".eE\" ")
}

// takeFile writes a file to disk. A field of a page that was left empty sends
// a part without name and content, which is none.
func (f form) takeFile(name string, schema *openapi3.Schema, part *multipart.Part) error {
	if f.uploads[name] != nil {
		return invalid([]fault.Field{{In: "body", Path: "/" + name, Rule: "single", Reason: "is given more than once"}})
	}
	u := &Upload{Name: part.FileName(), Type: part.Header.Get("Content-Type"), digest: sha256.New()}
	if !storableParameters(u.Name, nil) || len(u.Name) > 255 || !storableParameters(u.Type, nil) {
		return fault.New(fault.Invalid, "The name of a file is too long, contains a NUL character or is not UTF-8.")
	}
	file, err := os.CreateTemp("", "parley-upload-")
	if err != nil {
		return fmt.Errorf("make a file for an upload: %w", err)
	}
	u.file = file
	f.uploads[name] = u
	if err := os.Remove(file.Name()); err != nil {
		return fmt.Errorf("take an upload's name away: %w", err)
	}
	limit := int64(*schema.MaxLength)
	u.Size, err = io.Copy(io.MultiWriter(file, u.digest), io.LimitReader(part, limit+1))
	switch {
	case isOurs(err):
		return fmt.Errorf("write an upload: %w", err)
	case err != nil:
		return fault.New(fault.Invalid, "The request body could not be read.").Because(err)
	case u.Size > limit:
		return fault.New(fault.TooLarge, "The file %s is larger than %d bytes.", name, limit)
	case u.Size == 0 && u.Name == "":
		delete(f.uploads, name)
		return file.Close()
	case uint64(u.Size) < schema.MinLength:
		return invalid([]fault.Field{{In: "body", Path: "/" + name, Rule: "minLength", Reason: "is empty"}})
	}
	return nil
}

// isOurs tells a failure of the file that is written from one of the body that is read.
func isOurs(err error) bool {
	_, ours := errors.AsType[*fs.PathError](err)
	return ours
}

// leave checks what was read against the schema and hands it on.
func (f form) leave(r *http.Request) error {
	digests := map[string]string{}
	for name, u := range f.uploads {
		f.members[name] = u.Name
		digests[name] = hex.EncodeToString(u.digest.Sum(nil)) + " " + u.Name
	}
	if err := f.schema.VisitJSON(f.members, bodyOptions...); err != nil {
		return invalid(bodyFields(err))
	}
	for name := range f.uploads {
		delete(f.members, name)
	}
	raw, err := json.Marshal(map[string]any{"members": f.members, "files": digests})
	if err != nil {
		return fmt.Errorf("encode form: %w", err)
	}
	b := newBody(raw) // what a repetition of the request is known by
	b.value = f.members
	r.Body = b
	r.Header.Set("Content-Type", jsonType)
	return nil
}
