package verify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"maps"
	"mime/multipart"
	"net/url"
	"path"
	"slices"

	"parley/impl/contract"
)

// Content types of requests.
const (
	jsonBody = "application/json"
	formData = "multipart/form-data"
	formURL  = "application/x-www-form-urlencoded"
)

// content is a body as it is sent.
type content struct {
	kind string
	raw  []byte
}

// encode writes a body in the content type of an example; nil when there is none.
func (r *run) encode(op *contract.Operation, e example, body any) (*content, error) {
	members, _ := body.(map[string]any)
	switch e.media {
	case "":
		return nil, nil
	case formData:
		return encodeParts(op, e, members)
	case formURL:
		form := url.Values{}
		for name, value := range members {
			form[name] = fields(value)
		}
		return &content{formURL, []byte(form.Encode())}, nil
	}
	raw, err := json.Marshal(body)
	return &content{jsonBody, raw}, err
}

// encodeParts writes the members in order of their names; what is bytes by the schema becomes a file with the shown name.
func encodeParts(op *contract.Operation, e example, members map[string]any) (*content, error) {
	var out bytes.Buffer
	form := multipart.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if p := property(e.schema, name); p != nil && p.Format == "binary" {
			part, err := form.CreateFormFile(name, text(members[name]))
			if err == nil {
				err = writeFile(part, op, text(members[name]))
			}
			if err != nil {
				return nil, err
			}
			continue
		}
		for _, field := range fields(members[name]) {
			if err := form.WriteField(name, field); err != nil {
				return nil, err
			}
		}
	}
	err := form.Close()
	return &content{form.FormDataContentType(), out.Bytes()}, err
}

// fields are a value as it stands in a form: one field, or one for each item of a list.
func fields(value any) []string {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, item := range v {
			all = append(all, fields(item)...)
		}
		return all
	}
	raw, _ := json.Marshal(value) // it came out of JSON
	return []string{string(raw)}
}

// writeFile makes up a file of the kind that its name tells: a small picture, what the operation takes as JSON, or a text.
func writeFile(w io.Writer, op *contract.Operation, name string) error {
	picture := image.NewGray(image.Rect(0, 0, 8, 8))
	switch path.Ext(name) {
	case ".jpg":
		return jpeg.Encode(w, picture, nil)
	case ".png":
		return png.Encode(w, picture)
	case ".json":
		for _, e := range examples(op) {
			if e.media == jsonBody {
				return json.NewEncoder(w).Encode(e.body)
			}
		}
		return fmt.Errorf("the document has no JSON that the file %s could hold", name)
	}
	_, err := io.WriteString(w, "# "+name+"\n\nA text that was sent to verify a server.\n")
	return err
}

// sendForms sends the forms of OAuth in the name of a client that the run made, each as soon as there is what it names. Tokens end
// with their client.
func (r *run) sendForms(chosen []*contract.Operation) {
	for again := !r.ReadOnly; again; {
		again = false
		for _, op := range chosen {
			if !r.tried[op] && op.Form() != nil && r.complete(op) {
				again = true
				r.examples(op, r.own)
			}
		}
	}
}

// complete tells whether there is everything that the examples of an operation name.
func (r *run) complete(op *contract.Operation) bool {
	return !slices.ContainsFunc(examples(op), func(e example) bool {
		_, missing := r.body(op, e)
		return len(missing) > 0
	})
}

// keepSecrets notes the secret of the OAuth client that the run made, and its token.
func (r *run) keepSecrets(document any) {
	id, secret := text(at(document, "/id")), text(at(document, "/secret"))
	if id != "" && secret != "" && id == known(r.own, "", "client_id") {
		r.own["oauth/client_secret"] = secret
	}
	keep(r.own, "oauth/token", text(at(document, "/access_token")))
}
