package console

import (
	"net/url"
	"strings"
)

// cursorOf is the cursor of the next page in a Link header; "" when there is none.
func cursorOf(link string) string {
	for entry := range strings.SplitSeq(link, ",") {
		target, parameters, _ := strings.Cut(entry, ";")
		if !strings.Contains(parameters, `rel="next"`) {
			continue
		}
		next, err := url.Parse(strings.Trim(strings.TrimSpace(target), "<>"))
		if err == nil {
			return next.Query().Get("cursor")
		}
	}
	return ""
}
