package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed static
var staticFiles embed.FS

// static serves the styles and modules under names that change with their
// content, so that browsers may keep them for good.
type static struct {
	paths map[string]string // by the name of the file
	files map[string]file   // by path
}

type file struct {
	contentType string
	plain, gzip []byte // gzip is nil where it does not pay
}

// loadStatic reads what is in the binary: an error is a defect.
func loadStatic() static {
	s := static{paths: map[string]string{}, files: map[string]file{}}
	entries, err := staticFiles.ReadDir("static")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		raw, err := staticFiles.ReadFile("static/" + e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(raw)
		at := Prefix + "/static/" + hex.EncodeToString(sum[:6]) + "/" + e.Name()
		s.paths[e.Name()] = at
		s.files[at] = file{contentType: mime.TypeByExtension(path.Ext(e.Name())), plain: raw, gzip: pack(raw)}
	}
	return s
}

// pack compresses what becomes clearly smaller by it.
func pack(raw []byte) []byte {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is a constant
	}
	_, _ = z.Write(raw) // a buffer takes everything
	_ = z.Close()
	if out.Len() > len(raw)*9/10 {
		return nil
	}
	return out.Bytes()
}

// path is where a file stands; a name that is none is a defect of a template.
func (s static) path(name string) string {
	at, ok := s.paths[name]
	if !ok {
		panic("no static file " + name)
	}
	return at
}

// ServeHTTP implements http.Handler.
func (s static) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := s.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	body := f.plain
	if f.gzip != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = f.gzip
	}
	_, _ = w.Write(body) // a browser that left is no error of ours
}
