package projects

import (
	"fmt"
	"strings"
	"unicode/utf8"

	gen "parley/gen/projects"
	"parley/impl/core/project"
	"parley/impl/core/turn"
)

// previewPath is where a file can be read.
const previewPath = "/api/v1/preview/"

// annotations are citations in OpenAI's shape: at their marks in the text, or at
// its end where it has none; nil for an answer that names nothing.
func annotations(o project.Options, cited []turn.Citation, text string) []gen.ProjectCompletionAnnotation {
	if o.Uncited {
		return nil
	}
	end := utf8.RuneCountInString(text)
	var out []gen.ProjectCompletionAnnotation
	for _, c := range cited {
		from, to := end, end
		if before, _, marked := strings.Cut(text, fmt.Sprintf("[%d]", c.N)); marked {
			from = utf8.RuneCountInString(before)
			to = from + len(fmt.Sprintf("[%d]", c.N))
		}
		url := c.URL
		if url == "" {
			url = previewPath + c.PageID
		}
		out = append(out, gen.ProjectCompletionAnnotation{
			Type:        gen.ProjectCompletionAnnotationTypeURLCitation,
			URLCitation: gen.ProjectCompletionURLCitation{StartIndex: int32(from), EndIndex: int32(to), Title: c.Title, URL: url}, //nolint:gosec // bounded by the answer's size
		})
	}
	return out
}
