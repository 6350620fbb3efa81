// Package transcript writes a conversation down for people: as Markdown and as
// a page to print. What was said is text in both, never markup: nothing that a
// model or a visitor wrote can act.
package transcript

import (
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"
)

// Conversation is what is written down.
type Conversation struct {
	Title     string
	Exported  time.Time
	Messages  []Message
	Truncated bool // there are more messages than these
}

// Message is one entry. Pictures are the addresses of what it shows.
type Message struct {
	Speaker  string
	At       time.Time
	Text     string
	Pictures []string
}

const stamp = "2006-01-02 15:04 UTC"

// Markdown writes the conversation as Markdown (CommonMark). Texts are quoted
// line by line in blocks of code, which no text can end.
func Markdown(w io.Writer, c Conversation) error {
	_, err := fmt.Fprintf(w, "# %s\n\nExported %s\n", escaped(c.Title), c.Exported.UTC().Format(stamp))
	for _, m := range c.Messages {
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "\n## %s, %s\n", escaped(m.Speaker), m.At.UTC().Format(stamp))
		if err == nil && m.Text != "" {
			_, err = fmt.Fprintf(w, "\n%s\n", quoted(m.Text))
		}
		for _, picture := range m.Pictures {
			if err == nil {
				_, err = fmt.Fprintf(w, "\n![picture](<%s>)\n", picture)
			}
		}
	}
	if err == nil && c.Truncated {
		_, err = fmt.Fprint(w, "\n*There are more messages.*\n")
	}
	return err
}

// special are the characters that mean something in Markdown.
const special = "\\`*_{}[]()<>#+-.!|~&"

// escaped is a text of one line without meaning in Markdown.
func escaped(text string) string {
	var out strings.Builder
	for _, r := range strings.Join(strings.Fields(text), " ") {
		if strings.ContainsRune(special, r) {
			out.WriteByte('\\')
		}
		out.WriteRune(r)
	}
	return out.String()
}

// quoted is a text as a fenced block whose fence is longer than any in the text.
func quoted(text string) string {
	longest, run := 2, 0
	for _, r := range text {
		if r == '`' {
			run++
			longest = max(longest, run)
		} else {
			run = 0
		}
	}
	fence := strings.Repeat("`", longest+1)
	return fence + "text\n" + strings.TrimRight(text, "\n") + "\n" + fence
}

// Page writes the conversation as an HTML page to print. It has no script and loads nothing but its pictures.
func Page(w io.Writer, c Conversation) error { return page.Execute(w, c) }

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"at": func(t time.Time) string { return t.UTC().Format(stamp) },
}).Parse(`<!doctype html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{.Title}}</title>
<style>
body { font: 11pt/1.5 Georgia, serif; max-width: 42em; margin: 2em auto; padding: 0 1em; color: #222 }
article { margin: 1.2em 0; break-inside: avoid }
h2 { font: bold 10pt sans-serif; margin: 0; color: #555 }
p { white-space: pre-wrap; overflow-wrap: anywhere; margin: .3em 0 }
img { max-width: 100%; max-height: 20em }
footer { font: 9pt sans-serif; color: #777; border-top: 1px solid #ccc; margin-top: 2em }
</style>
</head>
<body>
<h1>{{.Title}}</h1>
{{range .Messages}}<article>
<h2>{{.Speaker}}, {{at .At}}</h2>
{{if .Text}}<p>{{.Text}}</p>
{{end}}{{range .Pictures}}<img src="{{.}}" alt="picture">
{{end}}</article>
{{end}}{{if .Truncated}}<p>There are more messages.</p>
{{end}}<footer>Exported {{at .Exported}}</footer>
</body>
</html>
`))
