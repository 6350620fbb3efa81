package projects

import (
	"context"
	"html"
)

// embedCodes are HTML that shows the chat of a project; nil while no
// publishable key belongs to it.
type embedCodes struct {
	inPlace *string // where the code stands in the page
	bubble  *string // behind a button in the corner
}

// embedCodes are those for a publishable key's text, of the size that the request names.
func (b base) embedCodes(ctx context.Context, key string) embedCodes {
	if key == "" {
		return embedCodes{}
	}
	r := requestOf(ctx)
	tag := `<script src="` + html.EscapeString(b.of(r)) + `/widget.js" data-key="` + html.EscapeString(key) + `"`
	inPlace, bubble := tag+` data-inline`, tag+` async></script>`
	for _, side := range []string{"width", "height"} {
		if size := r.URL.Query().Get(side); size != "" && size != "auto" {
			inPlace += ` data-` + side + `="` + html.EscapeString(size) + `"`
		}
	}
	inPlace += ` async></script>`
	return embedCodes{inPlace: &inPlace, bubble: &bubble}
}
