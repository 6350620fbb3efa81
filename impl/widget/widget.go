// Package widget is the chat that a site puts into its pages by one script tag.
//
// It lives in a shadow root and touches nothing else of the page: no globals,
// no requests but to the server that it came from, no styles or scripts that a
// strict policy of the page would have to admit beside that server. Whatever a
// model says becomes text nodes, never markup.
package widget

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
)

// Path is where the script stands.
const Path = "/widget.js"

//go:embed *.js widget.css
var files embed.FS

// parts are the modules in the order in which they need each other.
var parts = []string{"words.js", "text.js", "office.js", "talk.js", "panel.js"}

// script is the modules and the style sheet as one script that leaves no names behind.
func script() []byte {
	var b bytes.Buffer
	b.WriteString("(() => {\n\"use strict\"\nconst CSS = ")
	b.Write(quoted(read("widget.css")))
	b.WriteByte('\n')
	for _, name := range parts {
		b.Write(read(name))
	}
	b.WriteString("})()\n")
	return b.Bytes()
}

func read(name string) []byte {
	content, err := files.ReadFile(name)
	if err != nil {
		panic(err) // it is embedded
	}
	return content
}

func quoted(text []byte) []byte {
	q, err := json.Marshal(string(text))
	if err != nil {
		panic(err) // a string
	}
	return q
}

// Handler serves the script: to pages of any origin, kept for an hour, then
// asked for again by its ETag.
type Handler struct {
	plain, zipped []byte
	etag          string
}

// New returns the script's handler.
func New() *Handler {
	plain := script()
	var zipped bytes.Buffer
	z, _ := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	_, _ = z.Write(plain) // to memory
	_ = z.Close()
	sum := sha256.Sum256(plain)
	return &Handler{plain: plain, zipped: zipped.Bytes(), etag: base64.RawURLEncoding.EncodeToString(sum[:12])}
}

// ServeHTTP serves one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != Path {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "The widget is read only.", http.StatusMethodNotAllowed)
		return
	}
	body, etag := h.plain, `"`+h.etag+`"`
	head := w.Header()
	head.Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		body, etag = h.zipped, `"`+h.etag+`-gzip"`
		head.Set("Content-Encoding", "gzip")
	}
	head.Set("Content-Type", "text/javascript; charset=utf-8")
	head.Set("Cache-Control", "public, max-age=3600, stale-while-revalidate=86400")
	head.Set("ETag", etag)
	head.Set("Access-Control-Allow-Origin", "*") // for pages that state the script's integrity
	head.Set("Cross-Origin-Resource-Policy", "cross-origin")
	if strings.Contains(r.Header.Get("If-None-Match"), h.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // a client that left is no error of ours
	}
}
