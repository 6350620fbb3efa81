package extract

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

func set(atoms ...atom.Atom) map[atom.Atom]bool {
	m := make(map[atom.Atom]bool, len(atoms))
	for _, a := range atoms {
		m[a] = true
	}
	return m
}

// neverShown hold nothing that a reader sees as text.
var neverShown = set(atom.Script, atom.Style, atom.Noscript, atom.Template, atom.Iframe, atom.Svg, atom.Math, atom.Canvas, atom.Object,
	atom.Embed, atom.Audio, atom.Video, atom.Map, atom.Select, atom.Datalist, atom.Input, atom.Textarea, atom.Button, atom.Dialog, atom.Head)

// inline elements do not end a paragraph.
var inline = set(atom.A, atom.Abbr, atom.Acronym, atom.B, atom.Bdi, atom.Bdo, atom.Big, atom.Cite, atom.Code, atom.Data, atom.Del, atom.Dfn,
	atom.Em, atom.Font, atom.I, atom.Img, atom.Ins, atom.Kbd, atom.Label, atom.Mark, atom.Q, atom.S, atom.Samp, atom.Small, atom.Span,
	atom.Strike, atom.Strong, atom.Sub, atom.Sup, atom.Time, atom.Tt, atom.U, atom.Var, atom.Wbr, atom.Ruby, atom.Rb, atom.Output, atom.Nobr)

// roles of what stands around a page's content.
var boilerplateRoles = map[string]bool{"navigation": true, "banner": true, "contentinfo": true, "search": true, "dialog": true, "alertdialog": true}

// boilerplateNames are classes and ids that say the same on pages that use neither elements nor roles.
var boilerplateNames = map[string]bool{
	"nav": true, "navbar": true, "navigation": true, "breadcrumb": true, "breadcrumbs": true, "footer": true, "site-footer": true, "site-header": true,
	"sidebar": true, "cookie-banner": true, "cookie-consent": true, "cookie-notice": true, "skip-link": true, "skip-to-content": true,
	"sr-only": true, "screen-reader-text": true, "visually-hidden": true, "social-share": true, "headerlink": true, "advertisement": true,
}

// skipped says whether an element is not part of what the page says.
func (w *walker) skipped(n *html.Node) bool {
	switch {
	case neverShown[n.DataAtom], n.DataAtom == atom.Nav, hidden(n), boilerplateRoles[attr(n, "role")]:
		return true
	case n.DataAtom == atom.Footer, n.DataAtom == atom.Header, n.DataAtom == atom.Aside:
		// Articles have headers, notes and footers of their own.
		return !w.inMain
	case n.DataAtom == atom.Body:
		return false
	}
	for _, name := range strings.Fields(strings.ToLower(attr(n, "class") + " " + attr(n, "id"))) {
		if boilerplateNames[name] {
			return true
		}
	}
	return false
}

func hidden(n *html.Node) bool {
	if hasAttr(n, "hidden") && attr(n, "hidden") != "until-found" || attr(n, "aria-hidden") == "true" {
		return true
	}
	style := strings.ReplaceAll(strings.ToLower(attr(n, "style")), " ", "")
	return strings.Contains(style, "display:none") || strings.Contains(style, "visibility:hidden")
}
