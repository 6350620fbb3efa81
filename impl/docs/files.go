package docs

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"strings"
	"sync"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
)

//go:embed pages static guides
var files embed.FS

// must is for what is part of the program: an error is a defect.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func read(name string) []byte { return must(files.ReadFile(name)) }

// templates are the pages by the name of their file.
var templates = sync.OnceValue(func() map[string]*template.Template {
	base := template.Must(template.New("").Funcs(funcs).ParseFS(files, "pages/layout.html", "pages/parts.html"))
	all := map[string]*template.Template{}
	for _, f := range must(files.ReadDir("pages")) {
		all[strings.TrimSuffix(f.Name(), ".html")] = template.Must(template.Must(base.Clone()).ParseFS(files, "pages/"+f.Name()))
	}
	return all
})

var contentTypes = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// staticPath is where a file stands: its address changes with its content.
func staticPath(name string) (string, error) {
	content, err := fs.ReadFile(files, "static/"+name)
	if err != nil {
		return "", fmt.Errorf("static file: %w", err)
	}
	sum := sha256.Sum256(content)
	return Prefix + "/static/" + hex.EncodeToString(sum[:6]) + "/" + name, nil
}

var statics = sync.OnceValue(func() map[string]*page {
	all := map[string]*page{}
	for _, f := range must(files.ReadDir("static")) {
		all[must(staticPath(f.Name()))] = newPage(contentTypes[path.Ext(f.Name())], read("static/"+f.Name()))
	}
	return all
})

// words renders Markdown; markup inside it is shown, not used.
var words = goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough), goldmark.WithParserOptions(parser.WithAutoHeadingID()))

// markdown renders a text of the document or a guide. Its author is the server's.
func markdown(text string) (template.HTML, error) {
	var out bytes.Buffer
	if err := words.Convert([]byte(text), &out); err != nil {
		return "", fmt.Errorf("render Markdown: %w", err)
	}
	// A scrolling region must be reachable by keyboard.
	return template.HTML(strings.ReplaceAll(out.String(), "<pre>", `<pre tabindex="0">`)), nil
}

// indented shows a value as JSON.
func indented(v any) (string, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return "", fmt.Errorf("encode an example: %w", err)
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

// guide explains one API.
type guide struct {
	Name, Title string
	Text        string // Markdown without the title
}

// readGuides reads the guides in the order of their files' names.
func readGuides() []*guide {
	var all []*guide
	for _, f := range must(files.ReadDir("guides")) {
		_, name, _ := strings.Cut(strings.TrimSuffix(f.Name(), ".md"), "-")
		title, text, _ := strings.Cut(strings.TrimPrefix(string(read("guides/"+f.Name())), "# "), "\n")
		all = append(all, &guide{Name: name, Title: title, Text: text})
	}
	return all
}
