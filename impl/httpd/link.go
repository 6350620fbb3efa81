package httpd

import (
	"net/url"
	"strconv"
	"strings"
)

// NextPage is the Link header (RFC 8288) of the page of a list after cursor.
// The path may have a query of its own.
func NextPage(path, cursor string, limit int) *string {
	separator := "?"
	if strings.HasSuffix(path, "?") {
		separator = ""
	} else if strings.Contains(path, "?") {
		separator = "&"
	}
	link := "<" + path + separator + "cursor=" + url.QueryEscape(cursor) + "&limit=" + strconv.Itoa(limit) + `>; rel="next"`
	return &link
}
