package extract_test

import (
	"slices"
	"strings"
	"testing"

	"parley/impl/core/extract"
)

const page = `<!DOCTYPE html><html lang="de-AT"><head><title> Preise &amp; Pl&auml;ne </title>
<meta name="description" content="Was es kostet"><meta property="og:image" content="/img/a.png">
<link rel="canonical" href="/preise"><style>p{}</style></head><body>
<header><a href="/">Start</a> Site header</header><nav><a href="/preise">Preise</a></nav>
<main><h1>Preise</h1><p>Erster&nbsp;Absatz
 mit <b>fett</b>em Text.<br>Zweite Zeile.</p><div class="breadcrumb">Start</div>
<ul><li>eins<ul><li>innen</li></ul></li><li><p>zwei</p></li></ul>
<table><tr><th>Plan</th><th>Preis</th></tr><tr><td>Pro</td><td>10 | 20</td></tr></table>
<pre>a  b
  c</pre><details><summary>Kann ich k&uuml;ndigen?</summary>Ja, jederzeit.</details>
<script>var hidden = 1</script><p hidden>unsichtbar</p><p style="display: none">auch nicht</p>
<aside>Hinweis im Text</aside><a href="b.html#x">B</a> <a href="b.html#y">B</a><a rel="nofollow" href="/no">no</a><a href="javascript:x()">j</a>
<a href="mailto:a@b.c">m</a><a href="//other.test/z">z</a></main><footer>Impressum</footer></body></html>`

func TestHTMLKeepsTheContentAndItsStructure(t *testing.T) {
	t.Parallel()
	d := read(t, extract.New(extract.Limits{}), "https://a.test/de/x.html?q=1", "text/html", page)
	wantBlocks(t, d, "# Preise", "P Erster Absatz mit fettem Text. Zweite Zeile.", "* eins", "** innen", "* zwei",
		`T Plan | Preis\nPro | 10 / 20`, `C a  b\n  c`, "## Kann ich kündigen?", "P Ja, jederzeit.", "P Hinweis im Text", "P B Bnoj mz")
	if d.Title != "Preise & Pläne" || d.Description != "Was es kostet" || d.Language != "de-AT" || d.Canonical != "https://a.test/preise" || d.Image != "https://a.test/img/a.png" {
		t.Errorf("about the page: %+v", d)
	}
	if want := []string{"https://a.test/", "https://a.test/preise", "https://a.test/de/b.html", "https://other.test/z"}; !slices.Equal(d.Links, want) {
		t.Errorf("links %q, want %q", d.Links, want)
	}
}

func TestHTMLObeysRobots(t *testing.T) {
	t.Parallel()
	d := read(t, extract.New(extract.Limits{}), "http://a.test", "", `<html><meta name="robots" content="NoIndex, nofollow"><a href="/a">a</a>`)
	if !d.NoIndex || !d.NoFollow || d.Links != nil {
		t.Errorf("noindex %t, nofollow %t, links %q", d.NoIndex, d.NoFollow, d.Links)
	}
	d = read(t, extract.New(extract.Limits{}), "http://a.test", "", `<html><base href="/docs/"><meta http-equiv="refresh" content="0; URL='Next'"><p>x`)
	if d.NoIndex || !slices.Equal(d.Links, []string{"http://a.test/docs/Next"}) {
		t.Errorf("noindex %t, links %q", d.NoIndex, d.Links)
	}
}

func TestHTMLWithoutAMainPartIsReadWhole(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("The text of the page. ", 20)
	d := read(t, extract.New(extract.Limits{}), "http://a.test", "text/html", "<header>Head</header><main></main><div>"+long+"</div><table><tr><td>one column")
	wantBlocks(t, d, "P "+strings.TrimSpace(long), "P one column")
}

func TestHTMLNestedTooDeeplyIsRefused(t *testing.T) {
	t.Parallel()
	x := extract.New(extract.Limits{})
	refused(t, x, "a.html", "<html>"+strings.Repeat("<div>", 600)+"x", "nested")
	refused(t, x, "large.html", "<html>"+strings.Repeat("<div>", 1_000_000)+"x", "nested")
}

func TestCharsetsAreSeen(t *testing.T) {
	t.Parallel()
	x := extract.New(extract.Limits{})
	russian := "\xf0\xd2\xc9\xd7\xc5\xd4, \xdc\xd4\xcf \xd0\xd2\xcf\xd3\xd4\xcf\xca \xd4\xc5\xcb\xd3\xd4 \xce\xc1 \xd2\xd5\xd3\xd3\xcb\xcf\xcd \xd1\xda\xd9\xcb\xc5, \xcb\xcf\xd4\xcf\xd2\xd9\xca \xcd\xd9 \xde\xc9\xd4\xc1\xc5\xcd"
	for _, c := range []struct{ name, declared, content, want string }{
		{"utf8.txt", "text/plain; charset=iso-8859-1", "Größe", "Größe"},
		{"bom.txt", "", "\xEF\xBB\xBFGröße", "Größe"},
		{"utf16.txt", "", "\xFF\xFEG\x00r\x00\xF6\x00", "Grö"},
		{"header.html", "text/html; charset=windows-1251", "<html><p>\xcf\xf0\xe8\xe2\xe5\xf2", "Привет"},
		{"meta.html", "", `<html><meta charset="shift_jis"><p>` + "\x93\xfa\x96\x7b", "日本"},
		{"guessed.txt", "", russian, "Привет, это простой текст на русском языке, который мы читаем"},
		{"latin.txt", "", "Die Gr\xf6\xdfe der \xdcbertragung h\xe4ngt von den \xc4nderungen ab, die f\xfcr das M\xe4dchen n\xf6tig sind.", "Die Größe der Übertragung hängt von den Änderungen ab, die für das Mädchen nötig sind."},
		{"controls.txt", "", "a\x0cb c\u200bd\u00ade\u202ef", "a b cdef"},
	} {
		if d := read(t, x, c.name, c.declared, c.content); len(d.Blocks) != 1 || d.Blocks[0].Text != c.want {
			t.Errorf("%s: %s want %s", c.name, show(d), c.want)
		}
	}
}
